//! Messages that stand for something simpler: times, decimals, wrappers, JSON, and a message of any type.
//!
//! A value that its type doesn't allow, such as a 13th month, is written as the plain message that it is.

use super::shape::MessageShape;
use super::times::{ClockTime, LocalOffset, PartialDate, push_duration, push_local, push_timestamp};
use super::wire::{WireFault, WireReader, WireValue};
use super::write::MessageWriter;
use crate::decode::text::decimal::push_decimal;
use crate::decode::text::{push_bytes, push_text};
use crate::json::Reason;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WellKnown {
    /// Wrappers, and Struct, ListValue and Value of JSON.
    OnlyValue,
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Date,
    TimeOfDay,
    DateTime,
    Decimal,
}

/// JSON's readers take numbers as far as a double reaches, which has 309 digits.
const DECIMAL_DIGITS_MAX: i32 = 308;
/// So many bytes have at most that many digits.
const DECIMAL_BYTES_MAX: usize = 127;

impl WellKnown {
    pub fn named(name: &str) -> Option<WellKnown> {
        Some(match name.strip_prefix("google.protobuf.") {
            Some("Any") => WellKnown::Any,
            Some("Timestamp") => WellKnown::Timestamp,
            Some("Duration") => WellKnown::Duration,
            Some("FieldMask") => WellKnown::FieldMask,
            Some("Struct" | "ListValue" | "Value" | "BoolValue" | "StringValue" | "BytesValue") => {
                WellKnown::OnlyValue
            }
            Some(
                "DoubleValue" | "FloatValue" | "Int32Value" | "Int64Value" | "UInt32Value" | "UInt64Value",
            ) => WellKnown::OnlyValue,
            Some(_) => return None,
            None => match name {
                "google.type.Date" => WellKnown::Date,
                "google.type.TimeOfDay" => WellKnown::TimeOfDay,
                "google.type.DateTime" => WellKnown::DateTime,
                "confluent.type.Decimal" => WellKnown::Decimal,
                _ => return None,
            },
        })
    }
}

impl<'s, 'a> MessageWriter<'s, 'a, '_> {
    /// Writes what a message stands for. False, and nothing is written: its value must be written as a plain message.
    pub fn well_known(
        &mut self,
        known: WellKnown,
        shape: &'s MessageShape,
        bytes: &'a [u8],
    ) -> Result<bool, Reason> {
        let damaged = |fault: WireFault| Reason::from(format!("{}: {fault}", shape.name));
        let mut reader = WireReader::new(bytes);
        while let Some((number, value)) = reader.field().map_err(damaged)? {
            shape.place_of(number, value.form())?;
        }
        match known {
            WellKnown::OnlyValue => self.only_value(shape, bytes).map(|()| true),
            WellKnown::Any => self.any(shape, bytes),
            WellKnown::FieldMask => field_mask(self.out, bytes).map_err(damaged),
            WellKnown::Timestamp => {
                let [seconds, nanos] = varints(bytes).map_err(damaged)?;
                Ok(push_timestamp(self.out, seconds, narrow(nanos)))
            }
            WellKnown::Duration => {
                let [seconds, nanos] = varints(bytes).map_err(damaged)?;
                Ok(push_duration(self.out, seconds, narrow(nanos)))
            }
            WellKnown::Date => {
                let day = partial_date(varints(bytes).map_err(damaged)?);
                Ok(day.push(self.out))
            }
            WellKnown::TimeOfDay => {
                let time = clock_time(varints(bytes).map_err(damaged)?);
                Ok(time.push(self.out))
            }
            WellKnown::DateTime => date_time(self.out, bytes).map_err(damaged),
            WellKnown::Decimal => decimal(self.out, bytes).map_err(damaged),
        }
    }

    /// As in Protobuf's JSON mapping: `{"@type":"…","field":…}`, `{"@type":"…","value":…}` if the message stands for something
    /// simpler. A message of an unknown type is its bytes as base64, under "value".
    fn any(&mut self, shape: &'s MessageShape, bytes: &'a [u8]) -> Result<bool, Reason> {
        let damaged = |fault: WireFault| Reason::from(format!("{}: {fault}", shape.name));
        let mut values: [&[u8]; 2] = [&[], &[]];
        each_field(bytes, |number, value| {
            if let (1 | 2, WireValue::Bytes(bytes)) = (number, value) {
                values[number as usize - 1] = bytes;
            }
        })
        .map_err(damaged)?;
        let [url, message] = values;
        let url = simdutf8::basic::from_utf8(url).map_err(|_| damaged("type_url is not UTF-8"))?;
        if url.is_empty() && message.is_empty() {
            self.out.push_str("{}");
            return Ok(true);
        }
        self.out.push_str("{\"@type\":");
        push_text(self.out, url);
        let name = url.rsplit_once('/').map_or(url, |(_, name)| name);
        match self
            .shapes
            .place(name)
            .map(|place| (place, &self.shapes.messages[place]))
        {
            None => {
                self.out.push_str(",\"value\":");
                push_bytes(self.out, message);
            }
            Some((place, inner)) if inner.known.is_some() => {
                self.out.push_str(",\"value\":");
                self.message(place, message)?;
            }
            Some((_, inner)) => self.fields(inner, message, true)?,
        }
        self.out.push('}');
        Ok(true)
    }
}

