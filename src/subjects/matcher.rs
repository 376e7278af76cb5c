//! Decides whether a line or a record belongs to a person who is to be erased.

use memchr::memmem::{self, Finder};
use std::fmt;

use super::fields::{FoundScalar, plain_number};
use super::subject::Subject;
use super::view::{KeyView, at_path, bytes, texts, unreadable};
use crate::config::{Envelope, Topic};
use crate::decode::Decoded;
use crate::decode::line::{self, LakeLine};

/// Shorter values, and numbers of fewer digits, occur in too many lines by chance to be reported as mentions.
const MENTION_LETTERS_MIN: usize = 3;
const MENTION_DIGITS_MIN: usize = 6;

/// What an erasure does with a line, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Keep,
    Erase,
    /// Kept, but the subject's value occurs in it in another field.
    Mention,
    /// Kept: its value or key can't be decoded, and holds the subject's bytes.
    NotSearchable,
    /// Kept: a key is searched, and the line has none.
    WithoutKey,
}

/// Searches the lines and records of one topic for subjects.
pub struct Matcher {
    /// Names of the key's columns.
    columns: Vec<String>,
    /// The topic's envelope: rejects and old lines may still be in it.
    envelope: Option<Envelope>,
    subjects: Vec<Needle>,
    /// Finds lines with base64, in which a subject's bytes are hidden.
    hidden: Finder<'static>,
}

impl fmt::Debug for Matcher {
    /// Does not print the subjects.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} subjects", self.subjects.len())
    }
}

struct Needle {
    subject: Subject,
    bytes: Finder<'static>,
    /// The one form of the value, if it is a number.
    number: Option<String>,
    /// Whether a line without these bytes and without escapes can't belong to the subject.
    literal: bool,
    mentions: bool,
}

impl Matcher {
    pub fn new(topic: &Topic, subjects: &[Subject]) -> Matcher {
        let needle = |subject: &Subject| {
            let clear = subject.clear();
            Needle {
                bytes: Finder::new(clear.as_bytes()).into_owned(),
                // Objects may be written with other blanks and in another order of names, numbers in several forms.
                literal: !clear.starts_with(['{', '[']) && plain_number(clear).is_none(),
                number: plain_number(clear),
                mentions: matches!(subject, Subject::Field { .. }) && is_telling(clear),
                subject: subject.clone(),
            }
        };
        Matcher {
            columns: topic.key.names(),
            envelope: topic.value.unwrap,
            subjects: subjects
                .iter()
                .filter(|subject| subject.applies_to(&topic.name))
                .map(needle)
                .collect(),
            hidden: Finder::new("_base64\":").into_owned(),
        }
    }

    /// Whether no subject can be in this topic.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    /// Judges a line of the lake, with or without its line feed.
    pub fn judge(&self, line: &[u8]) -> Verdict {
        let by_key = self.subjects.iter().any(|needle| needle.by_key());
        if !self.may_concern(line) {
            return if by_key && !begins_like_ours(line) {
                Verdict::WithoutKey
            } else {
                Verdict::Keep
            };
        }
        // Only the line's own text shows whom it belongs to, so it is decoded again.
        let read = std::str::from_utf8(line)
            .ok()
            .and_then(|line| line::read(line).ok());
        let Some(mut read) = read else {
            return if self.subjects.iter().any(|needle| needle.stands_in(line)) {
                Verdict::NotSearchable
            } else {
                Verdict::Keep
            };
        };
        if self.envelope.is_some() {
            read.decoded.take_key_out();
        }
        let key = KeyView::of(&read.decoded.key);
        if self
            .subjects
            .iter()
            .any(|needle| self.is_of(needle, &read.decoded, &key))
        {
            return Verdict::Erase;
        }
        let unsearchable = [unreadable(&read.decoded.body), key.undecodable()];
        let mut unsearchable = unsearchable.into_iter().flatten();
        if unsearchable.any(|bytes| self.subjects.iter().any(|needle| needle.stands_in(bytes))) {
            return Verdict::NotSearchable;
        }
        if self.is_mentioned(&read, &key) {
            return Verdict::Mention;
        }
        if by_key && !read.has_ours {
            Verdict::WithoutKey
        } else {
            Verdict::Keep
        }
    }

