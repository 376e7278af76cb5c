//! JSON values as the values of columns: exact, or not at all.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::RangeInclusive;

use crate::decode::fields;
use crate::types::decimal::Decimal;
use crate::types::stored::{StoredType, comes_back};

/// So many significant digits may be needed to tell a double from all others.
const DOUBLE_DIGITS: RangeInclusive<usize> = 15..=17;

/// A value of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ColumnValue<'t> {
    Null,
    Boolean(bool),
    Int(i32),
    Bigint(i64),
    /// Without its point.
    Decimal(i128),
    Double(f64),
    Text(Cow<'t, str>),
    Bytes(Vec<u8>),
    /// Days since 1970.
    Date(i32),
    /// In the column's unit since 1970.
    Timestamp(i64),
    /// In the order of the type's fields.
    Struct(Vec<ColumnValue<'t>>),
    List(Vec<ColumnValue<'t>>),
    Map(Vec<(Cow<'t, str>, ColumnValue<'t>)>),
}

/// The value as the column has it. None: the column can't hold it unchanged.
pub(super) fn column_value<'t>(kind: &StoredType, raw: &'t str) -> Option<ColumnValue<'t>> {
    let raw = raw.trim_ascii();
    let first = *raw.as_bytes().first()?;
    if first == b'n' {
        return Some(ColumnValue::Null);
    }
    Some(match kind {
        StoredType::Boolean => ColumnValue::Boolean(raw.parse().ok()?),
        StoredType::Int => ColumnValue::Int(i32::try_from(integer(raw)?).ok()?),
        StoredType::Bigint => ColumnValue::Bigint(integer(raw)?),
        StoredType::Decimal { precision, scale } => ColumnValue::Decimal(unscaled(raw, *precision, *scale)?),
        StoredType::Double => ColumnValue::Double(double(raw)?),
        StoredType::Text => ColumnValue::Text(text(raw)?),
        StoredType::Json => ColumnValue::Text(raw.into()),
        StoredType::Bytes => ColumnValue::Bytes(BASE64.decode(string(raw)?.as_bytes()).ok()?),
        StoredType::Date if first == b'"' => ColumnValue::Date(date(&string(raw)?)?),
        StoredType::Date => ColumnValue::Date(i32::try_from(integer(raw)?).ok()?),
        StoredType::Timestamp { micros, utc } if first == b'"' => {
            ColumnValue::Timestamp(timestamp(&string(raw)?, *micros, *utc)?)
        }
        StoredType::Timestamp { .. } => ColumnValue::Timestamp(integer(raw)?),
        StoredType::Struct(of) => structure(of, raw)?,
        StoredType::List(of) => {
            let items: Vec<&serde_json::value::RawValue> = serde_json::from_str(raw).ok()?;
            ColumnValue::List(
                items
                    .iter()
                    .map(|item| column_value(of, item.get()))
                    .collect::<Option<_>>()?,
            )
        }
        StoredType::Map(of) => {
            let entries = fields::all(raw).ok()?;
            let mut names = HashSet::with_capacity(entries.len());
            // Readers refuse a map in which a key is there twice.
            if !entries.iter().all(|(name, _)| names.insert(&**name)) {
                return None;
            }
            ColumnValue::Map(
                entries
                    .into_iter()
                    .map(|(name, raw)| Some((name, column_value(of, raw)?)))
                    .collect::<Option<_>>()?,
            )
        }
    })
}

/// An object as a structure; it may lack fields, but have no others, and none twice.
fn structure<'t>(of: &[(String, StoredType)], raw: &'t str) -> Option<ColumnValue<'t>> {
    let mut cells = vec![None; of.len()];
    let mut next = 0;
    for (name, raw) in fields::all(raw).ok()? {
        // Mostly they come in their order.
        let at = match of.get(next) {
            Some((known, _)) if *known == name => next,
            _ => of.iter().position(|(known, _)| *known == name)?,
        };
        next = at + 1;
        if cells[at].replace(column_value(&of[at].1, raw)?).is_some() {
            return None;
        }
    }
    let cells = cells.into_iter().map(|cell| cell.unwrap_or(ColumnValue::Null));
    Some(ColumnValue::Struct(cells.collect()))
}

