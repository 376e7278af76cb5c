//! One value of a record, converted for a column.

use mysql::Value;
use std::borrow::Cow;

/// A column's value, borrowed from the record's bytes if possible.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::warehouse) enum Cell<'a> {
    Null,
    Int(i64),
    UInt(u64),
    Double(f64),
    Bytes(Cow<'a, [u8]>),
    /// A date or time.
    Time(Value),
}

impl<'a> Cell<'a> {
    pub fn of(value: &'a Value) -> Cell<'a> {
        match value {
            Value::NULL => Cell::Null,
            Value::Int(number) => Cell::Int(*number),
            Value::UInt(number) => Cell::UInt(*number),
            Value::Double(number) => Cell::Double(*number),
            Value::Float(number) => Cell::Double(f64::from(*number)),
            Value::Bytes(bytes) => Cell::Bytes(Cow::Borrowed(bytes)),
            Value::Date(..) | Value::Time(..) => Cell::Time(value.clone()),
        }
    }

    pub fn into_value(self) -> Value {
        match self {
            Cell::Null => Value::NULL,
            Cell::Int(number) => Value::Int(number),
            Cell::UInt(number) => Value::UInt(number),
            Cell::Double(number) => Value::Double(number),
            Cell::Bytes(bytes) => Value::Bytes(bytes.into_owned()),
            Cell::Time(value) => value,
        }
    }

    /// Approximate size on the wire, in bytes.
    pub fn wire_bytes(&self) -> usize {
        match self {
            Cell::Bytes(bytes) => bytes_on_wire(bytes.len()),
            _ => FIXED_ON_WIRE,
        }
    }
}

/// The size of bytes on the wire, with their length before them.
pub(in crate::warehouse) fn bytes_on_wire(length: usize) -> usize {
    length + 9
}

/// The most that a number or time takes on the wire.
pub(in crate::warehouse) const FIXED_ON_WIRE: usize = 13;

/// Approximate size of values on the wire, in bytes.
pub(in crate::warehouse) fn values_bytes(values: &[Value]) -> usize {
    values
        .iter()
        .map(|value| match value {
            Value::Bytes(bytes) => bytes_on_wire(bytes.len()),
            _ => FIXED_ON_WIRE,
        })
        .sum()
}