    /// Judges a rejected record. What can't be decoded is the subject's only if it is the key itself; where the subject's
    /// bytes are merely in it, or it `is_cut` and may have gone on with them, a person has to look.
    pub fn judge_record(&self, record: &Decoded<'_>, is_cut: bool) -> Verdict {
        let key = KeyView::of(&record.key);
        let mut verdict = Verdict::Keep;
        for needle in &self.subjects {
            let mut hit = needle.is_key(&key) || needle.is_undecodable_key(&key);
            let mut unread = None;
            if let Subject::Field { path, .. } = &needle.subject {
                let mut compare = |found: FoundScalar<'_>| hit |= needle.is_value(&found);
                key.at_path(&self.columns, path, &mut compare);
                if !at_path(&record.body, self.envelope, path, &mut compare) {
                    unread = bytes(&record.body);
                }
            }
            if hit {
                return Verdict::Erase;
            }
            let mut unread = key.undecodable().into_iter().chain(unread).peekable();
            let may_go_on = is_cut && unread.peek().is_some();
            if may_go_on || unread.any(|bytes| needle.stands_in(bytes)) {
                verdict = Verdict::NotSearchable;
            }
        }
        verdict
    }

    fn may_concern(&self, line: &[u8]) -> bool {
        self.subjects
            .iter()
            .any(|needle| !needle.literal || needle.bytes.find(line).is_some())
            || memchr::memchr(b'\\', line).is_some()
            || self.hidden.find(line).is_some()
    }

    fn is_of(&self, needle: &Needle, record: &Decoded<'_>, key: &KeyView<'_>) -> bool {
        let Subject::Field { path, .. } = &needle.subject else {
            return needle.is_key(key);
        };
        let mut hit = false;
        let mut compare = |found: FoundScalar<'_>| hit |= needle.is_value(&found);
        key.at_path(&self.columns, path, &mut compare);
        if unreadable(&record.body).is_none() {
            at_path(&record.body, self.envelope, path, &mut compare);
        }
        hit
    }

    fn is_mentioned(&self, line: &LakeLine<'_>, key: &KeyView<'_>) -> bool {
        let mut found = false;
        texts(line, key, &mut |text| {
            found |= self
                .subjects
                .iter()
                .any(|needle| needle.mentions && needle.stands_in(text.as_bytes()));
        });
        found
    }
}

impl Needle {
    fn by_key(&self) -> bool {
        matches!(self.subject, Subject::Key { .. })
    }

    fn is_key(&self, key: &KeyView<'_>) -> bool {
        match &self.subject {
            Subject::Key { key: wanted, .. } => {
                let same_number = self.number.is_some() && key.number() == self.number;
                same_number || key.canonical().is_some_and(|key| key == wanted.as_str())
            }
            Subject::Field { .. } => false,
        }
    }

    /// Whether a scalar in the field is the wanted value: the same text, or a number of the same value.
    fn is_value(&self, found: &FoundScalar<'_>) -> bool {
        found.text == self.subject.clear() || (self.number.is_some() && found.number() == self.number)
    }

    /// Whether it is a key that does not fit the configured format, byte for byte.
    fn is_undecodable_key(&self, key: &KeyView<'_>) -> bool {
        match &self.subject {
            Subject::Key { key: wanted, .. } => key.undecodable() == Some(wanted.as_bytes()),
            Subject::Field { .. } => false,
        }
    }

