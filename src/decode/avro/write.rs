//! A value of Avro's binary encoding, walked into JSON text.

use std::collections::HashSet;

use super::calendar::{push_date, push_duration, push_time, push_timestamp};
use super::datum::{Datum, Read, damage};
use super::logical::SCALE_MAX;
use super::types::{AvroField, AvroType, TypeId};
use crate::decode::text::decimal::{DECIMAL_BYTES_MAX, push_decimal};
use crate::decode::text::{push_bytes, push_double, push_float, push_integer, push_text};

/// Readers of JSON take no more levels.
const LEVELS_MAX: usize = 127;

/// How many values without any byte a payload may have, beside as many as it has bytes. An array of nulls may claim 2^60 of them.
const EMPTY_VALUES_MAX: usize = 65_536;

/// A number of no more bytes, without an exponent, is not more than a double holds.
const SHORT_NUMBER_MAX: usize = 300;

/// Up to so many keys are compared with each other.
const FEW_KEYS: usize = 16;

/// Writes one payload.
pub(super) struct DatumWriter<'s, 'p, 'o> {
    types: &'s [AvroType],
    datum: Datum<'p>,
    out: &'o mut String,
    level: usize,
    empty_values_left: usize,
    /// A number may be more than a double holds, or there may be too many levels.
    doubtful: bool,
}

/// An entry of a map as written: `key:value`.
struct WrittenEntry {
    key: usize,
    value: usize,
    end: usize,
}

impl<'s, 'p, 'o> DatumWriter<'s, 'p, 'o> {
    pub fn new(types: &'s [AvroType], payload: &'p [u8], out: &'o mut String) -> Self {
        DatumWriter {
            types,
            datum: Datum::new(payload),
            out,
            level: 0,
            empty_values_left: payload.len().saturating_add(EMPTY_VALUES_MAX),
            doubtful: false,
        }
    }

