//! KAFKA and bytes: the whole value is one column, without a name.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::Reason;
use crate::config::{DeclaredColumn, DeclaredType, ValueFormat};

/// The name of the column where none is configured.
const NAME: &str = "VALUE";

/// The column of a value of one of these formats.
pub(super) fn column(format: ValueFormat, columns: &[DeclaredColumn]) -> DeclaredColumn {
    let kind = match format {
        ValueFormat::Bytes => DeclaredType::Bytes,
        _ => columns
            .first()
            .map_or(DeclaredType::Varchar, |column| column.kind),
    };
    let name = columns.first().map_or(NAME, |column| &column.name);
    DeclaredColumn {
        name: name.to_owned(),
        kind,
    }
}

/// An object of one field, whose value is JSON already.
pub(super) fn object(name: &str, value: &str) -> String {
    let mut object = "{".to_owned();
    push_text(&mut object, name);
    object.push(':');
    object.push_str(value);
    object.push('}');
    object
}

/// Appends the value as an object of the one column.
///
/// # Errors
/// The bytes are not one value of the column's type.
pub(super) fn write_object(bytes: &[u8], column: &DeclaredColumn, out: &mut String) -> Result<(), Reason> {
    out.push('{');
    push_text(out, &column.name);
    out.push(':');
    match column.kind {
        DeclaredType::Int => push(out, i32::from_be_bytes(fixed(bytes, "INT")?)),
        DeclaredType::Bigint => push(out, i64::from_be_bytes(fixed(bytes, "BIGINT")?)),
        DeclaredType::Double => push_double(out, f64::from_be_bytes(fixed(bytes, "DOUBLE")?)),
        DeclaredType::Bytes => push_text(out, &BASE64.encode(bytes)),
        _ => {
            let text =
                std::str::from_utf8(bytes).map_err(|e| Reason::at_byte("not UTF-8", e.valid_up_to()))?;
            push_text(out, text);
        }
    }
    out.push('}');
    Ok(())
}

fn fixed<const N: usize>(bytes: &[u8], kind: &str) -> Result<[u8; N], Reason> {
    bytes
        .try_into()
        .map_err(|_| format!("{kind} has {N} bytes, not {}", bytes.len()).into())
}

/// Appends a number; writing to memory does not fail.
fn push(out: &mut String, number: impl std::fmt::Display) {
    use std::fmt::Write;
    let _ = write!(out, "{number}");
}

/// Appends the shortest text that gives the number back; what JSON has no number for is text.
fn push_double(out: &mut String, number: f64) {
    if number.is_finite() {
        out.push_str(&serde_json::Value::from(number).to_string());
    } else {
        let name = if number.is_nan() { "NaN" } else { "Infinity" };
        let sign = if number == f64::NEG_INFINITY { "-" } else { "" };
        push_text(out, &format!("{sign}{name}"));
    }
}

/// Appends text as a JSON string.
pub(super) fn push_text(out: &mut String, text: &str) {
    let plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if text.bytes().all(plain) {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(bytes: &[u8], kind: DeclaredType) -> Result<String, String> {
        let column = DeclaredColumn {
            name: "A".to_owned(),
            kind,
        };
        let mut out = String::new();
        write_object(bytes, &column, &mut out).map_err(|reason| reason.to_string())?;
        Ok(out)
    }

    #[test]
    fn a_value_is_one_column() {
        use DeclaredType::{Bigint, Bytes, Double, Int, Varchar};
        for (bytes, kind, shown) in [
            (&b"a\"b"[..], Varchar, "\"a\\\"b\""),
            (b"", Varchar, "\"\""),
            (&(-2i32).to_be_bytes(), Int, "-2"),
            (&i64::MAX.to_be_bytes(), Bigint, "9223372036854775807"),
            (&0.1f64.to_be_bytes(), Double, "0.1"),
            (&f64::NAN.to_be_bytes(), Double, "\"NaN\""),
            (&f64::NEG_INFINITY.to_be_bytes(), Double, "\"-Infinity\""),
            (b"\xff\x00", Bytes, "\"/wA=\""),
        ] {
            assert_eq!(object(bytes, kind), Ok(format!("{{\"A\":{shown}}}")));
        }
        assert_eq!(object(b"123", Int).unwrap_err(), "INT has 4 bytes, not 3");
        assert_eq!(object(b"1234", Double).unwrap_err(), "DOUBLE has 8 bytes, not 4");
        assert_eq!(object(b"a\xff", Varchar).unwrap_err(), "not UTF-8 at byte 1");
    }

    #[test]
    fn the_column_has_a_name() {
        assert_eq!(column(ValueFormat::Kafka, &[]).name, "VALUE");
        assert_eq!(column(ValueFormat::Bytes, &[]).kind, DeclaredType::Bytes);
    }
}
