//! What keys seem to be whose topic's configuration does not read them, or reads them wrongly.

use super::ids::SeenIds;
use super::shapes::{Shapes, looks_double};
use crate::config::{KeyFormat, KeySchema, ValueSchema, Window, delimiter_name};
use crate::decode::Decoder;
use crate::decode::key::{DecodedKey, Key, WindowBounds};
use crate::decode::registry::Registry;
use crate::decode::registry::header::{Side, framed};
use crate::record::Record;

/// Windows of real records lie between 2000 and 2100; a key that gives another time has no window.
const PLAUSIBLE_MS: std::ops::Range<i64> = 946_684_800_000..4_102_444_800_000;
/// The formats that a key is tried as, in this order.
const FORMATS: [KeyFormat; 5] = [
    KeyFormat::Json,
    KeyFormat::String,
    KeyFormat::Int,
    KeyFormat::Double,
    KeyFormat::Bigint,
];
const WINDOWS: [Option<Window>; 3] = [None, Some(Window::Time { size_ms: 0 }), Some(Window::Session)];
/// How many keys are decoded again by schemas of the registry.
const KEYS_MAX: usize = 50;
/// What stood between several columns before ksqlDB 0.15.
const OLD_SEPARATOR: &str = "|+|";

/// Watches the keys of a topic beside its decoder.
#[derive(Debug)]
pub struct KeyGuess {
    configured: KeySchema,
    registry: Registry,
    keys: u64,
    /// The formats and windows that fit all keys so far, the likeliest first.
    fitting: Vec<KeySchema>,
    ids: SeenIds,
    /// Keys that seem to stand behind an id, with it before them.
    framed: Vec<Vec<u8>>,
    shapes: Shapes,
    /// How many columns the old separator gives in each; 0: they differ, or it is in none.
    separated: usize,
}

/// What keys seem to be.
#[derive(Debug, Clone)]
pub struct LikelyKeys {
    schema: KeySchema,
    /// In words, and what to set, where it is more than a format and a window.
    told: Option<(String, String)>,
}

impl KeyGuess {
    pub fn new(configured: &KeySchema, registry: &Registry) -> KeyGuess {
        let all = WINDOWS.iter().flat_map(|&window| {
            FORMATS.iter().map(move |&format| KeySchema {
                format,
                window,
                ..KeySchema::default()
            })
        });
        KeyGuess {
            configured: configured.clone(),
            registry: registry.clone(),
            keys: 0,
            fitting: all.collect(),
            ids: SeenIds::of(Side::Key),
            framed: Vec::new(),
            shapes: Shapes::of(configured.delimiter),
            separated: 0,
        }
    }

    pub fn take(&mut self, record: &Record<'_>) {
        let Some(key) = record.key else { return };
        self.keys += 1;
        self.fitting.retain(|schema| looks_like(schema, key));
        self.shapes.take(key);
        let text = std::str::from_utf8(key).unwrap_or_default();
        let columns = text.split(OLD_SEPARATOR).count();
        let alike = columns > 1 && (self.keys == 1 || columns == self.separated);
        self.separated = if alike { columns } else { 0 };
        if self.ids.take(key, &record.headers) && self.framed.len() < KEYS_MAX {
            let mut memory = Vec::new();
            let whole = framed(key, &record.headers, Side::Key, &mut memory).unwrap_or(key);
            self.framed.push(whole.to_vec());
        }
    }

    /// What the keys seem to be, if that is not what is configured. `all_read`: the configuration reads all of them.
    pub fn other_than_configured(&self, all_read: bool) -> Option<LikelyKeys> {
        let configured = &self.configured;
        if self.keys == 0 || configured.format == KeyFormat::Bytes && all_read {
            return None;
        }
        // Numbers that are read may well begin as an id does.
        let may_have_ids = !all_read || configured.format == KeyFormat::String;
        let have_ids = may_have_ids && self.ids.payloads == self.keys;
        let registered = have_ids.then(|| self.registered()).flatten();
        if registered.is_none() && configured.format == KeyFormat::Delimited && !all_read {
            let told = self.of_fields()?;
            return Some(LikelyKeys {
                schema: configured.clone(),
                told: Some(told),
            });
        }
        let found = registered.or_else(|| {
            let schema = self.fitting.first()?.clone();
            Some(LikelyKeys { schema, told: None })
        });
        match found {
            Some(likely) if !likely.is_as(configured) => Some(likely),
            Some(likely) => self.of_separator(likely, all_read),
            None if have_ids && !configured.format.is_registered() => Some(LikelyKeys {
                schema: configured.clone(),
                told: Some((
                    "they look like keys behind a schema registry's id".to_owned(),
                    self.ids.advice(&self.registry),
                )),
            }),
            None => None,
        }
    }

