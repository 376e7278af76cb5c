//! Writes a message as JSON, straight from its bytes.
//!
//! The values of a message are found first, for they may come in any order, more than once, and in parts; then they are
//! written in the order of the fields. What is found holds slices of the bytes, so that nothing is copied but messages in parts.

use std::collections::HashMap;
use std::ops::Range;

use super::shape::{Absent, FieldShape, MessageShape, MessageShapes, Repetition, ValueKind};
use super::text::{push, push_float};
use super::wire::{WireFault, WireForm, WireReader, WireValue, zigzag};
use crate::decode::text::{push_bytes, push_text};
use crate::json::Reason;

/// Messages within messages.
const LEVELS_MAX: usize = 127;
/// A message of a few bytes has all its defaults written, so that damaged bytes could become a text without bounds.
const TEXT_MAX: usize = 64 << 20;
const TEXT_PER_BYTE_MAX: usize = 6;

#[derive(Debug)]
pub(super) struct MessageWriter<'s, 'a, 'o> {
    pub shapes: &'s MessageShapes,
    pub out: &'o mut String,
    /// Of all messages that are being written, the innermost one's last.
    found: Vec<FoundValue<'a>>,
    level: usize,
    /// The length at which `out` is too long.
    end: usize,
}

/// A value of a message.
#[derive(Debug, Clone, Copy)]
struct FoundValue<'a> {
    /// The place of its field.
    field: usize,
    /// Its position among the values of the message.
    order: usize,
    value: WireValue<'a>,
}

/// The member of a oneof that counts, and from which value on: those before another member's are gone.
#[derive(Debug, Clone, Copy)]
struct ChosenMember {
    field: usize,
    since: usize,
}

