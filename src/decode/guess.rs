//! Guesses how keys and values were written, for a person whose configuration does not fit them.

use super::key::{DecodedKey, Key, WindowBounds};
use crate::config::{KeyFormat, KeySchema, Window};

/// Windows of real records lie between 2000 and 2100; a key that gives another time has no window.
const PLAUSIBLE_MS: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;
/// The formats that a key is tried as, in this order.
const FORMATS: [KeyFormat; 4] = [
    KeyFormat::Json,
    KeyFormat::String,
    KeyFormat::Int,
    KeyFormat::Bigint,
];
const WINDOWS: [Option<Window>; 3] = [None, Some(Window::Time { size_ms: 0 }), Some(Window::Session)];
/// A zero byte and four of the schema's id.
const REGISTRY_HEAD_BYTES: usize = 5;

/// The formats and windows that fit all keys so far, the likeliest first.
#[derive(Debug)]
pub struct KeyGuess(Vec<KeySchema>);

/// A format and window that keys seem to have.
#[derive(Debug, Clone, Copy)]
pub struct LikelyKeys<'a>(&'a KeySchema);

impl Default for KeyGuess {
    fn default() -> KeyGuess {
        let all = WINDOWS.iter().flat_map(|&window| {
            FORMATS.iter().map(move |&format| KeySchema {
                format,
                window,
                ..KeySchema::default()
            })
        });
        KeyGuess(all.collect())
    }
}

impl KeyGuess {
    pub fn take(&mut self, key: &[u8]) {
        self.0.retain(|schema| looks_like(schema, key));
    }

    /// What the keys seem to be, if that is not what is configured.
    pub fn other_than(&self, configured: &KeySchema) -> Option<LikelyKeys<'_>> {
        let kind = |window: Option<Window>| window.map(|window| matches!(window, Window::Session));
        let likely = self.0.first()?;
        let same = likely.format == configured.format && kind(likely.window) == kind(configured.window);
        (!same).then_some(LikelyKeys(likely))
    }
}

impl LikelyKeys<'_> {
    pub fn has_window(self) -> bool {
        self.0.window.is_some()
    }

    /// Whether the configured format reads every such key, but wrongly.
    pub fn are_misread_as(self, configured: &KeySchema) -> bool {
        let window_missed = match (configured.window, self.0.window) {
            (None, Some(_)) => configured.format != KeyFormat::Bytes,
            (Some(Window::Time { .. }), Some(Window::Session)) => true,
            _ => false,
        };
        let json_as_text = configured.format == KeyFormat::String && self.0.format == KeyFormat::Json;
        window_missed || json_as_text
    }

    /// In words: `they are JSON`.
    pub fn seem(self) -> String {
        match (self.0.window, self.0.format) {
            (None, KeyFormat::Json) => "they are JSON".to_owned(),
            (None, format) => format!("they look like {format}"),
            (Some(Window::Session), _) => "they end in a session's two times".to_owned(),
            (Some(_), _) => "they end in the 8 bytes of a window's start".to_owned(),
        }
    }

    /// The configuration that would read such keys.
    pub fn settings(self, configured: &KeySchema) -> String {
        let mut lines = Vec::new();
        if self.0.format != configured.format {
            lines.push(format!("key.format = \"{}\"", self.0.format));
        }
        match (self.0.window, configured.window) {
            (None, Some(_)) => lines.push("no window entry".to_owned()),
            (Some(Window::Session), _) => lines.push("window = { type = \"session\" }".to_owned()),
            (Some(_), None | Some(Window::Session)) => lines.push(
                "window = { type = \"tumbling\", size = \"…\" } (or \"hopping\"), with the size of the query's windows"
                    .to_owned(),
            ),
            _ => {}
        }
        lines.join(" and ")
    }
}

/// Whether a key is not only readable in this format, but also seems to be meant so.
fn looks_like(schema: &KeySchema, key: &[u8]) -> bool {
    let DecodedKey::Key { key, window } = schema.decode(Some(key)) else {
        return false;
    };
    let plausible = |bounds: WindowBounds| {
        PLAUSIBLE_MS.contains(&bounds.start_ms) && PLAUSIBLE_MS.contains(&bounds.end_ms)
    };
    let text = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    window.is_none_or(plausible)
        && match key {
            Key::Text(value) => text(&value),
            // Numbers and bare words are more likely text.
            Key::Json(value) => value.starts_with(['{', '[', '"']),
            _ => true,
        }
}

/// Whether the value may stand behind the id of a schema registry, and so be Avro, Protobuf or JSON Schema.
pub fn looks_registered(value: &[u8]) -> bool {
    value.len() > REGISTRY_HEAD_BYTES && value[0] == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &[u8] = &1_761_825_600_000i64.to_be_bytes();

    fn advice(keys: &[Vec<u8>], configured: &KeySchema) -> String {
        let mut guess = KeyGuess::default();
        keys.iter().for_each(|key| guess.take(key));
        let likely = guess.other_than(configured);
        likely.map_or_else(|| "nothing".to_owned(), |likely| likely.settings(configured))
    }

    #[test]
    fn what_keys_look_like_is_named() {
        let plain = KeySchema::default();
        let windowed = |key: &[u8]| [key, START].concat();
        assert_eq!(advice(&[b"a".to_vec(), b"b".to_vec()], &plain), "nothing");
        assert_eq!(advice(&[b"{\"A\":1}".to_vec()], &plain), "key.format = \"json\"");
        assert_eq!(
            advice(&[5i32.to_be_bytes().to_vec()], &plain),
            "key.format = \"int\""
        );
        assert!(advice(&[windowed(b"deposit")], &plain).starts_with("window = { type = \"tumbling\""));
        assert_eq!(
            advice(&[[b"deposit", START, START].concat()], &plain),
            "window = { type = \"session\" }"
        );
        assert!(
            advice(&[windowed(&7i64.to_be_bytes())], &plain)
                .starts_with("key.format = \"bigint\" and window")
        );
        let hopping = KeySchema {
            window: Some(Window::Time { size_ms: 1 }),
            ..plain.clone()
        };
        assert_eq!(advice(&[b"deposit".to_vec()], &hopping), "no window entry");
        assert_eq!(advice(&[vec![1, 2, 3]], &plain), "nothing");
    }

    #[test]
    fn keys_that_a_wrong_format_reads_are_noticed() {
        let misread = |key: &[u8], configured: &KeySchema| {
            let mut guess = KeyGuess::default();
            guess.take(key);
            guess
                .other_than(configured)
                .is_some_and(|likely| likely.are_misread_as(configured))
        };
        let of = |format| KeySchema {
            format,
            ..KeySchema::default()
        };
        assert!(misread(b"{\"A\":1}", &of(KeyFormat::String)));
        assert!(!misread(b"a", &of(KeyFormat::String)));
        let windowed = [b"deposit", START].concat();
        assert!(misread(&windowed, &of(KeyFormat::String)));
        assert!(!misread(&windowed, &of(KeyFormat::Bytes)));
    }
}