    /// The settings that seem to read all keys so far; None if only bytes do.
    pub fn likeliest(&self) -> Option<KeySchema> {
        let have_ids = self.ids.payloads == self.keys;
        let registered = have_ids.then(|| self.registered()).flatten();
        let schema = registered.map(|likely| likely.schema);
        schema.or_else(|| self.fitting.first().cloned())
    }

    /// How many columns the old separator gives in each key; 0 if it is in none, or they differ.
    pub fn separated(&self) -> usize {
        self.separated
    }

    /// The format that the registry names, with the window that gives keys of its schemas.
    fn registered(&self) -> Option<LikelyKeys> {
        let format = KeyFormat::Registered(self.ids.kind(&self.registry)?);
        let with_window = |window| KeySchema {
            format,
            window,
            ..KeySchema::default()
        };
        let fits = |schema: &KeySchema| {
            let decoder = Decoder::new(schema.clone(), ValueSchema::default(), &self.registry);
            let mut decoder = decoder.keeping_undecodable();
            self.framed
                .iter()
                .all(|key| match decoder.decode(&keyed(key)).map(|found| found.key) {
                    Ok(DecodedKey::Key { window, .. }) => window.is_none_or(is_plausible),
                    _ => false,
                })
        };
        let schema = WINDOWS.map(with_window).into_iter().find(fits)?;
        Some(LikelyKeys { schema, told: None })
    }

    /// Another number of fields, or another delimiter, or what is no line of fields at all.
    fn of_fields(&self) -> Option<(String, String)> {
        let (own, columns) = (self.configured.delimiter, self.configured.columns.len());
        let told = |seem: String, fix: String| Some((seem, fix));
        match (self.shapes.fields_at(own), self.shapes.delimiter_of(columns)) {
            (_, Some(other)) if columns > 1 && other != own => told(
                format!("they have \"{}\" between their fields", delimiter_name(other)),
                format!("key.delimiter = \"{}\"", delimiter_name(other)),
            ),
            (Some(count), _) if count > 1 && count != columns => told(
                format!("they have {count} fields"),
                format!("name {count} columns in key.columns, in the order of the fields"),
            ),
            _ => {
                let schema = self.fitting.first()?.clone();
                let likely = LikelyKeys { schema, told: None };
                told(likely.seem(), likely.settings(&self.configured))
            }
        }
    }

    /// Texts of several columns, or of one where several are configured.
    fn of_separator(&self, likely: LikelyKeys, all_read: bool) -> Option<LikelyKeys> {
        let told = match &self.configured.separator {
            None if self.separated > 1 && self.configured.format == KeyFormat::String => (
                format!("they have {OLD_SEPARATOR} between several columns"),
                format!(
                    "key.separator = \"{OLD_SEPARATOR}\", with {} names in key.columns, divides them",
                    self.separated
                ),
            ),
            Some(separator) if !all_read => (
                format!("they are texts without {separator}, or with another number of parts"),
                "look at such a key, and at key.separator and key.columns".to_owned(),
            ),
            _ => return None,
        };
        let told = Some(told);
        Some(LikelyKeys { told, ..likely })
    }
}

fn keyed(key: &[u8]) -> Record<'_> {
    Record {
        partition: 0,
        offset: 0,
        timestamp_ms: -1,
        key: Some(key),
        value: None,
        headers: Vec::new(),
    }
}

impl LikelyKeys {
    pub fn has_window(&self) -> bool {
        self.told.is_none() && self.schema.window.is_some()
    }

    fn is_as(&self, configured: &KeySchema) -> bool {
        let kind = |window: Option<Window>| window.map(|window| matches!(window, Window::Session));
        self.schema.format == configured.format && kind(self.schema.window) == kind(configured.window)
    }

    /// Whether the configured format reads every such key, but wrongly.
    pub fn are_misread_as(&self, configured: &KeySchema) -> bool {
        let window_missed = match (configured.window, self.schema.window) {
            (None, Some(_)) => configured.format != KeyFormat::Bytes,
            (Some(Window::Time { .. }), Some(Window::Session)) => true,
            _ => false,
        };
        let as_text = configured.format == KeyFormat::String && self.schema.format != KeyFormat::String;
        window_missed || as_text || self.told.is_some()
    }

