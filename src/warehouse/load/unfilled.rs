//! Records that fill nothing but the key: they are not what the table is for, or not in the form that was expected.

use crate::config::Envelope;
use crate::decode::Object;
use crate::record::Coordinates;
use crate::warehouse::table::mapping::columns_setting;
use crate::warehouse::table::target::TargetTable;

/// How many names of fields or columns are shown.
const NAMES_SHOWN: usize = 20;

/// The first record that filled nothing but the key.
#[derive(Debug, Clone)]
pub(in crate::warehouse) struct Unfilled {
    at: Coordinates,
    fields: Vec<String>,
    envelope: Option<Envelope>,
}

impl Unfilled {
    pub fn new(at: Coordinates, object: &Object<'_>) -> Unfilled {
        let fields = object.fields().into_iter().flatten();
        Unfilled {
            at,
            fields: fields
                .take(NAMES_SHOWN)
                .map(|field| field.name.into_owned())
                .collect(),
            envelope: Envelope::seen_in(object.text()),
        }
    }

    /// Where the record stands and what it looks like.
    pub fn shown(&self, table: &TargetTable) -> String {
        let fields = match &self.fields[..] {
            [] => "no fields".to_owned(),
            names => format!("the fields {}", names.join(", ")),
        };
        let seen = match self.envelope {
            Some(envelope) => format!(": {}", envelope.in_words()),
            None => {
                let columns = table.columns.iter().take(NAMES_SHOWN);
                let columns: Vec<&str> = columns.map(|column| column.name.as_str()).collect();
                format!(", and the table has the columns {}", columns.join(", "))
            }
        };
        let Coordinates {
            partition, offset, ..
        } = self.at;
        format!("the first one (Kafka partition {partition}, offset {offset}) has {fields}{seen}")
    }

    /// The setting that is probably missing.
    pub fn fix(&self) -> String {
        match (self.envelope, self.fields.first()) {
            (Some(envelope), _) => format!("set value.unwrap = \"{envelope}\""),
            (None, Some(field)) => format!(
                "see whether the topic belongs in this table, and name the columns that its fields fill: {}",
                columns_setting(field, "…")
            ),
            (None, None) => {
                "see whether the topic belongs in this table, and what writes its records".to_owned()
            }
        }
    }
}
