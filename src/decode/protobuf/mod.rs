//! Protobuf's messages as JSON text, by the .proto that the registry holds.

mod columns;
mod compile;
mod known;
mod shape;
#[cfg(test)]
mod tests;
mod text;
mod times;
mod well_known;
mod wire;
mod write;

use prost_reflect::MessageDescriptor;

use super::registered::PayloadReader;
use super::schema::Reference;
use super::{Formatted, SchemaShape};
use crate::json::Reason;
use shape::{MessageShapes, NestedShapes};
use wire::{WireFault, WireReader, zigzag};
use write::MessageWriter;

/// A compiled .proto file with all that it imports.
#[derive(Debug)]
pub(super) struct ProtobufSchema {
    shapes: MessageShapes,
    top: NestedShapes,
    /// The place of the first message.
    first: usize,
    first_message: MessageDescriptor,
}

/// Indexes of messages within messages; protoc's own limit is lower.
const INDEXES_MAX: i64 = 127;

impl ProtobufSchema {
    /// Compiles a schema, which is .proto source or the base64 of a FileDescriptorProto, with the files that it refers to.
    /// Those that clients bring along need not be there.
    ///
    /// # Errors
    /// It can't be compiled, or has no message: what is wrong and where.
    pub fn parse(text: &str, references: &[Reference]) -> Result<ProtobufSchema, Reason> {
        let (pool, file) = compile::compile(text, references)?;
        let shapes = MessageShapes::of(&pool);
        let top = shapes.side_by_side(file.messages(), &[]);
        let first = file.messages().next().ok_or("the .proto has no message")?;
        Ok(ProtobufSchema {
            top,
            first: shapes
                .place(first.full_name())
                .ok_or("the .proto has no message")?,
            first_message: first,
            shapes,
        })
    }

    /// Appends a message as JSON. `indexes` say which message it is: Some if they came in a record's header, None if they begin
    /// the payload.
    ///
    /// # Errors
    /// The bytes are no such message: what is wrong, and in which field. `out` is as before.
    pub fn write(&self, indexes: Option<&[u8]>, payload: &[u8], out: &mut String) -> Result<(), Reason> {
        let (place, message) = self.message(indexes, payload)?;
        let before = out.len();
        let written = MessageWriter::new(&self.shapes, out, message.len()).message(place, message);
        if written.is_err() {
            out.truncate(before);
        }
        written
    }

    /// The place of the message that the indexes lead to, and its bytes.
    fn message<'a>(&self, indexes: Option<&'a [u8]>, payload: &'a [u8]) -> Result<(usize, &'a [u8]), Reason> {
        if indexes.is_some_and(<[u8]>::is_empty) {
            return Ok((self.first, payload));
        }
        let mut reader = WireReader::new(indexes.unwrap_or(payload));
        let damaged = |fault: WireFault| Reason::from(format!("message indexes: {fault}"));
        let place = self.place(&mut reader).map_err(damaged)?;
        match indexes {
            None => Ok((place, reader.rest())),
            Some(_) if reader.rest().is_empty() => Ok((place, payload)),
            Some(_) => Err(damaged("there are bytes behind them")),
        }
    }

    fn place(&self, reader: &mut WireReader<'_>) -> Result<usize, WireFault> {
        let mut nested = &self.top;
        match zigzag(reader.varint()?) {
            0 => Ok(self.first),
            count @ 1..=INDEXES_MAX => {
                let mut place = self.first;
                for _ in 0..count {
                    let index = usize::try_from(zigzag(reader.varint()?)).map_err(|_| NO_MESSAGE)?;
                    place = nested.get(index).ok_or(NO_MESSAGE)?;
                    nested = &self.shapes.messages[place].nested;
                }
                Ok(place)
            }
            _ => Err("there is no such number of them"),
        }
    }
}

impl PayloadReader for ProtobufSchema {
    fn read<'a>(
        &self,
        indexes: Option<&[u8]>,
        payload: &'a [u8],
        mut memory: String,
    ) -> Result<Formatted<'a>, Reason> {
        self.write(indexes, payload, &mut memory)
            .map(|()| Formatted::Made(memory))
    }

    /// That of the first message.
    fn shape(&self) -> Result<SchemaShape, Reason> {
        Ok(SchemaShape {
            columns: columns::columns(&self.first_message),
            top: columns::message_type(&self.first_message),
        })
    }
}

const NO_MESSAGE: WireFault = "the schema has no such message";