fn integer(raw: &str) -> Option<i64> {
    match raw.parse() {
        Ok(integer) => Some(integer),
        Err(_) => i64::try_from(Decimal::parse(raw)?.integer()?).ok(),
    }
}

/// The number without its point, if it needs no more than `scale` digits behind it.
fn unscaled(raw: &str, precision: u8, scale: u8) -> Option<i128> {
    let plain = plain_unscaled(raw, scale).or_else(|| Decimal::parse(raw)?.shifted(scale.into()).integer());
    plain.filter(|number| number.unsigned_abs() < 10u128.pow(precision.into()))
}

/// The same for a number without exponent and not too many digits, which is nearly every one.
fn plain_unscaled(raw: &str, scale: u8) -> Option<i128> {
    let (negative, digits) = match raw.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, raw),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = usize::from(scale).checked_sub(fraction.len())?;
    if whole.len() + usize::from(scale) > 38 {
        return None;
    }
    let mut number: i128 = 0;
    for digit in whole
        .bytes()
        .chain(fraction.bytes())
        .chain(std::iter::repeat_n(b'0', zeros))
    {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number = number * 10 + i128::from(digit);
    }
    Some(if negative { -number } else { number })
}

fn double(raw: &str) -> Option<f64> {
    match raw {
        "\"NaN\"" => Some(f64::NAN),
        "\"Infinity\"" => Some(f64::INFINITY),
        "\"-Infinity\"" => Some(f64::NEG_INFINITY),
        number => {
            let double = number.parse().ok()?;
            (comes_back(number) || is_form_of(double, number)).then_some(double)
        }
    }
}

/// Whether the number is the double, written with more digits than needed, as Java before 19 does.
fn is_form_of(double: f64, number: &str) -> bool {
    let Some(number) = Decimal::parse(number).filter(|_| double.is_finite()) else {
        return false;
    };
    DOUBLE_DIGITS.into_iter().any(|digits| {
        let form = Decimal::parse(&format!("{double:.precision$e}", precision = digits - 1));
        form.is_some_and(|form| form.is_equal(&number))
    })
}

/// A string's text; anything else as it was written.
fn text(raw: &str) -> Option<Cow<'_, str>> {
    if raw.starts_with('"') {
        string(raw)
    } else {
        Some(raw.into())
    }
}

fn string(raw: &str) -> Option<Cow<'_, str>> {
    raw.starts_with('"').then(|| fields::scalar(raw)).flatten()
}

/// `2025-10-31`
fn date(text: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (text.len() == 10 && is_plain_year(date)).then(|| date.to_epoch_days())
}

/// `2025-10-31T23:30:00.123Z`, without the Z if it is local.
fn timestamp(text: &str, micros: bool, utc: bool) -> Option<i64> {
    let text = match (text.strip_suffix('Z'), utc) {
        (Some(text), true) => text,
        (None, false) => text,
        _ => return None,
    };
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
        .ok()?
        .and_utc();
    let (number, unit) = match micros {
        true => (time.timestamp_micros(), 1_000),
        false => (time.timestamp_millis(), 1_000_000),
    };
    let nanos = time.timestamp_subsec_nanos();
    let fraction = text.split_once('.').map_or(0, |(_, digits)| digits.len());
    // A leap second would become the next one, and of more digits the parser drops some.
    let is_exact = nanos < 1_000_000_000 && fraction <= 9 && nanos.is_multiple_of(unit);
    (is_exact && is_plain_year(time.date_naive())).then_some(number)
}

/// Appends the JSON of a decimal with its scale's digits.
pub(super) fn write_decimal(number: i128, scale: u8, out: &mut Vec<u8>) {
    let digits = format!(
        "{:0width$}",
        number.unsigned_abs(),
        width = usize::from(scale) + 1
    );
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(whole.as_bytes());
    if scale > 0 {
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    }
}

