//! A reader of the lake's files that knows nothing but their published form.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use std::io::Read;
use std::path::Path;

/// A data file.
#[derive(Debug, Clone)]
pub struct DataFile {
    /// Relative to the topic's folder.
    pub path: String,
    /// Without their line feeds.
    pub lines: Vec<String>,
}

impl DataFile {
    /// `2025-10-30`, or Hive's null name.
    pub fn day(&self) -> String {
        let names: Vec<&str> = self.path.split('/').collect();
        let [year, month, day, _] = names[..] else {
            panic!("{} is in no day folder", self.path)
        };
        let value = |name: &str, prefix: &str| name.strip_prefix(prefix).unwrap().to_owned();
        let parts = [value(year, "year="), value(month, "month="), value(day, "day=")];
        if parts.iter().all(|part| part == "__HIVE_DEFAULT_PARTITION__") {
            parts[0].clone()
        } else {
            parts.join("-")
        }
    }

    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }
}

/// All data files below a folder, by path. Whatever is not a regular file, or not named like data, is an error.
pub fn data_files(folder: &Path) -> Vec<DataFile> {
    let mut files = Vec::new();
    for found in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let found = match found {
            Err(_) if !folder.exists() => break,
            found => found.unwrap(),
        };
        if found.file_type().is_dir() {
            continue;
        }
        assert!(found.file_type().is_file(), "{found:?} is not a regular file");
        files.push(DataFile {
            path: found
                .path()
                .strip_prefix(folder)
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned(),
            lines: lines(found.path()),
        });
    }
    files
}

/// The lines of a file, decompressed as its name says; of Parquet, one for each row.
pub fn lines(path: &Path) -> Vec<String> {
    let name = path.file_name().unwrap().to_str().unwrap();
    if name.ends_with(".parquet") {
        return super::parquet::rows(path);
    }
    let raw = std::fs::read(path).unwrap();
    let mut text = String::new();
    if name.ends_with(".json.gz") {
        flate2::read::MultiGzDecoder::new(&raw[..])
            .read_to_string(&mut text)
            .unwrap();
    } else if name.ends_with(".json.zst") {
        zstd::Decoder::new(&raw[..])
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
    } else {
        assert!(name.ends_with(".json"), "{name} is not a data file");
        text = String::from_utf8(raw).unwrap();
    }
    assert!(
        text.is_empty() || text.ends_with('\n'),
        "{name} has no end of line"
    );
    assert!(!text.contains('\r'), "{name} has a carriage return");
    text.lines().map(str::to_owned).collect()
}

/// A line with metadata, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub partition: i64,
    pub offset: i64,
    pub timestamp_ms: i64,
    /// None where it did not decode.
    pub key: Option<Value>,
    pub key_bytes: Option<Vec<u8>>,
    pub window: Option<(i64, i64)>,
    pub headers: Option<Value>,
    pub error: Option<String>,
    /// The value's bytes, whatever form they stand in; None for a tombstone.
    pub value: Option<Vec<u8>>,
    /// Which form that is: `_value`, `_value_text`, `_value_base64`, or none: spliced.
    pub form: Option<&'static str>,
}

const FORMS: [&str; 3] = ["value", "value_text", "value_base64"];

impl Line {
    pub fn parse(text: &str, prefix: &str) -> Line {
        let mut line = Line {
            partition: -1,
            offset: -1,
            timestamp_ms: i64::MIN,
            key: None,
            key_bytes: None,
            window: None,
            headers: None,
            error: None,
            value: Some(b"{}".to_vec()),
            form: None,
        };
        // Where the metadata ends, the value's own fields begin: after the comma that follows.
        let mut after_metadata = 0;
        let mut names: Vec<&str> = Vec::new();
        let fields = fields(text);
        for (name, raw) in &fields {
            let ours = name.strip_prefix(prefix).filter(|name| line.take(name, raw));
            match ours {
                Some(name) => {
                    assert!(!names.contains(&name), "{name} stands twice in {text}");
                    names.push(name);
                    after_metadata = raw.get().as_ptr() as usize - text.as_ptr() as usize + raw.get().len();
                }
                None => {
                    assert!(line.form.is_none(), "a field beside the value in {text}");
                    assert_eq!(&text[after_metadata..=after_metadata], ",", "{text}");
                    line.value = Some(format!("{{{}", &text[after_metadata + 1..]).into_bytes());
                    break;
                }
            }
        }
        assert_eq!(names[..3], ["partition", "offset", "timestamp"], "{text}");
        line
    }

    /// Takes a field of ours; false: it is none.
    fn take(&mut self, name: &str, raw: &RawValue) -> bool {
        let parsed = || serde_json::from_str::<Value>(raw.get()).unwrap();
        let int = || raw.get().parse::<i64>().unwrap();
        let text = || parsed().as_str().unwrap().to_owned();
        match name {
            "partition" => self.partition = int(),
            "offset" => self.offset = int(),
            "timestamp" => self.timestamp_ms = int(),
            "key" => self.key = Some(parsed()),
            "key_base64" => self.key_bytes = Some(base64(&text())),
            "window_start" => self.window = Some((int(), 0)),
            "window_end" => self.window = self.window.map(|(start, _)| (start, int())),
            "headers" => self.headers = Some(parsed()),
            "error" => self.error = Some(text()),
            "value" if raw.get() == "null" => self.value = None,
            "value" => self.value = Some(raw.get().as_bytes().to_vec()),
            "value_text" => self.value = Some(text().into_bytes()),
            "value_base64" => self.value = Some(base64(&text())),
            _ => return false,
        }
        self.form = FORMS.into_iter().find(|form| *form == name).or(self.form);
        true
    }
}

pub fn base64(text: &str) -> Vec<u8> {
    base64::Engine::decode(&base64::engine::general_purpose::STANDARD, text).unwrap()
}

/// An object's fields in their order, values unparsed.
pub fn fields(text: &str) -> Vec<(String, &RawValue)> {
    let Fields(fields) = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"));
    fields
}

struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}