impl<'s, 'a, 'o> MessageWriter<'s, 'a, 'o> {
    pub fn new(shapes: &'s MessageShapes, out: &'o mut String, bytes: usize) -> MessageWriter<'s, 'a, 'o> {
        let end = out.len() + TEXT_MAX + TEXT_PER_BYTE_MAX * bytes;
        MessageWriter {
            shapes,
            out,
            found: Vec::with_capacity(16),
            level: 0,
            end,
        }
    }

    /// Writes a message of the type at `place`.
    pub fn message(&mut self, place: usize, bytes: &'a [u8]) -> Result<(), Reason> {
        let shape = &self.shapes.messages[place];
        self.go_in(shape)?;
        let done = match shape.known {
            Some(known) => self.well_known(known, shape, bytes)?,
            None => false,
        };
        if !done {
            self.out.push('{');
            self.fields(shape, bytes, false)?;
            self.out.push('}');
        }
        self.level -= 1;
        Ok(())
    }

    /// Writes the fields of a message; `more`: others are before them.
    pub fn fields(&mut self, shape: &'s MessageShape, bytes: &'a [u8], more: bool) -> Result<(), Reason> {
        let found = self.find(shape, bytes)?;
        let mut more = more;
        let mut next = found.start;
        for (place, field) in shape.fields.iter().enumerate() {
            let first = next;
            while next < found.end && self.found[next].field == place {
                next += 1;
            }
            let absent = match &field.absent {
                _ if first < next => None,
                Absent::Json(json) => Some(json),
                Absent::Nothing => continue,
                Absent::Fault => return Err(format!("{}: required, and not there", field.name).into()),
            };
            if more {
                self.out.push(',');
            }
            more = true;
            self.out.push_str(&field.key);
            match absent {
                Some(json) => self.out.push_str(json),
                None => self.value(field, first..next)?,
            }
        }
        self.found.truncate(found.start);
        Ok(())
    }

    /// Writes a message that stands for the value of its only field, or of the one that is there.
    pub fn only_value(&mut self, shape: &'s MessageShape, bytes: &'a [u8]) -> Result<(), Reason> {
        let found = self.find(shape, bytes)?;
        match (self.found[found.clone()].last(), shape.fields.first()) {
            (Some(last), _) => {
                let field = last.field;
                let others = self.found[found.clone()].partition_point(|each| each.field < field);
                self.value(&shape.fields[field], found.start + others..found.end)?;
            }
            (
                None,
                Some(FieldShape {
                    absent: Absent::Json(json),
                    ..
                }),
            ) => self.out.push_str(json),
            (None, _) => self.out.push_str("null"),
        }
        self.found.truncate(found.start);
        Ok(())
    }

    /// Finds the values of a message that count, in the order of their fields.
    fn find(&mut self, shape: &'s MessageShape, bytes: &'a [u8]) -> Result<Range<usize>, Reason> {
        let start = self.found.len();
        let mut chosen: Vec<Option<ChosenMember>> = vec![None; shape.oneofs];
        let mut in_order = true;
        let mut reader = WireReader::new(bytes);
        let damaged = |fault: WireFault| Reason::from(format!("{}: {fault}", shape.name));
        while let Some((number, value)) = reader.field().map_err(damaged)? {
            let Some(place) = shape.place_of(number, value.form())? else {
                continue;
            };
            let field = &shape.fields[place];
            let order = self.found.len() - start;
            if let Some(oneof) = field.oneof
                && chosen[oneof].is_none_or(|member| member.field != place)
            {
                chosen[oneof] = Some(ChosenMember {
                    field: place,
                    since: order,
                });
            }
            in_order &= self.found[start..].last().is_none_or(|last| last.field <= place);
            self.found.push(FoundValue {
                field: place,
                order,
                value,
            });
        }
        if shape.oneofs > 0 {
            self.drop_unchosen(shape, start, &chosen);
        }
        if !in_order {
            self.found[start..].sort_unstable_by_key(|found| (found.field, found.order));
        }
        Ok(start..self.found.len())
    }

    fn drop_unchosen(&mut self, shape: &MessageShape, start: usize, chosen: &[Option<ChosenMember>]) {
        let mut kept = start;
        for at in start..self.found.len() {
            let found = self.found[at];
            let chosen = shape.fields[found.field].oneof.and_then(|oneof| chosen[oneof]);
            if chosen.is_none_or(|member| member.field == found.field && member.since <= found.order) {
                self.found[kept] = found;
                kept += 1;
            }
        }
        self.found.truncate(kept);
    }

    /// Writes a field whose values are there.
    fn value(&mut self, field: &'s FieldShape, found: Range<usize>) -> Result<(), Reason> {
        match field.repetition {
            Repetition::Single => self.single(field, found),
            Repetition::List => self.list(field, found),
            Repetition::Map { key, value } => self.map(field, found, key, value),
            Repetition::MapLike { key, value } => self.map_like(field, found, key, value),
        }
    }

    /// The last value counts; a message's parts are one message.
    fn single(&mut self, field: &'s FieldShape, found: Range<usize>) -> Result<(), Reason> {
        let values = &self.found[found];
        match (field.kind, values) {
            (ValueKind::Message(place), [_, _, ..]) => {
                let parts: Vec<&[u8]> = values.iter().filter_map(|found| found.value.bytes()).collect();
                let whole = parts.concat();
                let mut writer = MessageWriter {
                    shapes: self.shapes,
                    out: &mut *self.out,
                    found: Vec::new(),
                    level: self.level,
                    end: self.end,
                };
                writer.message(place, &whole)
            }
            (_, [.., last]) => {
                let value = last.value;
                self.element(field, value)
            }
            (_, []) => Ok(()),
        }
    }

    fn list(&mut self, field: &'s FieldShape, found: Range<usize>) -> Result<(), Reason> {
        self.out.push('[');
        let mut more = false;
        for at in found {
            match self.found[at].value {
                WireValue::Bytes(packed) if field.form != WireForm::Bytes => {
                    let mut reader = WireReader::new(packed);
                    let damaged = |fault: WireFault| Reason::from(format!("{}: {fault}", field.name));
                    while let Some(value) = reader.packed(field.form).map_err(damaged)? {
                        self.next_element(field, value, more)?;
                        more = true;
                    }
                }
                value => {
                    self.next_element(field, value, more)?;
                    more = true;
                }
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn next_element(
        &mut self,
        field: &'s FieldShape,
        value: WireValue<'a>,
        more: bool,
    ) -> Result<(), Reason> {
        if more {
            self.out.push(',');
        }
        self.check_length(&field.name)?;
        self.element(field, value)
    }

    /// Of entries with the same key the last one counts.
    fn map(
        &mut self,
        field: &'s FieldShape,
        found: Range<usize>,
        key: usize,
        value: usize,
    ) -> Result<(), Reason> {
        let entries = self.entries(field, found.clone(), key)?;
        let mut last = HashMap::new();
        for (at, key) in found.clone().zip(&entries) {
            last.insert(key.as_deref(), at);
        }
        let is_last = |at: usize, key: &Option<String>| last.get(&key.as_deref()) == Some(&at);
        let counting: Vec<_> = found
            .zip(&entries)
            .filter(|(at, key)| is_last(*at, key))
            .map(|(at, key)| (at, key.as_deref()))
            .collect();
        self.object(field, &counting, value, true)
    }

    /// An object if each key is there, and none twice. Else a list of the entries.
    fn map_like(
        &mut self,
        field: &'s FieldShape,
        found: Range<usize>,
        key: usize,
        value: usize,
    ) -> Result<(), Reason> {
        let keys = self.entries(field, found.clone(), key)?;
        let mut sorted: Vec<_> = keys.iter().collect();
        sorted.sort_unstable();
        if sorted.iter().any(|key| key.is_none()) || sorted.windows(2).any(|pair| pair[0] == pair[1]) {
            return self.list(field, found);
        }
        let entries: Vec<_> = found.zip(&keys).map(|(at, key)| (at, key.as_deref())).collect();
        self.object(field, &entries, value, false)
    }

    /// The keys of a map's entries, as JSON. None: an entry has no key.
    fn entries(
        &mut self,
        field: &'s FieldShape,
        found: Range<usize>,
        key: usize,
    ) -> Result<Vec<Option<String>>, Reason> {
        let shape = self.entry_shape(field)?;
        let before = self.out.len();
        let mut keys = Vec::with_capacity(found.len());
        for at in found {
            let inner = self.find(shape, self.found[at].value.bytes().unwrap_or_default())?;
            let values = &self.found[inner.clone()];
            match (
                values.iter().rev().find(|each| each.field == key),
                &shape.fields[key].absent,
            ) {
                (Some(last), _) => self.element(&shape.fields[key], last.value)?,
                (None, Absent::Json(json)) => self.out.push_str(json),
                (None, Absent::Nothing | Absent::Fault) => {}
            }
            self.found.truncate(inner.start);
            let json = &self.out[before..];
            keys.push(match json {
                "" | "null" => None,
                _ if json.starts_with('"') => Some(json.to_owned()),
                _ => Some(format!("\"{json}\"")),
            });
            self.out.truncate(before);
        }
        Ok(keys)
    }

    /// Writes entries, each with its place and its key, as an object.
    fn object(
        &mut self,
        field: &'s FieldShape,
        entries: &[(usize, Option<&str>)],
        value: usize,
        is_map: bool,
    ) -> Result<(), Reason> {
        let shape = self.entry_shape(field)?;
        let value_field = &shape.fields[value];
        self.go_in(shape)?;
        self.out.push('{');
        for (count, (at, key)) in entries.iter().enumerate() {
            if count > 0 {
                self.out.push(',');
            }
            self.check_length(&field.name)?;
            self.out.push_str(key.unwrap_or("\"\""));
            self.out.push(':');
            let inner = self.find(shape, self.found[*at].value.bytes().unwrap_or_default())?;
            let values = &self.found[inner.clone()];
            let first = inner.start + values.partition_point(|each| each.field < value);
            let end = inner.start + values.partition_point(|each| each.field <= value);
            match (&value_field.absent, value_field.kind) {
                _ if first < end => self.value(value_field, first..end)?,
                // A map's value is always there.
                (_, ValueKind::Message(place)) if is_map => self.message(place, &[])?,
                (Absent::Json(json), _) => self.out.push_str(json),
                (Absent::Nothing, _) => self.out.push_str("null"),
                (Absent::Fault, _) => {
                    return Err(format!("{}: required, and not there", value_field.name).into());
                }
            }
            self.found.truncate(inner.start);
        }
        self.out.push('}');
        self.level -= 1;
        Ok(())
    }

    fn entry_shape(&self, field: &FieldShape) -> Result<&'s MessageShape, Reason> {
        match field.kind {
            ValueKind::Message(place) => Ok(&self.shapes.messages[place]),
            _ => Err(format!("{}: its entries are no messages", field.name).into()),
        }
    }

    /// Writes a single value, or one of several.
    #[inline]
    fn element(&mut self, field: &'s FieldShape, value: WireValue<'a>) -> Result<(), Reason> {
        match value {
            WireValue::Varint(bits) | WireValue::Fixed64(bits) => self.number(field.kind, bits),
            WireValue::Fixed32(bits) => self.number(field.kind, u64::from(bits)),
            WireValue::Bytes(bytes) | WireValue::Group(bytes) => match field.kind {
                ValueKind::Message(place) => return self.message(place, bytes),
                ValueKind::Text => match simdutf8::basic::from_utf8(bytes) {
                    Ok(text) => push_text(self.out, text),
                    Err(_) => return Err(format!("{}: not UTF-8", field.name).into()),
                },
                _ => push_bytes(self.out, bytes),
            },
        }
        Ok(())
    }

    fn number(&mut self, kind: ValueKind, bits: u64) {
        match kind {
            ValueKind::Double => push_float(self.out, f64::from_bits(bits)),
            ValueKind::Float => push_float(self.out, f32::from_bits(bits as u32)),
            ValueKind::Signed32 => push(self.out, bits as i32),
            ValueKind::Signed64 => push(self.out, bits as i64),
            ValueKind::Unsigned32 => push(self.out, bits as u32),
            ValueKind::Unsigned64 => push(self.out, bits),
            ValueKind::Zigzag32 => push(self.out, zigzag(u64::from(bits as u32))),
            ValueKind::Zigzag64 => push(self.out, zigzag(bits)),
            ValueKind::Bool => self.out.push_str(if bits == 0 { "false" } else { "true" }),
            ValueKind::Enum(place) => match self.shapes.enums[place].name(bits as i32) {
                Some(name) => self.out.push_str(name),
                None => push(self.out, bits as i32),
            },
            // The others are no numbers on the wire.
            ValueKind::Null | ValueKind::Text | ValueKind::Bytes | ValueKind::Message(_) => {
                self.out.push_str("null");
            }
        }
    }

    fn go_in(&mut self, shape: &MessageShape) -> Result<(), Reason> {
        if self.level == LEVELS_MAX {
            return Err(format!("{}: nested more than {LEVELS_MAX} levels deep", shape.name).into());
        }
        self.level += 1;
        self.check_length(&shape.name)
    }

    fn check_length(&self, name: &str) -> Result<(), Reason> {
        if self.out.len() > self.end {
            return Err(format!("{name}: the message is too long as JSON").into());
        }
        Ok(())
    }
}

impl MessageShape {
    /// The place of the field with this number; None if the schema has none.
    pub(super) fn place_of(&self, number: u32, form: WireForm) -> Result<Option<usize>, Reason> {
        let place = self.field(number);
        match place.map(|place| &self.fields[place]) {
            // Protobuf's own parsers take it for an unknown field, and so would lose it without a word.
            Some(field) if !field.takes(form) => {
                Err(format!("{}: field {number} has another wire type", field.name).into())
            }
            _ => Ok(place),
        }
    }
}

impl FieldShape {
    fn takes(&self, form: WireForm) -> bool {
        let may_be_packed = self.repetition == Repetition::List && self.form != WireForm::Group;
        form == self.form || (form == WireForm::Bytes && may_be_packed)
    }
}

impl<'a> WireValue<'a> {
    fn bytes(self) -> Option<&'a [u8]> {
        match self {
            WireValue::Bytes(bytes) | WireValue::Group(bytes) => Some(bytes),
            WireValue::Varint(_) | WireValue::Fixed64(_) | WireValue::Fixed32(_) => None,
        }
    }
}