/// Appends the JSON of a day: a text in the years 1 to 9999, else the number of days.
pub(super) fn write_date(days: i32, out: &mut Vec<u8>) {
    match NaiveDate::from_epoch_days(days).filter(|date| is_plain_year(*date)) {
        Some(date) => out.extend_from_slice(format!("\"{date}\"").as_bytes()),
        None => out.extend_from_slice(days.to_string().as_bytes()),
    }
}

/// Appends the JSON of a timestamp: a text in the years 1 to 9999, else the number.
pub(super) fn write_timestamp(number: i64, micros: bool, utc: bool, out: &mut Vec<u8>) {
    let time = match micros {
        true => DateTime::from_timestamp_micros(number),
        false => DateTime::from_timestamp_millis(number),
    };
    let zone = if utc { "Z" } else { "" };
    match time.filter(|time| is_plain_year(time.date_naive())) {
        Some(time) if micros => {
            out.extend_from_slice(format!("\"{}{zone}\"", time.format("%Y-%m-%dT%H:%M:%S%.6f")).as_bytes())
        }
        Some(time) => {
            out.extend_from_slice(format!("\"{}{zone}\"", time.format("%Y-%m-%dT%H:%M:%S%.3f")).as_bytes())
        }
        None => out.extend_from_slice(number.to_string().as_bytes()),
    }
}

fn is_plain_year(date: NaiveDate) -> bool {
    (1..=9999).contains(&chrono::Datelike::year(&date))
}

/// Appends the JSON of a double: the shortest number, or a text if it is none.
pub(super) fn write_double(double: f64, out: &mut Vec<u8>) {
    match double {
        _ if double.is_nan() => out.extend_from_slice(b"\"NaN\""),
        f64::INFINITY => out.extend_from_slice(b"\"Infinity\""),
        f64::NEG_INFINITY => out.extend_from_slice(b"\"-Infinity\""),
        double => out.extend_from_slice(serde_json::Value::from(double).to_string().as_bytes()),
    }
}

