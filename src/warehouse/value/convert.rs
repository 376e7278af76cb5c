//! Converts a record's values into what their columns hold, and loses nothing silently.
//!
//! It checks everything that the column's definition shows, so that the server itself rarely has to refuse a row.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, NaiveDateTime, NaiveTime};
use mysql::Value;
use std::borrow::Cow;

use super::canonical::canonical;
use super::cell::{Cell, FIXED_ON_WIRE, bytes_on_wire};
use super::refusal::RefusalKind;
use super::{exact, json_limits, time};
use crate::types::decimal::Decimal;
use crate::types::plausible::PlausibleDays;
use crate::types::time::{self as written, WrittenTime};
use crate::warehouse::table::column::{Column, ColumnType};

/// One field of a record.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::warehouse) enum Input<'a> {
    Null,
    Bool(bool),
    /// A number as it was written.
    Number(Cow<'a, str>),
    Text(Cow<'a, str>),
    /// An object or array, as it was written.
    Nested(&'a str),
    /// A key's own bytes: neither JSON nor base64.
    Bytes(&'a [u8]),
}

impl<'a> Input<'a> {
    /// Reads one valid JSON value.
    pub fn from_json(raw: &'a str) -> Result<Input<'a>, String> {
        let raw = without_blanks(raw);
        Ok(match raw.as_bytes().first() {
            Some(b'{' | b'[') => Input::Nested(raw),
            Some(b't') => Input::Bool(true),
            Some(b'f') => Input::Bool(false),
            Some(b'n') => Input::Null,
            Some(b'"') if !has_escapes(raw) && raw.len() >= 2 => {
                Input::Text(Cow::Borrowed(&raw[1..raw.len() - 1]))
            }
            Some(b'"') => Input::Text(
                serde_json::from_str::<String>(raw)
                    .map_err(|e| e.to_string())?
                    .into(),
            ),
            _ => Input::Number(Cow::Borrowed(raw)),
        })
    }

    fn as_json(&self) -> Result<Cow<'a, str>, String> {
        match self {
            Input::Null => Ok("null".into()),
            Input::Bool(true) => Ok("true".into()),
            Input::Bool(false) => Ok("false".into()),
            Input::Number(raw) => Ok(raw.clone()),
            Input::Nested(raw) => Ok(Cow::Borrowed(raw)),
            Input::Text(text) => serde_json::to_string(text)
                .map(Cow::Owned)
                .map_err(|e| e.to_string()),
            Input::Bytes(_) => Err("bytes are not JSON".to_owned()),
        }
    }

    fn as_text(&self) -> Result<Cow<'a, str>, String> {
        match self {
            Input::Text(text) | Input::Number(text) => Ok(text.clone()),
            Input::Bytes(bytes) => std::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(|e| format!("not UTF-8 at byte {}", e.valid_up_to())),
            Input::Bool(_) | Input::Nested(_) | Input::Null => self.as_json(),
        }
    }

    /// The text that `as_number` would parse.
    fn number_text(&self) -> Option<&str> {
        match self {
            Input::Number(text) | Input::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Reads a number, or text that holds one (a delimited key, a DECIMAL that was written as a string).
    fn as_number(&self) -> Result<Decimal, String> {
        let number = match self {
            Input::Bool(value) => Decimal::parse(if *value { "1" } else { "0" }),
            Input::Number(text) | Input::Text(text) => Decimal::parse(text),
            Input::Bytes(bytes) => std::str::from_utf8(bytes).ok().and_then(Decimal::parse),
            Input::Nested(_) | Input::Null => None,
        };
        number.ok_or_else(|| "not a number".to_owned())
    }
}

/// The fast path: the approximate wire size of a JSON value, if a column outside of the key certainly holds it as it is.
/// None means that `convert` must decide, as it always does for times.
pub(super) fn surely_fits(column: &Column, raw: &str) -> Option<usize> {
    match (&column.kind, raw.as_bytes()) {
        (
            ColumnType::Text {
                chars_max, bytes_max, ..
            },
            [b'"', text @ .., b'"'],
        ) => {
            let fits = text.len() as u64 <= chars_max.unwrap_or(*bytes_max);
            (fits && !has_escapes(raw)).then(|| bytes_on_wire(text.len()))
        }
        (ColumnType::Integer { min, max }, _) => {
            let number = i128::from(plain_integer(raw)?);
            (*min <= number && number <= *max).then_some(FIXED_ON_WIRE)
        }
        (ColumnType::Decimal { precision, scale, .. }, _) => {
            is_plain_decimal(raw, *precision, *scale).then(|| bytes_on_wire(raw.len()))
        }
        _ => None,
    }
}

fn without_blanks(raw: &str) -> &str {
    match raw.as_bytes() {
        // Most values have no blanks around them.
        [first, .., last] if *first > b' ' && *last > b' ' => raw,
        _ => raw.trim_matches([' ', '\t', '\n', '\r']),
    }
}

/// Does not stop at the first one, so that the loop vectorises.
fn has_escapes(raw: &str) -> bool {
    raw.bytes().fold(false, |found, byte| found | (byte == b'\\'))
}

fn text_cell(text: Cow<'_, str>) -> Cell<'_> {
    Cell::Bytes(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

/// The value for `column`, or the reason why the column can't hold it. Reasons never repeat the value.
pub(in crate::warehouse) fn convert<'a>(column: &Column, input: &Input<'a>) -> Result<Cell<'a>, RefusalKind> {
    match input {
        Input::Null if column.nullable => Ok(Cell::Null),
        Input::Null => Err(RefusalKind::Null),
        input => by_type(column, input).map_err(RefusalKind::Unfit),
    }
}

fn by_type<'a>(column: &Column, input: &Input<'a>) -> Result<Cell<'a>, String> {
    if column.in_key && exact::rounds(column, input) {
        // Otherwise two keys would become one row.
        return Err("a primary-key column that would round this number can't hold it".to_owned());
    }
    match &column.kind {
        ColumnType::Integer { min, max } => integer(input, *min, *max),
        ColumnType::Decimal {
            precision,
            scale,
            unsigned,
        } => decimal(input, *precision, *scale, *unsigned),
        ColumnType::Float { single, .. } => float(input, *single),
        ColumnType::Text {
            chars_max,
            bytes_max,
            fixed,
        } => text(column, input, *chars_max, *bytes_max, *fixed),
        ColumnType::Binary { bytes_max, fixed } => binary(input, *bytes_max, *fixed),
        ColumnType::Json => json(column, input),
        ColumnType::Enum(members) => member(input, members),
        ColumnType::Date => date(column, input).map(Cell::Time),
        ColumnType::Time { places } => clock(column, input, *places).map(Cell::Time),
        ColumnType::DateTime { places } => date_time(column, input)
            .and_then(|time| moment(column, time, *places))
            .map(Cell::Time)
            .map_err(|reason| with_likely_unit(reason, column, input)),
        ColumnType::Timestamp { places, long } => date_time(column, input)
            .and_then(|time| check_timestamp(time, *long).map(|()| time))
            .and_then(|time| moment(column, time, *places))
            .map(Cell::Time)
            .map_err(|reason| with_likely_unit(reason, column, input)),
        ColumnType::Uuid | ColumnType::Inet4 | ColumnType::Inet6 => spelled(column, input),
        ColumnType::Other => input.as_text().map(text_cell),
    }
}

fn integer(input: &Input<'_>, min: i128, max: i128) -> Result<Cell<'static>, String> {
    let plain = input.number_text().and_then(plain_integer).map(i128::from);
    let Some(number) = (match plain {
        Some(number) => Some(number),
        None => input.as_number()?.integer(),
    }) else {
        return Err("not a whole number, or too large".to_owned());
    };
    if number < min || number > max {
        return Err(format!("out of range {min} to {max}"));
    }
    match i64::try_from(number) {
        Ok(number) => Ok(Cell::Int(number)),
        Err(_) => u64::try_from(number).map(Cell::UInt).map_err(|e| e.to_string()),
    }
}

/// Reads an integer of up to 18 digits, as most are; None for anything else.
fn plain_integer(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

fn decimal<'a>(input: &Input<'a>, precision: u32, scale: u32, unsigned: bool) -> Result<Cell<'a>, String> {
    if let Input::Number(text) | Input::Text(text) = input
        && is_plain_decimal(text, precision, scale)
    {
        return Ok(text_cell(text.clone()));
    }
    match input.as_number()?.fixed(precision, scale) {
        None => Err(format!("out of range for DECIMAL({precision},{scale})")),
        Some(fixed) if unsigned && fixed.negative => Err("negative, but the column is unsigned".to_owned()),
        Some(fixed) => Ok(Cell::Bytes(fixed.to_string().into_bytes().into())),
    }
}

/// Whether the number is already written as the column has it: no sign, the same decimal places, no leading zeros.
fn is_plain_decimal(text: &str, precision: u32, scale: u32) -> bool {
    let (text, scale) = (text.as_bytes(), scale as usize);
    let point = usize::from(scale > 0);
    let Some((whole, rest)) = text.split_at_checked(text.len().wrapping_sub(scale + point)) else {
        return false;
    };
    let digits = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    rest.first().is_none_or(|&byte| byte == b'.')
        && whole.first().is_some_and(|&byte| byte != b'0')
        && whole.len() + scale <= precision as usize
        && digits(whole)
        && digits(&rest[point..])
}

fn float(input: &Input<'_>, single: bool) -> Result<Cell<'static>, String> {
    input.as_number()?;
    let number: f64 = input.as_text()?.parse().or_else(|_| match input {
        Input::Bool(value) => Ok(f64::from(u8::from(*value))),
        _ => Err("not a number".to_owned()),
    })?;
    if !number.is_finite() || (single && !(number as f32).is_finite()) {
        return Err("out of range".to_owned());
    }
    // The shortest text of the largest FLOAT is a little more than it.
    let largest = f64::from(f32::MAX);
    Ok(Cell::Double(if single {
        number.clamp(-largest, largest)
    } else {
        number
    }))
}

fn text<'a>(
    column: &Column,
    input: &Input<'a>,
    chars_max: Option<u64>,
    bytes_max: u64,
    fixed: bool,
) -> Result<Cell<'a>, String> {
    let text = input.as_text()?;
    // The length is checked here, because MySQL cuts surplus trailing blanks silently, even in strict mode.
    if let Some(max) = chars_max {
        let over = text.len() as u64 > max && text.chars().count() as u64 > max;
        if over {
            return Err(format!("longer than {max} characters"));
        }
    } else if text.len() as u64 > bytes_max {
        return Err(format!("longer than {bytes_max} bytes"));
    }
    if fixed && column.in_key && text.ends_with(' ') {
        return Err("a CHAR column loses trailing blanks, and the key with them".to_owned());
    }
    Ok(text_cell(text))
}

fn binary<'a>(input: &Input<'a>, bytes_max: u64, fixed: bool) -> Result<Cell<'a>, String> {
    let mut bytes = match input {
        Input::Bytes(bytes) => Cow::Borrowed(*bytes),
        Input::Text(text) => STANDARD
            .decode(text.as_bytes())
            .map(Cow::Owned)
            .map_err(|_| "not base64, which is how JSON carries bytes".to_owned())?,
        _ => return Err("not bytes, which JSON carries as base64 text".to_owned()),
    };
    if bytes.len() as u64 > bytes_max {
        return Err(format!("longer than {bytes_max} bytes"));
    }
    if let (true, Ok(length)) = (fixed, usize::try_from(bytes_max)) {
        // MySQL stores it so, and a value that is compared with it must be as long.
        bytes.to_mut().resize(length, 0);
    }
    Ok(Cell::Bytes(bytes))
}

