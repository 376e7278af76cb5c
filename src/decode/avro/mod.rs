//! Avro's binary encoding as JSON text: <https://avro.apache.org/docs/1.12.0/specification/>.
//!
//! A schema is compiled once, into a table of types; a value is then walked straight into text, without values in between.
//! The schema is read by our own parser: a registry holds what no strict parser takes, such as Debezium's names.

mod calendar;
mod columns;
mod datum;
mod logical;
mod parse;
mod types;
mod write;

#[cfg(test)]
mod tests;

use super::registered::PayloadReader;
use super::schema::Reference;
use super::{Formatted, Reason, SchemaShape};
use parse::AvroParser;
use types::{AvroType, TypeId};
use write::DatumWriter;

/// A compiled writer's schema.
#[derive(Debug)]
pub(super) struct AvroSchema {
    types: Vec<AvroType>,
    top: TypeId,
}

impl AvroSchema {
    /// Compiles a schema. `references` are the schemas that it refers to.
    ///
    /// # Errors
    /// The text is not an Avro schema: what is wrong, and in which field.
    pub fn parse(text: &str, references: &[Reference]) -> Result<AvroSchema, Reason> {
        let (types, top) =
            AvroParser::parse(text, references).map_err(|reason| reason.of_the("Avro schema"))?;
        Ok(AvroSchema { types, top })
    }

    /// Appends the value as JSON text. After an error `out` may hold a part of it. True: like all of its schema it is an
    /// object with these names at the top level, and only its names could make it unreadable.
    ///
    /// # Errors
    /// The payload is not one value of this schema: what is wrong, at which byte and in which field.
    pub fn write(&self, payload: &[u8], out: &mut String) -> Result<bool, Reason> {
        // A guess: most text is a bit more than twice as long as its binary form.
        out.reserve(payload.len().saturating_mul(3));
        let readable = DatumWriter::new(&self.types, payload, out)
            .write_whole(self.top)
            .map_err(|damage| damage.reason())?;
        Ok(readable && matches!(self.types[self.top], AvroType::Record { .. }))
    }
}

impl PayloadReader for AvroSchema {
    fn read<'a>(
        &self,
        _: Option<&[u8]>,
        payload: &'a [u8],
        mut memory: String,
    ) -> Result<Formatted<'a>, Reason> {
        Ok(match self.write(payload, &mut memory)? {
            true => Formatted::MadeAlike(memory),
            false => Formatted::Made(memory),
        })
    }

    fn shape(&self) -> Result<SchemaShape, Reason> {
        Ok(SchemaShape {
            columns: columns::of_record(&self.types, self.top),
            top: columns::column_type(&self.types, self.top).0,
        })
    }
}