/// Appends the base64 of bytes as JSON.
pub(super) fn write_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(BASE64.encode(bytes).as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLIS: StoredType = StoredType::Timestamp {
        micros: false,
        utc: true,
    };
    const LOCAL: StoredType = StoredType::Timestamp {
        micros: true,
        utc: false,
    };

    #[test]
    fn values_fit_exactly_or_not_at_all() {
        let decimal = StoredType::Decimal {
            precision: 5,
            scale: 2,
        };
        for (kind, raw, expected) in [
            (&decimal, "12.3", Some(ColumnValue::Decimal(1230))),
            (&decimal, "-1.25e1", Some(ColumnValue::Decimal(-1250))),
            (&decimal, "1.230", Some(ColumnValue::Decimal(123))),
            (&decimal, "1.234", None),
            (&decimal, "1000", None),
            (&decimal, "\"1\"", None),
            (&StoredType::Bigint, "1.0E3", Some(ColumnValue::Bigint(1000))),
            (&StoredType::Bigint, "1.5", None),
            (&StoredType::Int, "2147483648", None),
            (&StoredType::Boolean, "true", Some(ColumnValue::Boolean(true))),
            (&StoredType::Boolean, "1", None),
            (&StoredType::Double, "0.1", Some(ColumnValue::Double(0.1))),
            (
                &StoredType::Double,
                "0.10000000000000001",
                Some(ColumnValue::Double(0.1)),
            ),
            (
                &StoredType::Double,
                "5.6843418860808015E-14",
                Some(ColumnValue::Double(2f64.powi(-44))),
            ),
            (&StoredType::Double, "0.100000000000000006", None),
            (&StoredType::Double, "12345678901234567891", None),
            (&StoredType::Double, "\"1.5\"", None),
            (&StoredType::Double, "1e400", None),
            (
                &StoredType::Text,
                "\"\\u00e9\"",
                Some(ColumnValue::Text("é".into())),
            ),
            (&StoredType::Text, "1.50", Some(ColumnValue::Text("1.50".into()))),
            (
                &StoredType::Json,
                " [1, 2] ",
                Some(ColumnValue::Text("[1, 2]".into())),
            ),
            (
                &StoredType::Bytes,
                "\"AAE=\"",
                Some(ColumnValue::Bytes(vec![0, 1])),
            ),
            (&StoredType::Bytes, "\"AA\"", None),
            (&StoredType::Date, "\"1970-01-02\"", Some(ColumnValue::Date(1))),
            (&StoredType::Date, "\"70-01-02\"", None),
            (&StoredType::Date, "\"-070-01-02\"", None),
            (&StoredType::Date, "\"2025-10\"", None),
            (&MILLIS, "\"2016-12-31T23:59:60.000Z\"", None),
            (&LOCAL, "\"1970-01-01T00:00:00.0000010001\"", None),
            (&MILLIS, "\"+12025-01-01T00:00:00.000Z\"", None),
            (&StoredType::Date, "-5", Some(ColumnValue::Date(-5))),
            (
                &MILLIS,
                "\"1970-01-01T00:00:00.001Z\"",
                Some(ColumnValue::Timestamp(1)),
            ),
            (&MILLIS, "\"1970-01-01T00:00:00.0001Z\"", None),
            (&MILLIS, "\"1970-01-01T00:00:00.001\"", None),
            (
                &LOCAL,
                "\"1969-12-31T23:59:59.999999\"",
                Some(ColumnValue::Timestamp(-1)),
            ),
            (&LOCAL, "7", Some(ColumnValue::Timestamp(7))),
            (&MILLIS, "null", Some(ColumnValue::Null)),
        ] {
            assert_eq!(column_value(kind, raw), expected, "{kind} {raw}");
        }
    }

    #[test]
    fn nested_values_have_declared_fields_only() {
        let kind = StoredType::Struct(vec![
            ("a".to_owned(), StoredType::List(Box::new(StoredType::Int))),
            ("m".to_owned(), StoredType::Map(Box::new(StoredType::Text))),
        ]);
        let map = ColumnValue::Map(vec![("k".into(), ColumnValue::Text("v".into()))]);
        assert_eq!(
            column_value(&kind, r#"{"m":{"k":"v"},"a":[1,null]}"#),
            Some(ColumnValue::Struct(vec![
                ColumnValue::List(vec![ColumnValue::Int(1), ColumnValue::Null]),
                map
            ]))
        );
        assert_eq!(
            column_value(&kind, "{}"),
            Some(ColumnValue::Struct(vec![ColumnValue::Null, ColumnValue::Null]))
        );
        for raw in [
            r#"{"b":1}"#,
            r#"{"a":["x"]}"#,
            r#"{"a":[1],"a":[1]}"#,
            r#"{"m":{"k":"v","k":"w"}}"#,
            "[]",
            "1",
        ] {
            assert_eq!(column_value(&kind, raw), None, "{raw}");
        }
    }

    #[test]
    fn values_are_written_as_they_were() {
        let written = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(&|out| write_decimal(-5, 2, out)), "-0.05");
        assert_eq!(written(&|out| write_decimal(1230, 0, out)), "1230");
        assert_eq!(written(&|out| write_date(1, out)), "\"1970-01-02\"");
        assert_eq!(written(&|out| write_date(i32::MAX, out)), i32::MAX.to_string());
        assert_eq!(
            written(&|out| write_timestamp(-1, true, false, out)),
            "\"1969-12-31T23:59:59.999999\""
        );
        assert_eq!(
            written(&|out| write_timestamp(i64::MAX, false, true, out)),
            i64::MAX.to_string()
        );
        assert_eq!(written(&|out| write_double(0.1, out)), "0.1");
        assert_eq!(written(&|out| write_double(f64::NAN, out)), "\"NaN\"");
    }
}
