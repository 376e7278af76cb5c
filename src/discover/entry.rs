//! A topic's entry in the configuration, with what each line is known from.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::config::{Kind, Topic, WrittenSetting, quoted, topic_heading, topic_of_entry};
use crate::problem::Problem;
use crate::words::one_line;

/// How far comments are put to the right.
const ALIGNED_MAX: usize = 60;

/// A setting, and from what it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
struct EntryLine {
    key: &'static str,
    /// As TOML.
    value: String,
    from: String,
    is_guess: bool,
}

/// An entry that the configuration lacks.
#[derive(Debug, Clone)]
pub(super) struct TopicEntry {
    pub topic: String,
    lines: Vec<EntryLine>,
    notes: Vec<String>,
    /// Something in it can't be trusted.
    is_doubtful: bool,
}

/// Where settings come from.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    pub from: String,
    pub is_guess: bool,
}

impl Origin {
    pub fn said_by(from: impl Into<String>) -> Origin {
        Origin {
            from: from.into(),
            is_guess: false,
        }
    }

    pub fn guessed(from: impl Into<String>) -> Origin {
        Origin {
            from: format!("a guess: {}", from.into()),
            is_guess: true,
        }
    }
}

/// An entry as it is shown.
#[derive(Debug, Clone)]
pub(super) struct ShownEntry {
    pub topic: String,
    /// Lines of TOML; all of them are comments if the entry can't be used.
    pub toml: String,
    /// Somebody has to look at it.
    pub is_guess: bool,
    /// Why it can't be used as it is.
    pub unusable: Option<String>,
    settings: Value,
    from: Value,
    notes: Vec<String>,
}

impl TopicEntry {
    pub fn new(topic: &str, kind: Kind, origin: &Origin) -> TopicEntry {
        let mut entry = TopicEntry {
            topic: topic.to_owned(),
            lines: Vec::new(),
            notes: Vec::new(),
            is_doubtful: false,
        };
        entry.add([("kind", quoted(&kind.to_string()))], origin);
        entry
    }

    pub fn add(&mut self, settings: impl IntoIterator<Item = WrittenSetting>, origin: &Origin) {
        for (key, value) in settings {
            self.lines.push(EntryLine {
                key,
                value,
                from: one_line(&origin.from),
                is_guess: origin.is_guess,
            });
        }
    }

    pub fn note(&mut self, notes: impl IntoIterator<Item = String>) {
        self.notes.extend(notes.into_iter().map(|note| one_line(&note)));
    }

    pub fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    /// The topic as the configuration would have it.
    fn read(&self) -> anyhow::Result<Topic> {
        topic_of_entry(&self.topic, &self.toml())
    }

    fn toml(&self) -> String {
        let lines = self
            .lines
            .iter()
            .map(|line| (format!("{} = {}", line.key, line.value), &line.from));
        let lines: Vec<(String, &String)> = lines.collect();
        let widths = lines.iter().map(|(line, _)| line.chars().count());
        let width = widths.filter(|&width| width <= ALIGNED_MAX).max().unwrap_or(0);
        let mut toml = topic_heading(&self.topic) + "\n";
        for (line, from) in lines {
            toml.push_str(&format!("{line:width$}  # {from}\n"));
        }
        for note in &self.notes {
            toml.push_str(&format!("# {note}\n"));
        }
        toml
    }

    /// The entry in its final form: it is put into comments if it can't be read again.
    pub fn shown(self) -> ShownEntry {
        let mut toml = self.toml();
        let unusable = self.read().err().map(|error| Problem::of(&error).to_string());
        if let Some(why) = &unusable {
            let lines = toml.lines().map(|line| format!("# {line}\n"));
            toml = format!("# not complete: {}\n{}", one_line(why), lines.collect::<String>());
        }
        let (mut settings, mut from) = (Map::new(), Map::new());
        for line in &self.lines {
            settings.insert(line.key.to_owned(), value_of(&line.value));
            from.insert(
                line.key.to_owned(),
                json!({"from": line.from, "guess": line.is_guess}),
            );
        }
        ShownEntry {
            is_guess: self.is_doubtful || unusable.is_some() || self.lines.iter().any(|line| line.is_guess),
            topic: self.topic,
            toml,
            unusable,
            settings: settings.into(),
            from: from.into(),
            notes: self.notes,
        }
    }
}

/// A value of TOML as one of JSON.
fn value_of(written: &str) -> Value {
    let read: Option<toml::Table> = toml::from_str(&format!("v = {written}")).ok();
    let value = read.and_then(|table| serde_json::to_value(table.get("v")?).ok());
    value.unwrap_or(Value::Null)
}

impl Serialize for ShownEntry {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut entry = json!({
            "topic": self.topic,
            "guess": self.is_guess,
            "unusable": self.unusable,
            "settings": self.settings,
            "known_from": self.from,
            "notes": self.notes,
            "toml": self.toml,
        });
        if let Some(kind) = self.settings.get("kind") {
            entry["kind"] = kind.clone();
        }
        entry.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_says_where_each_line_is_from() {
        let mut entry = TopicEntry::new("A.b", Kind::Table, &Origin::said_by("ksqlDB: table T"));
        entry.add(
            [("key.format", quoted("int"))],
            &Origin::guessed("a sample\nof 1 record"),
        );
        entry.note(["look".to_owned()]);
        let shown = entry.shown();
        assert_eq!(
            shown.toml,
            "[topics.\"A.b\"]\n\
             kind = \"table\"      # ksqlDB: table T\n\
             key.format = \"int\"  # a guess: a sample\\nof 1 record\n\
             # look\n"
        );
        assert!(shown.is_guess && shown.unusable.is_none());
        let json = serde_json::to_value(&shown).unwrap();
        assert_eq!(json["settings"], json!({"kind": "table", "key.format": "int"}));
        assert_eq!(json["known_from"]["key.format"]["guess"], true);
    }

    #[test]
    fn what_cannot_be_read_is_a_comment() {
        let mut entry = TopicEntry::new("A", Kind::Stream, &Origin::said_by("x"));
        entry.add([("value.format", quoted("delimited"))], &Origin::said_by("x"));
        let shown = entry.shown();
        assert!(
            shown.toml.lines().all(|line| line.starts_with("# ")),
            "{}",
            shown.toml
        );
        assert!(shown.unusable.is_some_and(|why| why.contains("value.columns")));
        assert!(shown.is_guess);
    }
}
