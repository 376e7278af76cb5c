//! Keeps erased persons out: records are hashed and compared with the list before they are taken in.

use std::collections::{HashMap, HashSet};

use super::fields::FoundScalar;
use super::list::{EVERY_TOPIC, ErasureSecret, Erasures};
use super::view::{KeyView, at_path};
use crate::config::{Envelope, Topic};
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
    envelope: Option<Envelope>,
    /// Names of the key's columns.
    names: Vec<String>,
    keys: HashSet<String>,
    /// Path -> hashes.
    fields: HashMap<String, HashSet<String>>,
}

impl Filter {
    /// `names` are those of the key's columns, for keys whose bytes don't hold them.
    pub fn new(registry: Erasures, topic: &Topic, names: &[String]) -> Filter {
        let listed = registry.entries.len();
        let Some(secret) = registry.secret else {
            return Filter::default();
        };
        let mut active = Active {
            secret,
            topic: topic.name.clone(),
            envelope: topic.value.unwrap,
            names: names.to_vec(),
            keys: HashSet::new(),
            fields: HashMap::new(),
        };
        let ours = |entry: &str| entry == EVERY_TOPIC || entry == topic.name;
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
        let key = KeyView::of(&record.key);
        let listed = |key: &str| {
            let hash = self.secret.of_key(&self.topic, key).to_hex();
            self.keys.contains(hash.as_str())
        };
        if !self.keys.is_empty()
            && (key.canonical().is_some_and(|key| listed(&key))
                || key.number().is_some_and(|key| listed(&key)))
        {
            return true;
        }
        self.fields.iter().any(|(path, hashes)| {
            let mut hit = false;
            let listed = |text: &str| hashes.contains(self.secret.of_field(path, text).to_hex().as_str());
            let mut compare = |found: FoundScalar<'_>| {
                hit |= listed(&found.text) || found.number().is_some_and(|number| listed(&number));
            };
            key.at_path(&self.names, path, &mut compare);
            // This also searches an unreadable object, as far as it can be read.
            at_path(&record.body, self.envelope, path, &mut compare);
            hit
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Kind, ValueSchema};
    use crate::decode::Decoder;
    use crate::record::Record;
    use crate::subjects::list;
    use crate::subjects::subject::Subject;

    fn record<'a>(key: &'a str, value: &'a str) -> Decoded<'a> {
        let record = Record {
            partition: 0,
            offset: 0,
            timestamp_ms: 0,
            key: Some(key.as_bytes()),
            value: Some(value.as_bytes()),
            headers: Vec::new(),
        };
        Decoder::default().decode(&record).unwrap()
    }

    fn topic(name: &str, unwrap: Option<Envelope>) -> Topic {
        Topic {
            value: ValueSchema {
                unwrap,
                ..ValueSchema::default()
            },
            ..Topic::ad_hoc(name, Kind::Table, None).unwrap()
        }
    }

    fn filter(subjects: &[Subject], topic: &Topic) -> Filter {
        let secret = ErasureSecret::random().unwrap();
        let entries = list::entries(subjects, None, &secret, "run");
        let registry = Erasures::new(Some(secret), entries, "here").unwrap();
        Filter::new(registry, topic, &["ID".to_owned()])
    }

    #[test]
    fn the_erased_are_recognised() {
        let subjects = [
            Subject::key("T=k-1").unwrap(),
            Subject::field("USER.ID=u-1").unwrap(),
            Subject::field("id=k-2").unwrap(),
        ];
        let filter = filter(&subjects, &topic("T", None));
        assert!(filter.hits(&record("k-1", "{}")));
        assert!(filter.hits(&record("k", r#"{"user":{"id":"u-1"}}"#)));
        assert!(filter.hits(&record("k", r#"{"Id":"k-2"}"#)));
        assert!(filter.hits(&record("k-2", "no JSON")));
        assert!(!filter.hits(&record("k", r#"{"user":{"id":"u-2"},"x":"k-1"}"#)));
        assert!(!filter.hits(&record("k", "{")));
    }

    /// A file of typed columns shows 1.5 as 1.50 beside 2.25: whoever erases what it shows must not see it come back.
    #[test]
    fn a_number_is_recognised_in_any_form() {
        let subjects = [
            Subject::field("N=1.50").unwrap(),
            Subject::field("M=10000000").unwrap(),
        ];
        let filter = filter(&subjects, &topic("T", None));
        for value in [
            r#"{"N":1.5}"#,
            r#"{"N":1.50}"#,
            r#"{"n":"1.50"}"#,
            r#"{"M":1.0E7}"#,
            r#"{"M":10000000.0}"#,
            r#"{"M":"10000000"}"#,
        ] {
            assert!(filter.hits(&record("k", value)), "{value}");
        }
        for value in [r#"{"N":1.51}"#, r#"{"M":"1.0E7"}"#, r#"{"M":100000000}"#] {
            assert!(!filter.hits(&record("k", value)), "{value}");
        }
    }

    /// A record that can't be taken out of its envelope is kept with it, and so is whom it is about.
    #[test]
    fn the_erased_are_recognised_in_an_envelope() {
        let subjects = [Subject::field("user.id=u-1").unwrap()];
        let (plain, debezium) = (topic("T", None), topic("T", Some(Envelope::Debezium)));
        let filter = |topic| self::filter(&subjects, topic);
        for event in [
            r#"{"before":{"user":{"id":"u-1"}},"after":null,"op":"x"}"#,
            r#"{"schema":null,"payload":{"after":{"user":{"id":"u-1"}},"op":"t"}}"#,
        ] {
            let kept = record("k", event);
            assert!(filter(&debezium).hits(&kept), "{event}");
            assert!(!filter(&plain).hits(&kept), "{event}");
        }
    }

    #[test]
    fn another_topics_key_is_another_key() {
        let other = filter(&[Subject::key("T=k-1").unwrap()], &topic("U", None));
        assert!(other.active.is_none());
        assert!(!other.hits(&record("k-1", "{}")));
        assert!(!Filter::default().hits(&record("k-1", "{}")));
    }
}