/// The number of a field of 32 bits: its varint may have more.
fn narrow(value: i64) -> i64 {
    i64::from(value as i32)
}

fn each_field<'a>(bytes: &'a [u8], mut take: impl FnMut(u32, WireValue<'a>)) -> Result<(), WireFault> {
    let mut reader = WireReader::new(bytes);
    while let Some((number, value)) = reader.field()? {
        take(number, value);
    }
    Ok(())
}

/// The varints of the fields 1 to N of a message; 0 for those that are not there.
fn varints<const N: usize>(bytes: &[u8]) -> Result<[i64; N], WireFault> {
    let mut values = [0; N];
    each_field(bytes, |number, value| {
        let place = (number as usize).wrapping_sub(1);
        if let (Some(held), WireValue::Varint(bits)) = (values.get_mut(place), value) {
            *held = bits as i64;
        }
    })?;
    Ok(values)
}

fn partial_date(fields: [i64; 3]) -> PartialDate {
    let [year, month, day] = fields.map(narrow);
    PartialDate { year, month, day }
}

fn clock_time(fields: [i64; 4]) -> ClockTime {
    let [hours, minutes, seconds, nanos] = fields.map(narrow);
    ClockTime {
        hours,
        minutes,
        seconds,
        nanos,
    }
}

fn date_time(out: &mut String, bytes: &[u8]) -> Result<bool, WireFault> {
    let [year, month, day, hours, minutes, seconds, nanos] = varints(bytes)?;
    let (mut is_offset, mut is_zone) = (false, false);
    let (mut offset, mut zone) = (Vec::new(), Vec::new());
    each_field(bytes, |number, value| match (number, value) {
        (8, WireValue::Bytes(part)) => {
            (is_offset, is_zone) = (true, false);
            zone.clear();
            offset.extend_from_slice(part);
        }
        (9, WireValue::Bytes(part)) => {
            (is_offset, is_zone) = (false, true);
            offset.clear();
            zone.extend_from_slice(part);
        }
        _ => {}
    })?;
    let mut zone_name: &[u8] = &[];
    each_field(&zone, |number, value| {
        if let (1, WireValue::Bytes(id)) = (number, value) {
            zone_name = id;
        }
    })?;
    let [offset_seconds] = varints(&offset)?;
    let offset = match std::str::from_utf8(zone_name) {
        _ if is_offset => LocalOffset::Seconds(offset_seconds),
        Ok(name) if is_zone => LocalOffset::Zone(name),
        Err(_) => return Err("time_zone is not UTF-8"),
        Ok(_) => LocalOffset::Unknown,
    };
    let day = partial_date([year, month, day]);
    let time = clock_time([hours, minutes, seconds, nanos]);
    Ok(push_local(out, &day, &time, &offset))
}

/// As in Protobuf's JSON mapping: `name,address.zipCode`.
fn field_mask(out: &mut String, bytes: &[u8]) -> Result<bool, WireFault> {
    let mut paths = Vec::new();
    each_field(bytes, |number, value| {
        if let (1, WireValue::Bytes(path)) = (number, value) {
            paths.push(path);
        }
    })?;
    let text = simdutf8::basic::from_utf8(&paths.join(&b','))
        .map_err(|_| "a path is not UTF-8")
        .map(camel_case)?;
    push_text(out, &text);
    Ok(true)
}

fn camel_case(text: &str) -> String {
    let mut camel = String::with_capacity(text.len());
    let mut is_first_of_word = false;
    for letter in text.chars() {
        match letter {
            '_' => is_first_of_word = true,
            _ if is_first_of_word => {
                camel.push(letter.to_ascii_uppercase());
                is_first_of_word = false;
            }
            _ => camel.push(letter),
        }
    }
    camel
}

/// A number with exactly the digits of its scale.
fn decimal(out: &mut String, bytes: &[u8]) -> Result<bool, WireFault> {
    let [_, _, scale] = varints(bytes)?;
    let scale = narrow(scale);
    let mut unscaled: &[u8] = &[];
    each_field(bytes, |number, value| {
        if let (1, WireValue::Bytes(bytes)) = (number, value) {
            unscaled = bytes;
        }
    })?;
    if unscaled.len() > DECIMAL_BYTES_MAX {
        return Ok(false);
    }
    // Zeros before the point come to at least one digit.
    let Some(scale) = i32::try_from(scale)
        .ok()
        .filter(|scale| (1 - DECIMAL_DIGITS_MAX..=DECIMAL_DIGITS_MAX).contains(scale))
    else {
        return Ok(false);
    };
    let before = out.len();
    push_decimal(out, unscaled, scale);
    let digits = out[before..].trim_start_matches('-').len();
    if scale < 0 && digits > DECIMAL_DIGITS_MAX.unsigned_abs() as usize {
        out.truncate(before);
        return Ok(false);
    }
    Ok(true)
}
