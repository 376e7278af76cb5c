//! Pieces of the JSON text that formats make.

pub(super) mod decimal;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::json::is_plain;

/// Text in quotes, with JSON's escapes.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_text(&mut out, text);
    out
}

/// Appends text in quotes, with JSON's escapes.
#[inline]
pub(super) fn push_text(out: &mut String, text: &str) {
    out.push('"');
    if is_plain(text) {
        out.push_str(text);
    } else {
        push_escaped(out, text);
    }
    out.push('"');
}

fn needs_escape(byte: u8) -> bool {
    (byte < 0x20) | (byte == b'"') | (byte == b'\\')
}

#[cold]
fn push_escaped(out: &mut String, text: &str) {
    const HEX: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        if !needs_escape(byte) {
            continue;
        }
        out.push_str(&text[written..at]);
        written = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            _ => {
                out.push_str("\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.push_str(&text[written..]);
}

/// Appends bytes as base64, in quotes.
pub(super) fn push_bytes(out: &mut String, bytes: &[u8]) {
    out.push('"');
    STANDARD.encode_string(bytes, out);
    out.push('"');
}

/// Appends an integer.
#[inline]
pub(super) fn push_integer(out: &mut String, number: impl itoa::Integer) {
    out.push_str(itoa::Buffer::new().format(number));
}

/// Appends the shortest text that gives the number back.
pub(super) fn push_double(out: &mut String, number: f64) {
    match unusual(number) {
        Some(text) => out.push_str(text),
        None => out.push_str(zmij::Buffer::new().format_finite(number)),
    }
}

/// The same with 32 bits: 0.1 is `0.1`, as a double it would have 16 digits.
pub(super) fn push_float(out: &mut String, number: f32) {
    match unusual(number.into()) {
        Some(text) => out.push_str(text),
        None => out.push_str(zmij::Buffer::new().format_finite(number)),
    }
}

/// JSON has no such numbers; Java and Protobuf write them as this text.
pub(super) fn unusual(number: f64) -> Option<&'static str> {
    if number.is_nan() {
        return Some("\"NaN\"");
    }
    match number {
        f64::INFINITY => Some("\"Infinity\""),
        f64::NEG_INFINITY => Some("\"-Infinity\""),
        _ => None,
    }
}

/// Appends bytes that are known to be ASCII.
#[inline]
pub(super) fn push_ascii(out: &mut String, ascii: &[u8]) {
    out.push_str(std::str::from_utf8(ascii).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_is_read_back(text in "([\\x00-\\x20\"\\\\]{0,3}.{0,5}){0,9}") {
            prop_assert_eq!(serde_json::from_str::<String>(&quoted(&text)).unwrap(), text);
        }

        #[test]
        fn floats_are_read_back(bits: u64) {
            let (mut double, mut float) = (String::new(), String::new());
            let number = f64::from_bits(bits);
            let short = f32::from_bits(bits as u32);
            push_double(&mut double, number);
            push_float(&mut float, short);
            if number.is_finite() {
                prop_assert_eq!(double.parse::<f64>().unwrap().to_bits(), bits);
            }
            if short.is_finite() {
                prop_assert_eq!(float.parse::<f32>().unwrap().to_bits(), short.to_bits());
            }
        }
    }

    #[test]
    fn numbers_fit() {
        for (number, text) in [
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
            (-1.7976931348623157e308, "-1.7976931348623157e+308"),
            (-0.0, "-0.0"),
            (3.0, "3.0"),
            (f64::NAN, "\"NaN\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
        ] {
            let mut out = String::new();
            push_double(&mut out, number);
            assert_eq!(out, text);
        }
        let mut out = String::new();
        push_integer(&mut out, i64::MIN);
        out.push(' ');
        push_integer(&mut out, u128::MAX);
        assert_eq!(
            out,
            "-9223372036854775808 340282366920938463463374607431768211455"
        );
    }
}
