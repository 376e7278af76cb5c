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
    schema
        .write(payload, &mut out)
        .map(|()| out)
        .map_err(|reason| reason.to_string())
}

fn column(name: &str, kind: SchemaType, nullable: bool) -> SchemaColumn {
    SchemaColumn {
        name: name.to_owned(),
        kind,
        nullable,
    }
}
