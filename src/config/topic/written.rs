//! Writes the settings of keys and values as a topic's entry has them.

use super::column::DeclaredColumn;
use super::formats::delimiter_name;
use super::key::{KeyFormat, KeySchema};
use super::value::{ValueFormat, ValueSchema};

/// A key of a topic's entry, and its value as TOML.
pub type WrittenSetting = (&'static str, String);

impl KeySchema {
    /// The settings of such keys, without those of the window.
    pub fn written(&self) -> Vec<WrittenSetting> {
        // A format of a single column says its type.
        let names_only = self.format.is_single() && self.separator.is_none();
        let columns = self.columns.iter().map(|column| match names_only {
            true => DeclaredColumn::named(&column.name).to_string(),
            false => column.to_string(),
        });
        let mut written = vec![("key.format", quoted(&self.format.to_string()))];
        if !self.columns.is_empty() {
            written.push(("key.columns", list(columns)));
        }
        if self.format == KeyFormat::Delimited && self.delimiter != ',' {
            written.push(("key.delimiter", quoted(&delimiter_name(self.delimiter))));
        }
        if let Some(separator) = &self.separator {
            written.push(("key.separator", quoted(separator)));
        }
        written
    }
}

impl ValueSchema {
    /// The settings of such values.
    pub fn written(&self) -> Vec<WrittenSetting> {
        let mut written = vec![("value.format", quoted(&self.format.to_string()))];
        if !self.columns.is_empty() {
            let columns = self.columns.iter().map(DeclaredColumn::to_string);
            written.push(("value.columns", list(columns)));
        }
        if self.format == ValueFormat::Delimited && self.delimiter != ',' {
            written.push(("value.delimiter", quoted(&delimiter_name(self.delimiter))));
        }
        if let Some(envelope) = self.unwrap {
            written.push(("value.unwrap", quoted(&envelope.to_string())));
        }
        written
    }
}

/// A text as a basic string of TOML.
pub fn quoted(text: &str) -> String {
    let mut out = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

fn list(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.map(|text| quoted(&text)).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DeclaredType, Topic};
    use proptest::prelude::*;

    /// The topic of an entry with these lines.
    fn read(lines: &[WrittenSetting]) -> Topic {
        let lines: String = lines
            .iter()
            .map(|(key, value)| format!("{key} = {value}\n"))
            .collect();
        crate::config::topic_of_entry("T", &format!("[topics.T]\nkind = \"table\"\n{lines}")).unwrap()
    }

    proptest! {
        /// What is written is read as what it was.
        #[test]
        fn written_settings_are_read_again(
            names in proptest::collection::btree_set("[A-Z][a-zA-Z0-9_.\"\\\\é ]{0,6}[a-z]", 2..5),
            kinds in proptest::collection::vec(0usize..4, 5),
            delimiter in prop_oneof![Just(' '), Just('\t'), Just('"'), Just('\\'), proptest::char::range('!', '~'), any::<char>()],
        ) {
            use DeclaredType::{Bigint, Decimal, Timestamp, Varchar};
            let folded: std::collections::BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
            prop_assume!(folded.len() == names.len());
            let all = [Varchar, Bigint, Decimal { precision: 9, scale: 2 }, Timestamp];
            let columns: Vec<_> = names
                .iter()
                .zip(kinds)
                .map(|(name, kind)| DeclaredColumn { name: name.clone(), kind: all[kind] })
                .collect();
            let keys = KeySchema { format: KeyFormat::Delimited, columns: columns.clone(), delimiter, ..KeySchema::default() };
            let values = ValueSchema { format: ValueFormat::Delimited, columns: columns.clone(), delimiter, ..ValueSchema::default() };
            let topic = read(&[keys.written(), values.written()].concat());
            prop_assert_eq!((&topic.key, &topic.value), (&keys, &values));
            let old = KeySchema { separator: Some(names.first().cloned().unwrap_or_default()), columns, ..KeySchema::default() };
            prop_assert_eq!(read(&old.written()).key, old);
        }
    }

    #[test]
    fn a_single_column_has_its_type_in_the_format() {
        let bigint = KeySchema {
            format: KeyFormat::Bigint,
            columns: vec![DeclaredColumn {
                name: "ID".to_owned(),
                kind: DeclaredType::Bigint,
            }],
            ..KeySchema::default()
        };
        let written = bigint.written();
        assert_eq!(
            written,
            [
                ("key.format", "\"bigint\"".to_owned()),
                ("key.columns", "[\"ID\"]".to_owned())
            ]
        );
        let enveloped = ValueSchema {
            unwrap: Some(crate::config::Envelope::Debezium),
            ..ValueSchema::default()
        };
        assert_eq!(read(&enveloped.written()).value, enveloped);
    }
}
