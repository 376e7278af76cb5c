//! Primary keys as bytes, which find rows and sort them.

use mysql::Value;

use super::cell::{Cell, values_bytes};

/// Bytes that are equal for equal keys and sort as the key's values do, so that all transactions lock rows in one order.
pub(in crate::warehouse) fn sort_key(values: &[Value]) -> Box<[u8]> {
    let mut out = Vec::with_capacity(values_bytes(values) + values.len());
    for value in values {
        push_cell(&mut out, &Cell::of(value));
    }
    out.into()
}

/// Adds one value of a key to its bytes.
pub(in crate::warehouse) fn push_cell(out: &mut Vec<u8>, cell: &Cell<'_>) {
    match cell {
        Cell::Null => out.push(0),
        Cell::Int(number) => push_number(out, i128::from(*number)),
        Cell::UInt(number) => push_number(out, i128::from(*number)),
        Cell::Bytes(bytes) => {
            out.push(2);
            for part in bytes.split_inclusive(|&byte| byte == 0) {
                out.extend_from_slice(part);
                if part.ends_with(&[0]) {
                    out.push(255);
                }
            }
            // It is below every escaped zero, so a prefix sorts first and never runs into the next value.
            out.extend([0, 0]);
        }
        Cell::Double(number) => push_float(out, *number),
        Cell::Time(value) => push_time(out, value),
    }
}

fn push_time(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Date(year, month, day, hour, minute, second, micros) => {
            out.push(4);
            out.extend(year.to_be_bytes());
            out.extend([*month, *day, *hour, *minute, *second]);
            out.extend(micros.to_be_bytes());
        }
        Value::Time(negative, days, hour, minute, second, micros) => {
            out.extend([5, u8::from(!negative)]);
            out.extend(days.to_be_bytes());
            out.extend([*hour, *minute, *second]);
            out.extend(micros.to_be_bytes());
        }
        _ => {}
    }
}

fn push_number(out: &mut Vec<u8>, number: i128) {
    out.push(1);
    out.extend((number.cast_unsigned() ^ (1 << 127)).to_be_bytes());
}

fn push_float(out: &mut Vec<u8>, number: f64) {
    // -0.0 and 0.0 are one key to MySQL.
    let bits = (if number == 0.0 { 0.0 } else { number }).to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    out.push(3);
    out.extend(ordered.to_be_bytes());
}

/// The first bytes as a number that sorts as they do: for most keys it decides the order.
pub(in crate::warehouse) fn first_bytes(key: &[u8]) -> u128 {
    let mut first = [0; 16];
    let length = key.len().min(16);
    first[..length].copy_from_slice(&key[..length]);
    u128::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_sort_as_their_values(
            a in (any::<i64>(), proptest::collection::vec(0u8..3, 0..5), any::<i32>()),
            b in (any::<i64>(), proptest::collection::vec(0u8..3, 0..5), any::<i32>()),
        ) {
            let key = |(n, bytes, m): &(i64, Vec<u8>, i32)| {
                sort_key(&[Value::Int(*n), Value::Bytes(bytes.clone()), Value::Double(f64::from(*m))])
            };
            prop_assert_eq!(key(&a).cmp(&key(&b)), a.cmp(&b));
        }
    }
}
