//! KAFKA and bytes: the whole value is one column, without a name.

use super::text::{push_bytes, push_double, push_integer, push_text};
use super::{Reason, utf8};
use crate::config::{DeclaredType, ValueFormat, ValueSchema};

/// The name of the column where none is configured.
pub(super) const NAME: &str = "VALUE";

/// Name and type of the column of such values, which are of one of these formats.
pub(super) fn column(values: &ValueSchema) -> (&str, DeclaredType) {
    let configured = values.columns.first();
    let kind = match values.format {
        ValueFormat::Bytes => DeclaredType::Bytes,
        _ => configured.map_or(DeclaredType::Varchar, |column| column.kind),
    };
    (configured.map_or(NAME, |column| &column.name), kind)
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
pub(super) fn write_object(bytes: &[u8], values: &ValueSchema, out: &mut String) -> Result<(), Reason> {
    let (name, kind) = column(values);
    out.push('{');
    push_text(out, name);
    out.push(':');
    match kind {
        DeclaredType::Int => push_integer(out, i32::from_be_bytes(fixed(bytes, "INT")?)),
        DeclaredType::Bigint => push_integer(out, i64::from_be_bytes(fixed(bytes, "BIGINT")?)),
        DeclaredType::Double => push_double(out, f64::from_be_bytes(fixed(bytes, "DOUBLE")?)),
        DeclaredType::Bytes => push_bytes(out, bytes),
        _ => push_text(out, utf8(bytes)?),
    }
    out.push('}');
    Ok(())
}

fn fixed<const N: usize>(bytes: &[u8], kind: &str) -> Result<[u8; N], Reason> {
    bytes
        .try_into()
        .map_err(|_| format!("{kind} has {N} bytes, not {}", bytes.len()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DeclaredColumn;

    fn object(bytes: &[u8], kind: DeclaredType) -> Result<String, String> {
        let values = ValueSchema {
            format: ValueFormat::Kafka,
            columns: vec![DeclaredColumn {
                name: "A".to_owned(),
                kind,
            }],
            ..ValueSchema::default()
        };
        let mut out = String::new();
        write_object(bytes, &values, &mut out).map_err(|reason| reason.to_string())?;
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
        let column_of = |format| {
            let values = ValueSchema {
                format,
                ..ValueSchema::default()
            };
            let (name, kind) = column(&values);
            (name.to_owned(), kind)
        };
        assert_eq!(column_of(ValueFormat::Kafka).0, "VALUE");
        assert_eq!(column_of(ValueFormat::Bytes).1, DeclaredType::Bytes);
    }
}
