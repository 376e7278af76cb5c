//! The list of erased persons, without their names: keyed hashes, kept beside the data.

use anyhow::{Context, Result, bail};
use chrono::{SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::Read;

use super::subject::Subject;

/// Stands for all topics.
pub const EVERY_TOPIC: &str = "*";

const SECRET_BYTES: usize = 32;

/// The key of the hashes. Without it nobody can test guessed names against them.
#[derive(Clone, PartialEq, Eq)]
pub struct ErasureSecret([u8; SECRET_BYTES]);

impl fmt::Debug for ErasureSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl ErasureSecret {
    /// # Errors
    /// The kernel provides no random bytes.
    pub fn random() -> Result<ErasureSecret> {
        let mut bytes = [0; SECRET_BYTES];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut source| source.read_exact(&mut bytes))
            .context("reading /dev/urandom")?;
        Ok(ErasureSecret(bytes))
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<ErasureSecret> {
        bytes.try_into().ok().map(ErasureSecret)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The keyed hash of a key of a topic, in its canonical form.
    pub(crate) fn of_key(&self, topic: &str, key: &str) -> blake3::Hash {
        self.hash(b"key", topic, key)
    }

    /// The keyed hash of a value of a field; `path` in lower case.
    pub(crate) fn of_field(&self, path: &str, value: &str) -> blake3::Hash {
        self.hash(b"field", path, value)
    }

    /// A subject's hash, as reports, the audit trail and the list show it.
    pub fn of_subject(&self, subject: &Subject) -> String {
        let hash = match subject {
            Subject::Key { topic, key } => self.of_key(topic, key),
            Subject::Field { path, value } => self.of_field(path, value),
        };
        hash.to_hex().to_string()
    }

    /// The lengths are hashed too, so that different parts never give the same input.
    fn hash(&self, kind: &[u8], place: &str, text: &str) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for part in [kind, place.as_bytes(), text.as_bytes()] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        hasher.finalize()
    }
}

/// A person who was erased and must not come back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedEntry {
    /// The run that erased it.
    pub id: String,
    pub at: String,
    /// A topic, or `*`.
    pub topic: String,
    /// The path of the field in lower case; None: the record's key.
    pub field: Option<String>,
    /// Hexadecimal.
    pub hash: String,
}

/// The list of a lake or a database, with its secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Erasures {
    pub secret: Option<ErasureSecret>,
    pub entries: Vec<ErasedEntry>,
}

impl Erasures {
    /// # Errors
    /// There are entries, but their secret is gone: records can't be compared with them any more.
    pub fn new(secret: Option<ErasureSecret>, entries: Vec<ErasedEntry>, place: &str) -> Result<Erasures> {
        if secret.is_none() && !entries.is_empty() {
            bail!(
                "{place} holds erasures, but their key is gone: without it, erased persons would come back. \
                 Restore the key from a backup"
            );
        }
        Ok(Erasures { secret, entries })
    }
}

/// The entries for these subjects: one each, or one per topic if a field was searched only in `topics`. A number that has another
/// form has an entry for its plain one, too: records may write it in any.
pub fn entries(
    subjects: &[Subject],
    topics: Option<&[String]>,
    secret: &ErasureSecret,
    run_id: &str,
) -> Vec<ErasedEntry> {
    let at = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
    let every = [EVERY_TOPIC.to_owned()];
    let mut entries = Vec::new();
    for subject in subjects {
        let (topics, field) = match subject {
            Subject::Key { topic, .. } => (std::slice::from_ref(topic), None),
            Subject::Field { path, .. } => (topics.unwrap_or(&every), Some(path.clone())),
        };
        for subject in std::iter::once(subject).chain(&subject.as_plain_number()) {
            entries.extend(topics.iter().map(|topic| ErasedEntry {
                id: run_id.to_owned(),
                at: at.clone(),
                topic: topic.clone(),
                field: field.clone(),
                hash: secret.of_subject(subject),
            }));
        }
    }
    entries
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_lost_key_is_not_an_empty_registry() {
        let secret = ErasureSecret::random().unwrap();
        let subject = Subject::key("T=k").unwrap();
        let entries = entries(&[subject], None, &secret, "run");
        assert_eq!((entries[0].topic.as_str(), &entries[0].field), ("T", &None));
        let error = Erasures::new(None, entries.clone(), "the lake").unwrap_err();
        assert!(error.to_string().contains("backup"));
        assert!(Erasures::new(Some(secret), entries, "the lake").is_ok());
        assert!(Erasures::new(None, Vec::new(), "the lake").is_ok());
    }

    #[test]
    fn a_field_may_be_of_all_topics_or_of_some() {
        let secret = ErasureSecret::random().unwrap();
        let subject = [Subject::field("F=v").unwrap()];
        assert_eq!(entries(&subject, None, &secret, "run")[0].topic, EVERY_TOPIC);
        let topics = ["A".to_owned(), "B".to_owned()];
        let some = entries(&subject, Some(&topics), &secret, "run");
        assert_eq!((some.len(), some[0].hash == some[1].hash), (2, true));
    }

    proptest! {
        /// Different subjects, and the same one under another secret, share no hash.
        #[test]
        fn hashes_tell_apart(a in ("[a-z]{0,3}", "[a-z]{0,3}"), b in ("[a-z]{0,3}", "[a-z]{0,3}")) {
            let (one, other) = (ErasureSecret([1; 32]), ErasureSecret([2; 32]));
            prop_assert_eq!(a == b, one.of_key(&a.0, &a.1) == one.of_key(&b.0, &b.1));
            prop_assert_ne!(one.of_key(&a.0, &a.1), one.of_field(&a.0, &a.1));
            prop_assert_ne!(one.of_field(&a.0, &a.1), other.of_field(&a.0, &a.1));
        }
    }
}
