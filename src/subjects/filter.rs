//! Keeps erased persons out: records are hashed and compared with the list before they are taken in.

use std::collections::{HashMap, HashSet};

use super::list::{EVERY_TOPIC, ErasureSecret, Registry};
use super::view::{KeyView, at_path};
use crate::config::KeySchema;
use crate::decode::Decoded;

/// The entries of the list that one topic's records are compared with. Without entries it costs nothing.
#[derive(Debug, Default)]
pub struct Filter {
    active: Option<Active>,
    listed: usize,
}

#[derive(Debug)]
struct Active {
    secret: ErasureSecret,
    topic: String,
    /// The names under which lines show the key's fields.
    columns: Vec<String>,
    /// Names of the key's columns.
    names: Vec<String>,
    keys: HashSet<String>,
    /// Path -> hashes.
    fields: HashMap<String, HashSet<String>>,
}

impl Filter {
    /// `names` are those of the key's columns, for keys whose bytes don't hold them.
    pub fn new(registry: Registry, topic: &str, schema: &KeySchema, names: &[String]) -> Filter {
        let listed = registry.entries.len();
        let Some(secret) = registry.secret else {
            return Filter::default();
        };
        let mut active = Active {
            secret,
            topic: topic.to_owned(),
            columns: schema.columns.clone(),
            names: names.to_vec(),
            keys: HashSet::new(),
            fields: HashMap::new(),
        };
        let ours = |entry: &str| entry == EVERY_TOPIC || entry == topic;
        for entry in registry.entries.into_iter().filter(|entry| ours(&entry.topic)) {
            match entry.field {
                Some(path) => active.fields.entry(path).or_default().insert(entry.hash),
                None => active.keys.insert(entry.hash),
            };
        }
        let any = !active.keys.is_empty() || !active.fields.is_empty();
        Filter {
            active: any.then_some(active),
            listed,
        }
    }

    /// How many entries the whole list has.
    pub fn listed(&self) -> usize {
        self.listed
    }

    /// Whether it needs the fields of every record.
    pub fn wants_fields(&self) -> bool {
        self.active
            .as_ref()
            .is_some_and(|active| !active.fields.is_empty())
    }

    /// Whether the record belongs to an erased person.
    pub fn hits(&self, record: &Decoded<'_>) -> bool {
        self.active.as_ref().is_some_and(|active| active.hits(record))
    }
}

impl Active {
    fn hits(&self, record: &Decoded<'_>) -> bool {
        let key = KeyView::of(&record.key, &self.columns);
        if !self.keys.is_empty()
            && let Some(key) = key.canonical()
            && self
                .keys
                .contains(self.secret.of_key(&self.topic, &key).to_hex().as_str())
        {
            return true;
        }
        self.fields.iter().any(|(path, hashes)| {
            let mut hit = false;
            let mut compare =
                |text: &str| hit |= hashes.contains(self.secret.of_field(path, text).to_hex().as_str());
            key.at_path(&self.names, path, &mut compare);
            // This also searches an unreadable object, as far as it can be read.
            at_path(&record.body, path, &mut compare);
            hit
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Decoder;
    use crate::record::Record;
    use crate::subjects::list;
    use crate::subjects::subject::Subject;

    fn record<'a>(key: &'a str, value: &'a str) -> Decoded<'a> {
        Decoder::default().decode(&Record {
            partition: 0,
            offset: 0,
            timestamp_ms: 0,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: Vec::new(),
        })
    }

    fn filter(subjects: &[Subject], topic: &str) -> Filter {
        let secret = ErasureSecret::random().unwrap();
        let entries = list::entries(subjects, None, &secret, "run");
        let registry = Registry::new(Some(secret), entries, "here").unwrap();
        Filter::new(registry, topic, &KeySchema::default(), &["ID".to_owned()])
    }

    #[test]
    fn the_erased_are_recognised() {
        let subjects = [
            Subject::key("T=k-1").unwrap(),
            Subject::field("USER.ID=u-1").unwrap(),
            Subject::field("id=k-2").unwrap(),
        ];
        let filter = filter(&subjects, "T");
        assert!(filter.hits(&record("k-1", "{}")));
        assert!(filter.hits(&record("k", r#"{"user":{"id":"u-1"}}"#)));
        assert!(filter.hits(&record("k", r#"{"Id":"k-2"}"#)));
        assert!(filter.hits(&record("k-2", "no JSON")));
        assert!(!filter.hits(&record("k", r#"{"user":{"id":"u-2"},"x":"k-1"}"#)));
        assert!(!filter.hits(&record("k", "{")));
    }

    #[test]
    fn another_topics_key_is_another_key() {
        let other = filter(&[Subject::key("T=k-1").unwrap()], "U");
        assert!(other.active.is_none());
        assert!(!other.hits(&record("k-1", "{}")));
        assert!(!Filter::default().hits(&record("k-1", "{}")));
    }
}
