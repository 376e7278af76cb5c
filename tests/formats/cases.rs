//! What ksqlDB writes: ksql_vectors.json, taken from ksqlDB's own functional tests. Each case names its source: a file of
//! confluentinc/ksql at a commit (Confluent Community License); `key_hex_derived` and the notes were added to it.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::common::kafka::NOON_MS;
use crate::exact::Exact;

const VECTORS: &str = include_str!("ksql_vectors.json");

#[derive(Deserialize)]
pub struct Case {
    pub source: String,
    pub value_format: String,
    pub window_type: Option<String>,
    records: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    key: Box<RawValue>,
    key_format: String,
    window: Option<Bounds>,
    value: Box<RawValue>,
    timestamp: Option<i64>,
    key_hex_derived: Option<String>,
}

#[derive(Deserialize)]
struct Bounds {
    start: i64,
    end: i64,
}

/// What a record of a case means, and its bytes.
#[derive(Debug, Clone)]
pub struct Meant {
    /// None: the record has no key. An object, or the value of the one column.
    pub key: Option<Exact>,
    /// In milliseconds.
    pub window: Option<(i64, i64)>,
    /// An object of the columns; None: the record has no value.
    pub value: Option<Exact>,
    pub timestamp_ms: i64,
    pub key_bytes: Option<Vec<u8>>,
    pub value_bytes: Option<Vec<u8>>,
}

pub fn all() -> Vec<Case> {
    serde_json::from_str(VECTORS).unwrap()
}

impl Case {
    pub fn key_format(&self) -> &str {
        &self.records[0].key_format
    }

    /// Whether all records have a key, as those of tables do.
    pub fn has_keys(&self) -> bool {
        self.records.iter().all(|record| record.key.get() != "null")
    }

    /// The lines of the topic's entry that say how keys are written.
    pub fn key_entry(&self) -> String {
        let old = self.records.iter().any(|record| record.key.get().contains("|+|"));
        match self.key_format() {
            "KAFKA(STRING)" if old => {
                "key.separator = \"|+|\"\nkey.columns = [\"A INT\", \"B INT\"]".to_owned()
            }
            "KAFKA(STRING)" => "key.columns = [\"ROWKEY\"]".to_owned(),
            "JSON(DECIMAL(4,2))" | "JSON(BOOLEAN)" => {
                "key.format = \"json\"\nkey.columns = [\"ROWKEY\"]".to_owned()
            }
            "JSON(INT,INT)" | "JSON(STRING,INT)" | "JSON(STRUCT<F1 INT,F2 INT>)" => {
                "key.format = \"json\"".to_owned()
            }
            "NONE" => "key.format = \"none\"".to_owned(),
            kafka => {
                let kind = kafka.strip_prefix("KAFKA(").unwrap().strip_suffix(')').unwrap();
                format!("key.format = \"kafka\"\nkey.columns = [\"ROWKEY {kind}\"]")
            }
        }
    }

    /// The same for values.
    pub fn value_entry(&self) -> String {
        let columns = self.columns();
        match self.value_format.as_str() {
            "JSON" => String::new(),
            "DELIMITED" => format!("value.format = \"delimited\"\nvalue.columns = {columns:?}"),
            _ => format!("value.format = \"kafka\"\nvalue.columns = {columns:?}"),
        }
    }

    /// The columns of values that don't name them.
    fn columns(&self) -> &'static [&'static str] {
        let is = |part: &str| self.source.contains(part);
        match self.value_format.as_str() {
            "KAFKA(BIGINT)" => &["V BIGINT"],
            "KAFKA(STRING)" => &["V STRING"],
            "DELIMITED" if is("table hopping") => &["WSTART BIGINT", "WEND BIGINT", "COUNT BIGINT"],
            "DELIMITED" if is("average in having") => &["AVG BIGINT"],
            "DELIMITED" if is("written decimals") => &["DEC DECIMAL(33,16)"],
            "JSON" => &[],
            other => panic!("no columns are known of {other}, {}", self.source),
        }
    }

    /// The `window` of the topic's entry.
    pub fn window_entry(&self) -> String {
        let Some(window) = &self.window_type else {
            return String::new();
        };
        let mut words = window.split([' ', '/']);
        let (kind, size) = (words.next().unwrap().to_lowercase(), words.next().unwrap());
        format!("window = {{ type = {kind:?}, size = {size:?} }}")
    }

    pub fn records(&self) -> Vec<Meant> {
        let meant = |(number, record): (usize, &Written)| self.meant(number, record);
        self.records.iter().enumerate().map(meant).collect()
    }

    fn meant(&self, number: usize, record: &Written) -> Meant {
        let key = match Exact::parse(record.key.get()) {
            Exact::Null => None,
            Exact::Text(text) => Some(match text.split_once("|+|") {
                None => Exact::Text(text),
                Some((a, b)) => object([("A", number_of(a)), ("B", number_of(b))]),
            }),
            other => Some(other),
        };
        let written = Exact::parse(record.value.get());
        Meant {
            key,
            window: record.window.as_ref().map(|window| (window.start, window.end)),
            value_bytes: self.bytes(&written),
            value: self.object(written),
            // 0 is "now" to producers.
            timestamp_ms: record
                .timestamp
                .map_or(NOON_MS + number as i64, |time| time.max(1)),
            key_bytes: record.key_hex_derived.as_deref().map(from_hex),
        }
    }

    /// A value as it goes over the wire.
    fn bytes(&self, written: &Exact) -> Option<Vec<u8>> {
        Some(match (self.value_format.as_str(), written) {
            (_, Exact::Null) => return None,
            ("JSON", value) => value.to_string().into_bytes(),
            ("KAFKA(BIGINT)", Exact::Number(number)) => number.parse::<i64>().unwrap().to_be_bytes().to_vec(),
            (_, Exact::Text(text)) => text.clone().into_bytes(),
            (format, value) => panic!("{value:?} in {format}"),
        })
    }

    /// A value with the names of its columns.
    fn object(&self, written: Exact) -> Option<Exact> {
        let names = self
            .columns()
            .iter()
            .map(|column| column.split_once(' ').unwrap().0);
        match written {
            Exact::Null => None,
            Exact::Text(line) if self.value_format == "DELIMITED" => {
                let mut reader = csv::ReaderBuilder::new()
                    .has_headers(false)
                    .from_reader(line.as_bytes());
                let fields = reader.records().next().unwrap().unwrap();
                Some(object(names.zip(fields.iter().map(number_of))))
            }
            Exact::Object(_) => Some(written),
            bare => Some(object(names.zip([bare]))),
        }
    }
}

impl Meant {
    /// The same with another key, where it has none.
    pub fn with_key(self, text: String) -> Meant {
        assert_eq!(self.key, None);
        Meant {
            key_bytes: Some(text.clone().into_bytes()),
            key: Some(Exact::Text(text)),
            ..self
        }
    }
}

pub fn object<'n>(fields: impl IntoIterator<Item = (&'n str, Exact)>) -> Exact {
    let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
    Exact::Object(fields.collect())
}

fn number_of(text: &str) -> Exact {
    Exact::Number(text.to_owned())
}

fn from_hex(text: &str) -> Vec<u8> {
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}
