//! Rows of ten fields, some 200 bytes as JSON: as JSON and as Avro, so that both are the same lines of the lake. The schema is in
//! `bench/avro.py`.

use std::io::Write;

use crate::avro_bytes::{push_bytes, push_long};

/// One row. Every 16th has no note.
pub struct Row<'a> {
    pub number: i64,
    pub user: i64,
    pub cents: i64,
    pub city: &'a str,
    /// Its place among the symbols, and the symbol.
    pub status: (i64, &'a str),
    pub at_ms: i64,
    pub note: &'a str,
}

impl Row<'_> {
    fn user_id(&self) -> String {
        format!("USER-{:05}", self.user)
    }

    fn name(&self) -> String {
        format!("Zoé Müller {}", self.user)
    }

    fn rating(&self) -> f64 {
        f64::from(i32::try_from(self.number % 50).unwrap_or(0)) / 4.0
    }

    fn has_note(&self) -> bool {
        self.number % 16 != 0
    }

    pub fn write_json(&self, out: &mut Vec<u8>) {
        let (days, of_day) = (
            self.at_ms.div_euclid(86_400_000),
            self.at_ms.rem_euclid(86_400_000),
        );
        let (year, month, day) = civil(days);
        // Writing to memory does not fail.
        let _ = write!(
            out,
            "{{\"ID\":{},\"USER_ID\":\"{}\",\"NAME\":\"{}\",\"AMOUNT\":{}.{:02},\"RATING\":{:?},\"ACTIVE\":{},\
             \"CITY\":\"{}\",\"STATUS\":\"{}\",\
             \"UPDATED\":\"{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z\",\"NOTE\":",
            self.number,
            self.user_id(),
            self.name(),
            self.cents / 100,
            self.cents % 100,
            self.rating(),
            self.number % 3 == 0,
            self.city,
            self.status.1,
            of_day / 3_600_000,
            of_day / 60_000 % 60,
            of_day / 1000 % 60,
            of_day % 1000,
        );
        let _ = match self.has_note() {
            true => write!(out, "\"{}\"}}", self.note),
            false => write!(out, "null}}"),
        };
    }

    /// With the id of the schema before it.
    pub fn write_avro(&self, schema: u32, out: &mut Vec<u8>) {
        out.push(0);
        out.extend_from_slice(&schema.to_be_bytes());
        push_long(self.number, out);
        push_bytes(self.user_id().as_bytes(), out);
        push_nullable(Some(self.name().as_bytes()), out);
        let unscaled = self.cents.to_be_bytes();
        let zeroes = unscaled[..7]
            .iter()
            .zip(&unscaled[1..])
            .take_while(|(byte, next)| **byte == 0 && **next < 0x80)
            .count();
        push_nullable(Some(&unscaled[zeroes..]), out);
        out.extend_from_slice(&self.rating().to_le_bytes());
        out.push(u8::from(self.number % 3 == 0));
        push_nullable(Some(self.city.as_bytes()), out);
        push_long(self.status.0, out);
        push_long(self.at_ms, out);
        push_nullable(self.has_note().then_some(self.note.as_bytes()), out);
    }
}

fn push_nullable(bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    push_long(i64::from(bytes.is_some()), out);
    if let Some(bytes) = bytes {
        push_bytes(bytes, out);
    }
}

/// Year, month and day of a number of days since 1970, by Howard Hinnant's `civil_from_days`.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}
