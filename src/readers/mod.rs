//! Statements with which other programs read the lake: columns with types that fit every record, in the reader's syntax.

mod duckdb;
mod metastore;
mod polars;
mod sample;
mod schema;
mod spark;
mod typed;

use clap::ValueEnum;

use crate::config::Kind;

pub use sample::{Made, look};
pub use schema::{ColumnReport, FilesLocation, Schema, table_name};
pub use typed::TypedSchema;

/// A program that reads the lake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Reader {
    Duckdb,
    Polars,
    Spark,
    Trino,
    Hive,
}

/// Why a column of decimals has another type.
const ROUNDED: &str = "this reader makes doubles of them, which are exact to 15 digits";

/// A column of lines: its name, the type with which it is read, and a remark.
type JsonColumn<'s> = (&'s str, String, Option<String>);

/// The statement with which `reader` reads the topic.
pub fn statement(schema: &Schema, reader: Reader) -> String {
    match reader {
        Reader::Duckdb => duckdb::statement(schema),
        Reader::Polars => polars::statement(schema),
        Reader::Spark => spark::statement(schema),
        Reader::Trino => metastore::trino(schema),
        Reader::Hive => metastore::hive(schema),
    }
}

/// The same for a topic that has Parquet files, and maybe lines of JSON beside them.
pub fn typed_statement(schema: &TypedSchema, reader: Reader) -> String {
    match reader {
        Reader::Duckdb => typed::duckdb::statement(schema),
        Reader::Polars => typed::polars::statement(schema),
        Reader::Spark => typed::spark::statement(schema),
        Reader::Trino => typed::metastore::trino(schema),
        Reader::Hive => typed::metastore::hive(schema),
    }
}

/// Comments before a statement. Text from outside is escaped, so that each comment ends with its line.
struct Comments {
    mark: &'static str,
    text: String,
}

impl Comments {
    fn new(mark: &'static str, topic: &str, kind: Kind, reader: &str, head: &[String]) -> Comments {
        let mut comments = Comments {
            mark,
            text: String::new(),
        };
        let version = env!("CARGO_PKG_VERSION");
        comments.add(&format!("{kind} {topic} for {reader}, by lakectl {version}."));
        head.iter().for_each(|line| comments.add(line));
        comments
    }

    fn add(&mut self, line: &str) {
        self.text.push_str(&format!("{} {line}\n", self.mark));
    }

    fn left_out(&mut self, columns: impl IntoIterator<Item = String>) {
        for column in columns {
            self.add(&format!("Left out: {column}."));
        }
    }
}

/// A string literal of Python.
fn python(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
