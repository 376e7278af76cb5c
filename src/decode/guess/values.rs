//! What values are that their topic's configuration does not read, or reads wrongly.

use super::ids::SeenIds;
use super::shapes::Shapes;
use crate::config::{DeclaredType, ValueFormat, ValueSchema, delimiter_name};
use crate::decode::registry::Registry;
use crate::decode::registry::header::Side;
use crate::decode::{Body, bare};
use crate::record::Record;

/// Watches the values of a topic beside its decoder.
#[derive(Debug)]
pub struct ValueGuess {
    schema: ValueSchema,
    registry: Registry,
    unreadable: Seen,
    readable: Seen,
}

#[derive(Debug)]
struct Seen {
    ids: SeenIds,
    shapes: Shapes,
}

impl Seen {
    fn none(delimiter: char) -> Seen {
        Seen {
            ids: SeenIds::of(Side::Value),
            shapes: Shapes::of(delimiter),
        }
    }

    fn all_have_ids(&self) -> bool {
        self.ids.payloads > 0 && self.ids.payloads == self.shapes.values
    }
}

impl ValueGuess {
    pub fn new(schema: &ValueSchema, registry: &Registry) -> ValueGuess {
        ValueGuess {
            schema: schema.clone(),
            registry: registry.clone(),
            unreadable: Seen::none(schema.delimiter),
            readable: Seen::none(schema.delimiter),
        }
    }

    pub fn take(&mut self, record: &Record<'_>, body: &Body<'_>) {
        let Some(value) = record.value else { return };
        let seen = match body {
            Body::Unreadable { .. } => &mut self.unreadable,
            _ => &mut self.readable,
        };
        seen.ids.take(value, &record.headers);
        seen.shapes.take(value);
    }

    /// What to do about those that can't be read.
    pub fn advice(&self) -> String {
        let (seen, shapes) = (&self.unreadable, &self.unreadable.shapes);
        let schema = &self.schema;
        let format = |format: ValueFormat| format!("set value.format = \"{format}\"");
        if let Some(advice) = self.advice_on_ids() {
            return format!(
                "{advice}; or have them written as plain JSON (in ksqlDB: VALUE_FORMAT = 'JSON')"
            );
        }
        if shapes.objects && schema.format != ValueFormat::Json {
            return format!("{}: they are plain JSON", format(ValueFormat::Json));
        }
        match schema.format {
            ValueFormat::Delimited => self.of_lines(),
            ValueFormat::Kafka => self.of_one_column(),
            ValueFormat::Json => {
                let or_else = "have them written as JSON (in ksqlDB: VALUE_FORMAT = 'JSON'), or live with text in the lake";
                match (shapes.number(), self.line_of_several()) {
                    (Some(number), _) => format!(
                        "they look like {number}: {} and value.columns = [\"NAME {number}\"]; or {or_else}",
                        format(ValueFormat::Kafka)
                    ),
                    (None, Some((delimiter, count))) => format!(
                        "they look like {count} fields with \"{}\" between them: {} and name them in value.columns; or \
                         {or_else}",
                        delimiter_name(delimiter),
                        format(ValueFormat::Delimited)
                    ),
                    (None, None) => or_else.to_owned(),
                }
            }
            ValueFormat::None if shapes.text => {
                format!("{}: they are text", format(ValueFormat::Kafka))
            }
            ValueFormat::Registered(_) if seen.ids.payloads == 0 => match self.line_of_several() {
                Some(_) => format!(
                    "{} with value.columns: they look like delimited fields",
                    format(ValueFormat::Delimited)
                ),
                None => {
                    "have them written by a serializer that puts the id of a schema before them, or into the \
                             record's header"
                        .to_owned()
                }
            },
            _ => "look at what writes them, and at value.format".to_owned(),
        }
    }

    /// What to do if all that can't be read stand behind a schema's id, and the configured format has none.
    pub fn advice_on_ids(&self) -> Option<String> {
        let seen = &self.unreadable;
        if !seen.all_have_ids() || self.schema.format.is_registered() {
            return None;
        }
        let advice = seen.ids.advice(&self.registry);
        Some(match seen.ids.kind(&self.registry) {
            Some(_) => format!("set {advice}"),
            None => advice,
        })
    }

    /// What values seem to be that are all read, but wrongly, and what to do about it.
    pub fn misread(&self) -> Option<(String, String)> {
        let (seen, shapes) = (&self.readable, &self.readable.shapes);
        let (name, kind) = bare::column(&self.schema);
        let is_text = self.schema.format == ValueFormat::Kafka && kind == DeclaredType::Varchar;
        if shapes.values == 0 || self.unreadable.shapes.values > 0 || !is_text {
            return None;
        }
        if seen.all_have_ids() && seen.ids.kind(&self.registry).is_some() {
            let fix = format!("set {}", seen.ids.advice(&self.registry));
            return Some(("they stand behind the id of a schema".to_owned(), fix));
        }
        let number = shapes.number()?;
        Some((
            format!("they look like {number}"),
            format!("write value.columns = [\"{name} {number}\"]"),
        ))
    }

    fn of_lines(&self) -> String {
        let (shapes, columns) = (&self.unreadable.shapes, self.schema.columns.len());
        let own = self.schema.delimiter;
        match (shapes.fields_at(own), shapes.delimiter_of(columns)) {
            (_, Some(other)) if columns > 1 && other != own => {
                format!(
                    "set value.delimiter = \"{}\": it gives {columns} fields",
                    delimiter_name(other)
                )
            }
            (Some(count), _) => format!(
                "name {count} columns in value.columns, in the order of the fields: all of them have {count}, and \
                 {columns} are configured"
            ),
            (None, _) => "look at such a line, and at value.columns and value.delimiter".to_owned(),
        }
    }

    fn of_one_column(&self) -> String {
        let shapes = &self.unreadable.shapes;
        let kind = shapes.number().or_else(|| shapes.text.then_some("VARCHAR"));
        let (name, configured) = bare::column(&self.schema);
        match kind {
            Some(kind) if kind != configured.to_string() => {
                format!("write value.columns = [\"{name} {kind}\"]: they look like {kind}")
            }
            _ => "look at such a value, and set value.format; \"bytes\" takes any".to_owned(),
        }
    }

    /// The delimiter that gives several fields, as many in each value.
    fn line_of_several(&self) -> Option<(char, usize)> {
        let shapes = &self.unreadable.shapes;
        let several = |delimiter: char| Some((delimiter, shapes.fields_at(delimiter).filter(|&n| n > 1)?));
        // One value proves nothing, and every sentence has blanks.
        let usual = [self.schema.delimiter, ';', '\t', '|'].into_iter();
        usual
            .filter(|_| shapes.text && shapes.values > 1)
            .find_map(several)
    }
}