    /// Writes the payload, which must be one value of this type. True: whatever its names are, the text is readable.
    pub fn write_whole(mut self, of: TypeId) -> Read<'s, bool> {
        self.write(of)?;
        match self.datum.bytes_left() {
            0 => Ok(!self.doubtful),
            _ => Err(damage("more bytes after the value", self.datum.at())),
        }
    }

    fn write(&mut self, of: TypeId) -> Read<'s, ()> {
        match &self.types[of] {
            AvroType::Null => {
                self.count_empty_value()?;
                self.out.push_str("null");
            }
            AvroType::Boolean => {
                let text = if self.datum.boolean()? { "true" } else { "false" };
                self.out.push_str(text);
            }
            AvroType::Int => push_integer(self.out, self.datum.int()?),
            AvroType::Long => push_integer(self.out, self.datum.long()?),
            AvroType::Float => push_float(self.out, f32::from_le_bytes(self.datum.array()?)),
            AvroType::Double => push_double(self.out, f64::from_le_bytes(self.datum.array()?)),
            AvroType::Text => push_text(self.out, self.datum.text()?),
            AvroType::Bytes => push_bytes(self.out, self.datum.prefixed()?),
            AvroType::Fixed(size) => {
                if *size == 0 {
                    self.count_empty_value()?;
                }
                push_bytes(self.out, self.datum.take(*size)?);
            }
            AvroType::Uuid => self.write_uuid()?,
            AvroType::Duration => self.write_duration()?,
            AvroType::Decimal { size, scale, .. } => self.write_decimal(*size, *scale)?,
            AvroType::BigDecimal => self.write_big_decimal()?,
            AvroType::Date => push_date(self.out, self.datum.int()?),
            AvroType::TimeMillis => push_time(self.out, self.datum.int()?.into(), 3),
            AvroType::TimeMicros => push_time(self.out, self.datum.long()?, 6),
            AvroType::Timestamp { digits, utc } => {
                push_timestamp(self.out, self.datum.long()?, *digits, *utc);
            }
            AvroType::Enum(symbols) => {
                let symbol = self.datum.choice(symbols.len(), "an enum")?;
                self.out.push_str(&symbols[symbol].json);
            }
            AvroType::Union(branches) => {
                let branch = self.datum.choice(branches.len(), "a union")?;
                self.write(branches[branch])?;
            }
            AvroType::Record { fields, .. } => self.write_record(fields)?,
            AvroType::Array(items) => self.write_array(*items)?,
            AvroType::Map(values) => self.write_map(*values)?,
            AvroType::Entries { key, value } => self.write_entries(*key, *value)?,
        }
        Ok(())
    }

    fn write_record(&mut self, fields: &'s [AvroField]) -> Read<'s, ()> {
        if fields.is_empty() {
            self.count_empty_value()?;
        }
        self.open('{')?;
        for (number, field) in fields.iter().enumerate() {
            // The first has no comma before it.
            self.out.push_str(&field.lead[usize::from(number == 0)..]);
            self.write(field.of)
                .map_err(|damage| damage.within(field.name.in_messages()))?;
        }
        self.close('}');
        Ok(())
    }

    fn write_array(&mut self, items: TypeId) -> Read<'s, ()> {
        self.open('[')?;
        self.write_items(|this| this.write(items))?;
        self.close(']');
        Ok(())
    }

    fn write_map(&mut self, values: TypeId) -> Read<'s, ()> {
        self.open('{')?;
        self.write_items(|this| {
            push_text(this.out, this.datum.text()?);
            this.out.push(':');
            this.write(values)
        })?;
        self.close('}');
        Ok(())
    }

    /// Writes a map, or the array as which it was sent if a key is null or there twice.
    fn write_entries(&mut self, key: TypeId, value: TypeId) -> Read<'s, ()> {
        let start = self.out.len();
        let mut entries = Vec::new();
        self.open('{')?;
        self.write_items(|this| {
            let key_start = this.out.len();
            this.write(key)?;
            this.out.push(':');
            let value_start = this.out.len();
            this.write(value)?;
            entries.push(WrittenEntry {
                key: key_start,
                value: value_start,
                end: this.out.len(),
            });
            Ok(())
        })?;
        self.close('}');
        if !have_distinct_keys(self.out, &entries) {
            // An array of objects has a level more than the map.
            self.doubtful = true;
            let array = as_array(self.out, &entries);
            self.out.truncate(start);
            self.out.push_str(&array);
        }
        Ok(())
    }

    /// Writes the items of all blocks, with commas between them.
    fn write_items(&mut self, mut write_item: impl FnMut(&mut Self) -> Read<'s, ()>) -> Read<'s, ()> {
        let mut is_first = true;
        while let Some(count) = self.datum.block()? {
            for _ in 0..count {
                if !is_first {
                    self.out.push(',');
                }
                is_first = false;
                write_item(self)?;
            }
        }
        Ok(())
    }

    fn write_uuid(&mut self) -> Read<'s, ()> {
        let hex = format!("{:032x}", u128::from_be_bytes(self.datum.array()?));
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        push_text(self.out, &parts.join("-"));
        Ok(())
    }

    fn write_duration(&mut self) -> Read<'s, ()> {
        let months = u32::from_le_bytes(self.datum.array()?);
        let days = u32::from_le_bytes(self.datum.array()?);
        let milliseconds = u32::from_le_bytes(self.datum.array()?);
        push_duration(self.out, months, days, milliseconds);
        Ok(())
    }

    fn write_decimal(&mut self, size: Option<usize>, scale: i32) -> Read<'s, ()> {
        let start = self.datum.at();
        let bytes = match size {
            Some(size) => self.datum.take(size)?,
            None => self.datum.prefixed()?,
        };
        self.write_unscaled(bytes, scale, start)
    }

    /// Bytes that hold the number's bytes and its scale.
    fn write_big_decimal(&mut self) -> Read<'s, ()> {
        let bytes = self.datum.prefixed()?;
        let start = self.datum.at() - bytes.len();
        let mut inner = Datum::new(bytes);
        let parts = inner.prefixed().and_then(|unscaled| Ok((unscaled, inner.int()?)));
        match parts {
            Ok((unscaled, scale)) if inner.bytes_left() == 0 && scale.unsigned_abs() <= SCALE_MAX => {
                self.write_unscaled(unscaled, scale, start)
            }
            _ => Err(damage("not a big-decimal", start)),
        }
    }

    fn write_unscaled(&mut self, bytes: &[u8], scale: i32, start: usize) -> Read<'s, ()> {
        if bytes.len() > DECIMAL_BYTES_MAX {
            return Err(damage(
                format!("a decimal of more than {DECIMAL_BYTES_MAX} bytes"),
                start,
            ));
        }
        let before = self.out.len();
        push_decimal(self.out, bytes, scale);
        self.doubtful |= self.out.len() - before > SHORT_NUMBER_MAX;
        Ok(())
    }

    fn open(&mut self, bracket: char) -> Read<'s, ()> {
        if self.level == LEVELS_MAX {
            return Err(damage(format!("more than {LEVELS_MAX} levels"), self.datum.at()));
        }
        self.level += 1;
        self.out.push(bracket);
        Ok(())
    }

    fn close(&mut self, bracket: char) {
        self.level -= 1;
        self.out.push(bracket);
    }

    fn count_empty_value(&mut self) -> Read<'s, ()> {
        let left = self.empty_values_left.checked_sub(1);
        self.empty_values_left =
            left.ok_or_else(|| damage("too many values without bytes", self.datum.at()))?;
        Ok(())
    }
}

fn have_distinct_keys(out: &str, entries: &[WrittenEntry]) -> bool {
    let keys = || entries.iter().map(|entry| entry.key(out));
    if keys().any(|key| key == "null") {
        return false;
    }
    if entries.len() > FEW_KEYS {
        let mut seen = HashSet::with_capacity(entries.len());
        return keys().all(|key| seen.insert(key));
    }
    keys()
        .enumerate()
        .all(|(number, key)| keys().take(number).all(|other| other != key))
}

fn as_array(out: &str, entries: &[WrittenEntry]) -> String {
    let records: Vec<_> = entries
        .iter()
        .map(|entry| format!(r#"{{"key":{},"value":{}}}"#, entry.key(out), entry.value(out)))
        .collect();
    format!("[{}]", records.join(","))
}

impl WrittenEntry {
    fn key<'t>(&self, out: &'t str) -> &'t str {
        &out[self.key..self.value - 1]
    }

    fn value<'t>(&self, out: &'t str) -> &'t str {
        &out[self.value..self.end]
    }
}