fn json<'a>(column: &Column, input: &Input<'a>) -> Result<Cell<'a>, String> {
    let json = input.as_json()?;
    if column.is_binary_json() {
        json_limits::check(&json)?;
    }
    Ok(text_cell(json))
}

fn member(input: &Input<'_>, members: &[String]) -> Result<Cell<'static>, String> {
    let text = input.as_text()?;
    let exact = members.iter().find(|member| **member == text);
    let found = exact.or_else(|| {
        members
            .iter()
            .find(|member| member.to_lowercase() == text.to_lowercase())
    });
    match found {
        Some(member) => Ok(Cell::Bytes(member.clone().into_bytes().into())),
        None => Err("not one of the ENUM's values".to_owned()),
    }
}

/// A key column takes only values whose one spelling is known, because it decides which row is meant.
fn spelled<'a>(column: &Column, input: &Input<'a>) -> Result<Cell<'a>, String> {
    let text = input.as_text()?;
    match canonical(&column.kind, &text) {
        Some(canonical) => Ok(text_cell(canonical.into())),
        None if column.in_key => Err("not a value of the column's type".to_owned()),
        None => Ok(text_cell(text)),
    }
}

/// Delimited keys carry numbers as text.
fn date_time(column: &Column, input: &Input<'_>) -> Result<NaiveDateTime, String> {
    match input {
        Input::Number(number) => written::of_number(number, column.time_unit),
        Input::Text(_) | Input::Bytes(_) => {
            written::of_text(&input.as_text()?, column.time_unit).map(WrittenTime::in_utc)
        }
        _ => Err("not a date or time".to_owned()),
    }
}

