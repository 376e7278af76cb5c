//! Reads a line of the lake back to what its record was decoded to, when the record itself is gone.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::borrow::Cow;

use super::fields::{each, scalar};
use super::key::{DecodedKey, Key, WindowBounds};
use super::{Body, Decoded, KeyPlaces, Object, Text};
use crate::record::Coordinates;

/// Our fields, without the prefix. A value with any of these names is nested instead of spliced.
pub const OURS: [&str; 12] = [
    "partition",
    "offset",
    "timestamp",
    "key",
    "key_base64",
    "window_start",
    "window_end",
    "headers",
    "value",
    "value_text",
    "value_base64",
    "error",
];

/// A line's record, and how the line holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct LakeLine<'a> {
    /// A value null may have been a tombstone: it is returned as a null.
    pub decoded: Decoded<'a>,
    /// Whether the line carries our fields; otherwise it has neither coordinates nor a key, not even null.
    pub has_ours: bool,
    /// Whether the value's fields are fields of the line itself.
    pub spliced: bool,
    /// The headers' JSON, as the line holds it.
    pub headers: Option<&'a str>,
}

/// Reads a line.
///
/// # Errors
/// It is not a JSON object.
pub fn read(line: &str) -> Result<LakeLine<'_>, serde_json::Error> {
    let mut ours = OwnFields::default();
    each(line, &mut |name, raw| {
        ours.take(name, raw, line);
    })?;
    Ok(ours.into_line(line))
}

/// Collects our own fields. The first three show the prefix with which the line was written; the configured one may differ.
#[derive(Debug, Default)]
pub struct OwnFields<'a> {
    seen: usize,
    prefix: Option<Cow<'a, str>>,
    sure: bool,
    /// The raw values of fields found so far, by their place in [`OURS`].
    pub found: [Option<&'a str>; OURS.len()],
    /// Where the last of them ends in the line.
    end: usize,
    /// Whether a field of the value was found.
    others: bool,
}

impl<'a> OwnFields<'a> {
    /// Takes the next field of the line. False: it is one of the value.
    pub fn take(&mut self, name: Cow<'a, str>, raw: &'a str, line: &'a str) -> bool {
        self.seen += 1;
        if self.seen == 1 {
            self.prefix = match &name {
                Cow::Borrowed(name) => name.strip_suffix("partition").map(Cow::Borrowed),
                Cow::Owned(name) => name
                    .strip_suffix("partition")
                    .map(|prefix| prefix.to_owned().into()),
            };
        }
        let prefix = self.prefix.as_deref();
        let rest = prefix.and_then(|prefix| name.strip_prefix(prefix));
        let at = rest.and_then(|rest| OURS.iter().position(|ours| *ours == rest));
        if self.seen <= 3 && at != Some(self.seen - 1) {
            self.prefix = None;
        }
        self.sure |= self.seen == 3 && self.prefix.is_some();
        // Our fields come first: after a field of the value all others are the value's too, whatever their names.
        let (Some(at), false) = (at, self.others) else {
            self.others = true;
            return false;
        };
        self.found[at] = Some(raw);
        // The raw value is a slice of the line, so its address gives its place.
        self.end = (raw.as_ptr() as usize + raw.len()).saturating_sub(line.as_ptr() as usize);
        true
    }

    /// Whether the line carries our fields.
    pub fn are_there(&self) -> bool {
        self.sure && self.prefix.is_some()
    }

    fn into_line(self, line: &'a str) -> LakeLine<'a> {
        if !self.are_there() {
            return LakeLine {
                decoded: Decoded {
                    at: Coordinates::UNKNOWN,
                    key: DecodedKey::Null,
                    key_places: KeyPlaces::default(),
                    body: Body::Object(Object::of(line.trim_ascii().into(), false)),
                },
                has_ours: false,
                spliced: true,
                headers: None,
            };
        }
        let [partition, offset, timestamp, ..] = self.found;
        let [.., headers, _, _, _, _] = self.found;
        let at = Coordinates {
            partition: number(partition).unwrap_or(-1),
            offset: number(offset).unwrap_or(-1),
            timestamp_ms: number(timestamp).unwrap_or(-1),
        };
        let (body, spliced) = self.body(line);
        LakeLine {
            decoded: Decoded {
                at,
                key: self.key(),
                key_places: KeyPlaces::default(),
                body,
            },
            has_ours: true,
            spliced,
            headers,
        }
    }

    fn key(&self) -> DecodedKey<'a> {
        let [_, _, _, key, base64, start, end, ..] = self.found;
        match (key, base64) {
            (Some(raw), _) if raw.starts_with('n') => DecodedKey::Null,
            (Some(raw), _) => DecodedKey::Key {
                key: Key::Json(raw.into()),
                window: window(start, end),
            },
            (None, Some(raw)) => DecodedKey::Undecodable {
                reason: self.error().into(),
                bytes: decoded(raw).into(),
            },
            (None, None) => DecodedKey::Null,
        }
    }

    /// The value, and whether its fields are fields of the line itself.
    fn body(&self, line: &'a str) -> (Body<'a>, bool) {
        let [.., value, text, base64, _] = self.found;
        let unreadable = |bytes, is_binary| {
            let reason = self.error().into();
            let body = Body::Unreadable {
                reason,
                bytes,
                is_binary,
            };
            (body, false)
        };
        match (value, text.and_then(scalar), base64) {
            (Some(raw), _, _) if raw.starts_with('{') => (Body::Object(Object::of(raw.into(), true)), false),
            (Some(raw), _, _) => (Body::Other(Text::of(raw.into())), false),
            (_, Some(text), _) => unreadable(into_bytes(text), false),
            (_, _, Some(raw)) => unreadable(decoded(raw).into(), true),
            _ => (Body::Object(Object::of(self.behind(line).into(), false)), true),
        }
    }

    /// The object that was spliced into the line after our own fields.
    pub fn behind(&self, line: &str) -> String {
        let rest = line.get(self.end..).unwrap_or_default().trim_ascii();
        format!("{{{}", rest.strip_prefix(',').unwrap_or(rest))
    }

    fn error(&self) -> String {
        let [.., error] = self.found;
        error.and_then(scalar).unwrap_or_default().into_owned()
    }
}

fn number<N: std::str::FromStr>(raw: Option<&str>) -> Option<N> {
    raw?.parse().ok()
}

fn window(start: Option<&str>, end: Option<&str>) -> Option<WindowBounds> {
    Some(WindowBounds {
        start_ms: number(start)?,
        end_ms: number(end)?,
    })
}

fn decoded(raw: &str) -> Vec<u8> {
    let text = scalar(raw);
    text.and_then(|text| BASE64.decode(text.as_bytes()).ok())
        .unwrap_or_default()
}

fn into_bytes(text: Cow<'_, str>) -> Cow<'_, [u8]> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }
}