    /// Whether the subject occurs in these bytes as a whole word: `USER-1` is not in `USER-10`. In binary formats a length that
    /// looks like a letter may stand before a text, and anything after it.
    fn stands_in(&self, bytes: &[u8]) -> bool {
        let length = self.subject.clear().len();
        let is_text = !bytes.iter().any(|&byte| is_binary(byte));
        let part = |byte: Option<&u8>| is_text && byte.is_some_and(|byte| is_of_word(*byte));
        self.bytes.find_iter(bytes).any(|at| {
            let before = at.checked_sub(1).and_then(|before| bytes.get(before));
            !part(before) && !part(bytes.get(at + length))
        })
    }
}

/// Whether no text has this byte.
fn is_binary(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')
}

fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

fn is_telling(clear: &str) -> bool {
    let digits = clear.bytes().all(|byte| byte.is_ascii_digit());
    clear.chars().count()
        >= if digits {
            MENTION_DIGITS_MIN
        } else {
            MENTION_LETTERS_MIN
        }
        && !matches!(clear, "true" | "false")
}

/// Whether a line begins with our fields: the first one's name ends in `partition`.
fn begins_like_ours(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"{\"") else {
        return false;
    };
    let end = memmem::find(rest, b"\"").unwrap_or(0);
    rest[..end].ends_with(b"partition")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DeclaredColumn, KeySchema, Kind};
    use crate::decode::Decoder;
    use crate::decode::registry::Registry;
    use crate::lake::line::encode::Recorder;
    use crate::record::Record;
    use proptest::prelude::*;

    const HEAD: &str = r#"{"_partition":0,"_offset":42,"_timestamp":7,"_key":"#;

    fn matcher(key_columns: &[&str], subjects: &[Subject]) -> Matcher {
        let mut topic = Topic::ad_hoc("T", Kind::Stream, None).unwrap();
        topic.key.columns = key_columns
            .iter()
            .map(|name| DeclaredColumn::named(name))
            .collect();
        Matcher::new(&topic, subjects)
    }

    fn field(text: &str) -> Subject {
        Subject::field(text).unwrap()
    }

    fn judge(matcher: &Matcher, rest: &str) -> Verdict {
        matcher.judge(format!("{HEAD}{rest}\n").as_bytes())
    }

    #[test]
    fn by_field() {
        let matcher = matcher(&[], &[field("USER_ID=USER-1")]);
        for (rest, verdict) in [
            (r#""k","USER_ID":"USER-1"}"#, Verdict::Erase),
            (r#""k","user_id": "USER\u002d1" }"#, Verdict::Erase),
            (r#"{"USER_ID":"USER-1","T":"x"},"n":1}"#, Verdict::Erase),
            (r#"{"USER_ID":"USER-1","T":"x"},"_value":null}"#, Verdict::Erase),
            (r#""k","_value":{"year":1,"USER_ID":"USER-1"}}"#, Verdict::Erase),
            (
                r#""k","_value_text":"{\"user_id\":1,\"USER_ID\":\"USER-1\"}","_error":"twice"}"#,
                Verdict::Erase,
            ),
            (r#""k","USER_ID":"USER-10"}"#, Verdict::Keep),
            (r#""k","USER_ID":"user-1"}"#, Verdict::Keep),
            (r#""k","SENDER":"USER-1"}"#, Verdict::Mention),
            (r#""USER-1","n":1}"#, Verdict::Mention),
            (r#""k","u":{"USER_ID":"USER-1"}}"#, Verdict::Mention),
            (
                r#""k","_value_text":"{\"USER_ID\":\"USER-1","_error":"x"}"#,
                Verdict::NotSearchable,
            ),
            (
                r#""k","_value_base64":"/1VTRVItMSA=","_error":"x"}"#,
                Verdict::NotSearchable,
            ),
            (
                r#""k","_value_base64":"/1VTRVItMTA=","_error":"x"}"#,
                Verdict::Keep,
            ),
        ] {
            assert_eq!(judge(&matcher, rest), verdict, "{rest}");
        }
        assert_eq!(matcher.judge(b"not JSON: USER-1"), Verdict::NotSearchable);
        assert_eq!(matcher.judge(b"{\"USER_ID\":\"USER-1\"}"), Verdict::Erase);
        assert_eq!(matcher.judge(b"\xff USER-2"), Verdict::Keep);
    }

    /// Lines from before the envelope was configured still have it.
    #[test]
    fn in_envelopes() {
        let mut topic = Topic::ad_hoc("T", Kind::Stream, None).unwrap();
        let key = r#"{"schema":{},"payload":{"id":7}}"#;
        let change = r#""before":{"user":{"id":"USER-1"}},"after":{"user":{"id":"USER-2"}},"op":"u"}"#;
        let line = format!("{key},{change}");
        let verdicts = |topic: &Topic| {
            let subjects = [
                Subject::key("T={\"id\":7}").unwrap(),
                field("id=7"),
                field("user.id=USER-1"),
                field("user.id=USER-2"),
                field("user.id=USER-3"),
            ];
            subjects.map(|subject| judge(&Matcher::new(topic, &[subject]), &line) == Verdict::Erase)
        };
        assert_eq!(verdicts(&topic), [false; 5]);
        topic.value.unwrap = Some(Envelope::Debezium);
        assert_eq!(verdicts(&topic), [true, true, true, true, false]);
    }

    #[test]
    fn by_key_columns_that_only_the_configuration_names() {
        let one = matcher(&["USER_ID"], &[field("user_id=USER-1")]);
        assert_eq!(judge(&one, r#""USER-1","n":1}"#), Verdict::Erase);
        let two = matcher(&["user_id", "type"], &[field("user_id=USER-1")]);
        assert_eq!(judge(&two, r#"{"F1":"USER-1","F2":"x"}}"#), Verdict::Erase);
        assert_eq!(judge(&two, r#"{"F1":"x","F2":"USER-1"}}"#), Verdict::Mention);
    }

    #[test]
    fn by_number() {
        let matcher = matcher(&[], &[field("N=42"), field("B=true")]);
        assert_eq!(judge(&matcher, r#""k","N":42}"#), Verdict::Erase);
        assert_eq!(judge(&matcher, r#""k","N":"42"}"#), Verdict::Erase);
        assert_eq!(judge(&matcher, r#""k","B":true}"#), Verdict::Erase);
        // Our own offset is not a field of the value, and two digits are too few for a mention.
        assert_eq!(judge(&matcher, r#""k","M":42,"N":42.5}"#), Verdict::Keep);
        for form in ["42.0", "4.2E1", "420e-1"] {
            assert_eq!(
                judge(&matcher, &format!(r#""k","N":{form}}}"#)),
                Verdict::Erase,
                "{form}"
            );
        }
        assert_eq!(judge(&matcher, r#""k","N":"42.0"}"#), Verdict::Keep);
    }

    #[test]
    fn by_key() {
        let key = |text: &str| matcher(&[], &[Subject::key(text).unwrap()]);
        assert_eq!(judge(&key("T=a\"b"), r#""a\"b"}"#), Verdict::Erase);
        assert_eq!(judge(&key("T=7"), "7}"), Verdict::Erase);
        assert_eq!(judge(&key("T=7"), r#""k","n":7}"#), Verdict::Keep);
        let object = key(r#"T={"B":1.50,"A":"x"}"#);
        assert_eq!(judge(&object, r#"{"A":"x", "B":1.50}}"#), Verdict::Erase);
        assert_eq!(judge(&object, r#"{"A":"x", "B":1.5}}"#), Verdict::Keep);
        assert_eq!(object.judge(b"{\"n\":1}"), Verdict::WithoutKey);
        assert_eq!(key("T=7").judge(b"{\"n\":1}"), Verdict::WithoutKey);
        assert!(key("OTHER=7").is_empty());
    }

    #[test]
    fn rejected_records() {
        let judge = |subject: Subject, key: &[u8], value: &str, is_cut: bool| {
            let mut topic = Topic::ad_hoc("T", Kind::Table, None).unwrap();
            topic.key.format = crate::config::KeyFormat::Int;
            topic.key.columns = vec![DeclaredColumn::named("id")];
            let record = Record {
                partition: 0,
                offset: 1,
                timestamp_ms: 2,
                key: Some(key),
                value: Some(value.as_bytes()),
                headers: Vec::new(),
            };
            let record = Decoder::of(&topic, &Registry::default())
                .of_whole_values()
                .decode(&record)
                .unwrap();
            Matcher::new(&topic, &[subject]).judge_record(&record, is_cut)
        };
        let key = || Subject::key("T=1").unwrap();
        let one = 1i32.to_be_bytes();
        assert_eq!(judge(key(), &one, "no JSON", true), Verdict::Erase);
        assert_eq!(judge(key(), &2i32.to_be_bytes(), "1", true), Verdict::Keep);
        // A key of another format: the whole of it, a word in it, a part of a word.
        assert_eq!(judge(key(), b"1", "{}", false), Verdict::Erase);
        assert_eq!(judge(key(), b"order 1 of 2", "{}", false), Verdict::NotSearchable);
        assert_eq!(judge(key(), b"order 10", "{}", false), Verdict::Keep);
        assert_eq!(judge(key(), b"order 10", "{}", true), Verdict::NotSearchable);
        // A length of 24 letters looks like a letter itself.
        let binary = [&b"\0\0\0\0\x070"[..], &b"x"[..], b"order 1"].concat();
        assert_eq!(judge(key(), &binary, "{}", false), Verdict::NotSearchable);
        assert_eq!(judge(key(), b"\0order10", "{}", false), Verdict::NotSearchable);
        let user = || field("USER=1");
        assert_eq!(judge(field("id=1"), &one, "no JSON", false), Verdict::Erase);
        assert_eq!(
            judge(user(), &one, r#"{"USER":1,"N":1.5}"#, false),
            Verdict::Erase
        );
        assert_eq!(judge(user(), &one, r#"{"USER":1,"N"#, true), Verdict::Erase);
        assert_eq!(judge(user(), &one, r#"{"N":1}"#, true), Verdict::Keep);
        assert_eq!(judge(user(), &one, "[1]", false), Verdict::NotSearchable);
        assert_eq!(judge(user(), &one, r#"{"N":1"#, false), Verdict::NotSearchable);
        assert_eq!(judge(user(), &one, r#"{"N":2"#, false), Verdict::Keep);
        assert_eq!(judge(user(), &one, r#"{"N":2"#, true), Verdict::NotSearchable);
    }

    proptest! {
        /// However a producer writes a value, its line is found by this value and by no other.
        #[test]
        fn a_written_value_is_found(value in "\\PC{1,12}", other in "\\PC{1,12}", escaped in any::<bool>()) {
            let mut text = serde_json::json!({"n": 1, "USER": {"id": value}}).to_string();
            if escaped {
                text = text.chars().map(|c| match c {
                    c if !c.is_ascii() && (c as u32) < 0x10000 => format!("\\u{:04x}", c as u32),
                    c => c.to_string(),
                }).collect();
            }
            let record = Record {
                partition: 1, offset: 2, timestamp_ms: 3, key: Some(b"k"), value: Some(text.as_bytes()),
                headers: Vec::new(),
            };
            let mut line = Vec::new();
            Recorder::new("_", KeySchema::default(), true).write(&record, &mut line);
            let found = |value: &str| {
                let subject = Subject::Field { path: "user.id".to_owned(), value: value.to_owned() };
                let matcher = matcher(&[], &[subject]);
                (matcher.judge(&line) == Verdict::Erase, matcher.judge_record(&Decoder::default().decode(&record).unwrap(), false) == Verdict::Erase)
            };
            prop_assert_eq!(found(&value), (true, true));
            prop_assume!(other != value);
            prop_assert_eq!(found(&other), (false, false));
        }
    }
}
