//! The persons to erase, from the command line. Their clear text is never printed, logged or stored.

use anyhow::Result;
use std::fmt;

use super::fields::{canonical, plain_number};
use crate::config::check_topic_name;
use crate::exit::usage;

/// One `--key` or `--where`.
#[derive(Clone, PartialEq, Eq)]
pub enum Subject {
    /// The records of one topic with this key, in its canonical form.
    Key { topic: String, key: String },
    /// The records with this value in this field; `path` is in lower case, with dots between names.
    Field { path: String, value: String },
}

impl fmt::Debug for Subject {
    /// Does not print the subject itself.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl Subject {
    /// `TOPIC=KEY`; the key as `_key` shows it in the lake: text, a number, or a JSON object.
    ///
    /// # Errors
    /// Anything else: exit code 2. Messages never repeat the key.
    pub fn key(text: &str) -> Result<Subject> {
        let Some((topic, key)) = text.split_once('=') else {
            return Err(usage("--key must look like TOPIC=KEY"));
        };
        check_topic_name(topic)?;
        if key.is_empty() {
            return Err(usage("--key must look like TOPIC=KEY, and the key is empty"));
        }
        Ok(Subject::Key {
            topic: topic.to_owned(),
            key: canonical(key).into_owned(),
        })
    }

    /// `FIELD=VALUE`; the value is text, or a number or boolean as the records write it.
    ///
    /// # Errors
    /// Anything else: exit code 2. Messages never repeat the value.
    pub fn field(text: &str) -> Result<Subject> {
        match text.split_once('=') {
            Some((path, value)) if path_is_whole(path) && !value.is_empty() => Ok(Subject::Field {
                path: path.to_lowercase(),
                value: value.to_owned(),
            }),
            _ => Err(usage(
                "--where must look like FIELD=VALUE, or NAME.NAME=VALUE for a field of a nested object",
            )),
        }
    }

    /// The same subject with the plain form of its number, if that is another one.
    pub fn as_plain_number(&self) -> Option<Subject> {
        let plain = plain_number(self.clear()).filter(|plain| plain != self.clear())?;
        Some(match self {
            Subject::Key { topic, .. } => Subject::Key {
                topic: topic.clone(),
                key: plain,
            },
            Subject::Field { path, .. } => Subject::Field {
                path: path.clone(),
                value: plain,
            },
        })
    }

    pub fn applies_to(&self, name: &str) -> bool {
        match self {
            Subject::Key { topic, .. } => topic == name,
            Subject::Field { .. } => true,
        }
    }

    /// The part that may be printed.
    pub fn shown(&self) -> String {
        match self {
            Subject::Key { topic, .. } => format!("a key of {topic}"),
            Subject::Field { path, .. } => format!("a value of {path}"),
        }
    }

    /// The clear text, which may only be compared.
    pub fn clear(&self) -> &str {
        match self {
            Subject::Key { key, .. } => key,
            Subject::Field { value, .. } => value,
        }
    }
}

fn path_is_whole(path: &str) -> bool {
    !path.is_empty() && path.split('.').all(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    #[test]
    fn subjects_are_read_and_never_shown() {
        let key = Subject::key("T={\"b\":1, \"a\":\"=\"}").unwrap();
        assert_eq!(key.clear(), "{\"a\":\"=\",\"b\":1}");
        let field = Subject::field("User.ID=a=b").unwrap();
        assert_eq!(
            field,
            Subject::Field {
                path: "user.id".to_owned(),
                value: "a=b".to_owned()
            }
        );
        assert!(!format!("{field:?}{key:?}").contains("=b"));
        for bad in ["secret", "T=", "a/b=secret", "=secret"] {
            let error = Subject::key(bad).unwrap_err();
            assert_eq!(exit::code_of(&error), exit::USAGE);
            assert!(!format!("{error:#}").contains("secret"));
        }
        for bad in ["secret", "F=", "=secret", "a..b=secret", ".a=secret"] {
            assert!(!format!("{:#}", Subject::field(bad).unwrap_err()).contains("secret"));
        }
    }
}