/// The reason why a time is refused, with the unit in which its number would be plausible.
fn with_likely_unit(reason: String, column: &Column, input: &Input<'_>) -> String {
    let number = input.number_text().and_then(|text| text.parse().ok());
    match number.and_then(|number| PlausibleDays::now().likely_unit(number, column.time_unit)) {
        Some((unit, _)) => format!(
            "{reason}; it looks like {}: timestamp_unit = \"{}\"",
            unit.word(),
            unit.name()
        ),
        None => reason,
    }
}

fn date(column: &Column, input: &Input<'_>) -> Result<Value, String> {
    if let Input::Number(_) = input {
        return time::date_value(time::from_epoch_days(&input.as_number()?)?);
    }
    let time = date_time(column, input)?;
    if column.in_key && time.time() != NaiveTime::MIN {
        // Otherwise two keys would become one row.
        return Err("a primary-key column without a time of day can't hold this time".to_owned());
    }
    time::date_value(time.date())
}

fn clock(column: &Column, input: &Input<'_>, places: u32) -> Result<Value, String> {
    let time = match input {
        Input::Number(_) => time::from_ms_of_day(&input.as_number()?)?,
        _ => written::parse_clock(&input.as_text()?).ok_or("not a time of day")?,
    };
    moment(column, DateTime::UNIX_EPOCH.date_naive().and_time(time), places).map(|value| match value {
        Value::Date(_, _, _, hour, minute, second, micros) => {
            Value::Time(false, 0, hour, minute, second, micros)
        }
        other => other,
    })
}

fn check_timestamp(time: NaiveDateTime, long: bool) -> Result<(), String> {
    let seconds = time.and_utc().timestamp();
    let last = if long {
        i64::from(u32::MAX)
    } else {
        i64::from(i32::MAX)
    };
    if (1..=last).contains(&seconds) {
        Ok(())
    } else {
        Err(format!(
            "out of a TIMESTAMP's range, 1970 to {}",
            if long { 2106 } else { 2038 }
        ))
    }
}

fn moment(column: &Column, time: NaiveDateTime, places: u32) -> Result<Value, String> {
    use chrono::Timelike;
    let (micros, lost) = time::truncated_micros(time.nanosecond(), places);
    if lost && column.in_key {
        // Otherwise two keys would become one row.
        return Err(format!(
            "a primary-key column with {places} decimal places of a second can't hold this time"
        ));
    }
    time::date_time_value(time, micros)
}

#[cfg(test)]
mod tests;
