//! Whether a column gives a number back with the value that the record has, or rounds it.

use super::convert::Input;
use crate::types::decimal::Decimal;
use crate::warehouse::table::column::{Column, ColumnType};

/// Any number of so many digits survives a DOUBLE, and a FLOAT.
const DOUBLE_DIGITS: usize = 15;
const FLOAT_DIGITS: usize = 6;

/// Whether the column rounds the number, or one of the numbers in the JSON.
pub(in crate::warehouse) fn rounds(column: &Column, input: &Input<'_>) -> bool {
    match (&column.kind, input) {
        (ColumnType::Decimal { scale, .. }, Input::Number(text) | Input::Text(text)) => {
            needs_more_places(text, *scale)
        }
        (ColumnType::Float { single, places }, Input::Number(text) | Input::Text(text)) => {
            places.is_some_and(|places| needs_more_places(text, places)) || !float_keeps(text, *single)
        }
        // MariaDB's JSON is text, and keeps every digit.
        (ColumnType::Json, Input::Number(json)) if column.is_binary_json() => !json_keeps(json),
        (ColumnType::Json, Input::Nested(json)) if column.is_binary_json() => {
            numbers(json).any(|number| !json_keeps(number))
        }
        _ => false,
    }
}

fn needs_more_places(text: &str, scale: u32) -> bool {
    !has_few_places(text, scale)
        && Decimal::parse(text).is_some_and(|number| number.places() > i64::from(scale))
}

fn has_few_places(text: &str, scale: u32) -> bool {
    let places = text.bytes().rev().take_while(u8::is_ascii_digit).count();
    let has_point = text.len() > places && text.as_bytes()[text.len() - places - 1] == b'.';
    has_point && places <= scale as usize || text.len() == places
}

fn float_keeps(text: &str, single: bool) -> bool {
    let digits = if single { FLOAT_DIGITS } else { DOUBLE_DIGITS };
    if is_short(text, digits) {
        return true;
    }
    let (Some(number), Ok(double)) = (Decimal::parse(text), text.parse::<f64>()) else {
        return true;
    };
    // Rust writes the shortest number that is read as the same one, and so does MySQL.
    let kept = if single {
        format!("{:e}", double as f32)
    } else {
        format!("{double:e}")
    };
    Decimal::parse(&kept).is_some_and(|kept| kept.is_equal(&number))
}

/// MySQL's JSON has integers of 64 bits and doubles.
fn json_keeps(number: &str) -> bool {
    is_short(number, DOUBLE_DIGITS)
        || number.parse::<i64>().is_ok()
        || number.parse::<u64>().is_ok()
        || float_keeps(number, false)
}

/// Whether it has no exponent and at most so many digits.
fn is_short(text: &str, digits: usize) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    // A sign and a point may come on top.
    text.len() <= digits && text.bytes().all(is_plain)
}

/// The numbers of a valid JSON text.
fn numbers(json: &str) -> impl Iterator<Item = &str> {
    let bytes = json.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'"' => at = end_of_string(bytes, at + 1),
                b'-' | b'0'..=b'9' => {
                    let start = at;
                    let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E');
                    at += bytes[at..].iter().take_while(is_part).count();
                    return Some(&json[start..at]);
                }
                _ => at += 1,
            }
        }
        None
    })
}

/// The place after the string's closing quote, if `at` is inside of it.
fn end_of_string(bytes: &[u8], mut at: usize) -> usize {
    while let Some(found) = memchr::memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn column(kind: ColumnType) -> Column {
        Column::named("c", kind)
    }

    fn rounded(column: &Column, raw: &str) -> bool {
        rounds(column, &Input::from_json(raw).unwrap())
    }

    #[test]
    fn what_a_column_gives_back_as_it_was_is_not_rounded() {
        let float = |single| column(ColumnType::Float { single, places: None });
        let scaled = column(ColumnType::Float {
            single: false,
            places: Some(1),
        });
        let money = column(ColumnType::Decimal {
            precision: 15,
            scale: 2,
            unsigned: false,
        });
        let json = column(ColumnType::Json);
        for (column, kept, lost) in [
            (
                &float(false),
                &[
                    "0.1",
                    "9007199254740992",
                    "1e300",
                    "-0",
                    "1.50000000000000000000",
                    "\"12.5\"",
                    "0.30000000000000004",
                    "true",
                ][..],
                &[
                    "9007199254740993",
                    "0.12345678901234567",
                    "1e-400",
                    "\"9007199254740993\"",
                ][..],
            ),
            (
                &float(true),
                &["0.1", "16777216", "123456", "1e10"],
                &["16777217", "0.123456789", "1e-50"],
            ),
            (&scaled, &["1.5", "1.50", "7"], &["1.25", "9007199254740993"]),
            (
                &money,
                &[
                    "1", "1.5", "1.50", "1.500", "1e3", "15e-1", "-12.34", "\"1.25\"", "0E-19", "true",
                ],
                &["1.005", "1e-3", "-0.001", "\"1.255\""],
            ),
            (
                &json,
                &[
                    r#"{"a":18446744073709551615,"b":[-9223372036854775808,1.5e10],"c":"12345678901234567.89"}"#,
                    r#"{"\"18446744073709551616":"\\","x":1}"#,
                    "9007199254740993",
                    "\"12345678901234567.89\"",
                    "[]",
                ],
                &[
                    "18446744073709551616",
                    r#"{"a":{"b":[1,12345678901234567.89]}}"#,
                    r#"[9088544342.689998]"#,
                    r#"["\\",-9223372036854775809]"#,
                ],
            ),
        ] {
            for raw in kept {
                assert!(!rounded(column, raw), "{:?} {raw}", column.kind);
            }
            for raw in lost {
                assert!(rounded(column, raw), "{:?} {raw}", column.kind);
            }
        }
        let text = Column {
            collation: Some("utf8mb4_bin".to_owned()),
            ..column(ColumnType::Json)
        };
        assert!(!rounded(&text, "18446744073709551616"));
    }

    proptest! {
        /// The shortest text of any double is kept, and a digit more is not.
        #[test]
        fn a_double_keeps_doubles(bits in any::<u64>(), digit in 1u8..10) {
            let double = f64::from_bits(bits);
            prop_assume!(double.is_finite() && double != 0.0);
            let text = format!("{double:e}");
            prop_assert!(float_keeps(&text, false) && json_keeps(&text));
            let (digits, exponent) = text.split_once('e').unwrap();
            prop_assume!(digits.len() >= 18);
            let longer = format!("{digits}000{digit}e{exponent}");
            prop_assert!(!float_keeps(&longer, false) && !json_keeps(&longer));
        }

        #[test]
        fn any_text_is_searched_without_panic(text in "[-+0-9.eE\"\\\\\\[\\]{},:é]{0,30}") {
            numbers(&text).for_each(|number| { json_keeps(number); });
        }
    }
}