    /// Whether it can't be meant so in a table.
    pub fn is_certain(&self) -> bool {
        self.told.is_none()
    }

    /// In words: `they are JSON`.
    pub fn seem(&self) -> String {
        if let Some((seem, _)) = &self.told {
            return seem.clone();
        }
        match (self.schema.window, self.schema.format) {
            (None, KeyFormat::Json) => "they are JSON".to_owned(),
            (None, format) => format!("they look like {format}"),
            (Some(Window::Session), _) => "they end in a session's two times".to_owned(),
            (Some(_), _) => "they end in the 8 bytes of a window's start".to_owned(),
        }
    }

    /// The configuration that would read such keys.
    pub fn settings(&self, configured: &KeySchema) -> String {
        if let Some((_, settings)) = &self.told {
            return settings.clone();
        }
        let mut lines = Vec::new();
        if self.schema.format != configured.format {
            lines.push(format!("key.format = \"{}\"", self.schema.format));
        }
        match (self.schema.window, configured.window) {
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

fn is_plausible(bounds: WindowBounds) -> bool {
    PLAUSIBLE_MS.contains(&bounds.start_ms) && PLAUSIBLE_MS.contains(&bounds.end_ms)
}

/// Whether a key is not only readable in this format, but also seems to be meant so.
fn looks_like(schema: &KeySchema, key: &[u8]) -> bool {
    let DecodedKey::Key { key, window } = schema.decode(Some(key)) else {
        return false;
    };
    let text = |text: &str| !text.is_empty() && !text.chars().any(char::is_control);
    window.is_none_or(is_plausible)
        && match key {
            Key::Text(value) => text(&value),
            // Numbers and bare words are more likely text.
            Key::Json(value) => value.starts_with(['{', '[', '"']),
            Key::Double(number) => looks_double(number),
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DeclaredColumn;

    const START: &[u8] = &1_761_825_600_000i64.to_be_bytes();

    fn advice(keys: &[Vec<u8>], configured: &KeySchema) -> String {
        let mut guess = KeyGuess::new(configured, &Registry::default());
        keys.iter().for_each(|key| guess.take(&keyed(key)));
        let likely = guess.other_than_configured(false);
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
        assert_eq!(
            advice(&[1.5f64.to_be_bytes().to_vec()], &plain),
            "key.format = \"double\""
        );
        let behind_an_id = advice(&[b"\0\0\0\0\x07\x0cUSER-1".to_vec()], &plain);
        assert!(
            behind_an_id.contains("schema_registry.url") && behind_an_id.contains("key.format = \"avro\""),
            "{behind_an_id}"
        );
    }

    #[test]
    fn other_fields_and_separators_are_named() {
        let columns = |count: usize| {
            (0..count)
                .map(|i| DeclaredColumn::named(&i.to_string()))
                .collect()
        };
        let delimited = KeySchema {
            format: KeyFormat::Delimited,
            columns: columns(2),
            delimiter: ',',
            ..KeySchema::default()
        };
        assert!(advice(&[b"a,1,x".to_vec()], &delimited).starts_with("name 3 columns in key.columns"));
        assert_eq!(advice(&[b"a;1".to_vec()], &delimited), "key.delimiter = \";\"");
        assert_eq!(advice(&[b"a".to_vec()], &delimited), "key.format = \"string\"");
        let plain = KeySchema::default();
        let old = [b"a|+|1".to_vec(), b"b|+|2".to_vec()];
        assert!(advice(&old, &plain).starts_with("key.separator = \"|+|\", with 2 names"));
        assert_eq!(advice(&[b"a|+|1".to_vec(), b"b".to_vec()], &plain), "nothing");
        let separated = KeySchema {
            separator: Some("|+|".to_owned()),
            columns: columns(2),
            ..KeySchema::default()
        };
        assert!(advice(&[b"a".to_vec()], &separated).contains("key.separator"));
    }

    #[test]
    fn keys_that_a_wrong_format_reads_are_noticed() {
        let misread = |key: &[u8], configured: &KeySchema| {
            let mut guess = KeyGuess::new(configured, &Registry::default());
            guess.take(&keyed(key));
            guess
                .other_than_configured(true)
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
        // The bytes of numbers, and of a schema's id, are UTF-8 too.
        assert!(misread(&7i32.to_be_bytes(), &of(KeyFormat::String)));
        assert!(misread(b"\0\0\0\0\x07\x0cUSER-1", &of(KeyFormat::String)));
        assert!(!misread(&(1i64 << 40).to_be_bytes(), &of(KeyFormat::Bigint)));
    }
}
