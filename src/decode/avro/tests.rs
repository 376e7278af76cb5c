use super::*;
use crate::decode::schema::{SchemaColumn, SchemaType};

mod hostile;
mod python;
mod random;
mod schemas;
mod values;

/// A value as JSON text, or why not.
fn json(schema: &str, payload: &[u8]) -> Result<String, String> {
    let schema = AvroSchema::parse(schema, &[]).unwrap();
    let mut out = String::new();
    let readable = schema
        .write(payload, &mut out)
        .map_err(|reason| reason.to_string())?;
    // Nobody checks it again, so it must be true.
    if readable {
        let checked = crate::json::check(out.as_bytes()).map_err(|reason| reason.to_string());
        let same_names = |reason: &String| reason.contains("occurs twice, case ignored");
        assert!(out.starts_with('{') && !out.contains(['\n', '\r']), "{out}");
        match &checked {
            Ok(text) => assert_eq!(*text, out),
            Err(reason) => assert!(same_names(reason), "{reason}: {out}"),
        }
    }
    Ok(out)
}

fn column(name: &str, kind: SchemaType, nullable: bool) -> SchemaColumn {
    SchemaColumn {
        name: name.to_owned(),
        kind,
        nullable,
    }
}
