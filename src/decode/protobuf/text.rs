//! Texts and numbers as JSON.

use std::fmt::{Debug, Display, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub(super) fn push_text(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.push_str(&text[from..at]);
        from = at + 1;
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            _ => push(out, format_args!("\\u{byte:04x}")),
        }
    }
    out.push_str(&text[from..]);
    out.push('"');
}

pub(super) fn push_base64(out: &mut String, bytes: &[u8]) {
    out.push('"');
    STANDARD.encode_string(bytes, out);
    out.push('"');
}

/// The shortest number that gives the float back. What is no number is a text.
pub(super) fn push_float<F: Debug + Copy + Into<f64>>(out: &mut String, float: F) {
    let wide: f64 = float.into();
    if wide.is_nan() {
        out.push_str("\"NaN\"");
    } else if wide.is_infinite() {
        out.push_str(if wide > 0.0 {
            "\"Infinity\""
        } else {
            "\"-Infinity\""
        });
    } else {
        // Rust's Debug is valid JSON: `1.0`, `1e300`.
        push(out, format_args!("{float:?}"));
    }
}

pub(super) fn push(out: &mut String, value: impl Display) {
    // Writing to a String does not fail.
    let _ = write!(out, "{value}");
}
