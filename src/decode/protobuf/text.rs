//! Numbers as JSON, by the standard library's own formats.

use std::fmt::{Debug, Display, Write};

use crate::decode::text::unusual;

/// The shortest number that gives the float back. What is no number is a text.
pub(super) fn push_float<F: Debug + Copy + Into<f64>>(out: &mut String, float: F) {
    match unusual(float.into()) {
        Some(text) => out.push_str(text),
        // Rust's Debug is valid JSON: `1.0`, `1e300`.
        None => push(out, format_args!("{float:?}")),
    }
}

pub(super) fn push(out: &mut String, value: impl Display) {
    // Writing to a String does not fail.
    let _ = write!(out, "{value}");
}
