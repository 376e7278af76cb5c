//! ksqlDB's own description of its streams and tables.

use anyhow::Result;
use serde::Deserialize;
use serde_json::json;

use super::statement::CreateStatement;
use crate::config::{DeclaredType, HttpSettings};
use crate::decode::stated::ksqldb::{KEY_FORMAT, KsqlColumn, KsqlType, VALUE_FORMAT};
use crate::http::{Answer, HttpClient, HttpDialect};
use crate::problem::Problem;

static DIALECT: HttpDialect = HttpDialect {
    accept: "application/vnd.ksql.v1+json",
    content_type: "application/vnd.ksql.v1+json",
    rights: "run LIST STREAMS and LIST TABLES",
    at_wrong_path: |_| "is this ksqlDB? check the address in ksqldb.url, which has no path",
};
const STATEMENTS: [&str; 2] = ["LIST STREAMS EXTENDED;", "LIST TABLES EXTENDED;"];

/// A stream or table, and what is known of the records in its topic.
#[derive(Debug, Clone)]
pub(super) struct KsqlSource {
    pub name: String,
    pub topic: String,
    pub is_table: bool,
    pub key_format: String,
    pub value_format: String,
    pub keys: Vec<KsqlColumn>,
    pub values: Vec<KsqlColumn>,
    /// TUMBLING, HOPPING or SESSION
    pub window: Option<String>,
    pub statement: CreateStatement,
    /// Whether ksqlDB writes the topic, and doesn't just read it.
    pub is_written: bool,
}

/// All of them, and what ksqlDB warns of.
#[derive(Debug, Default)]
pub(super) struct KsqlSources {
    pub all: Vec<KsqlSource>,
    pub warnings: Vec<String>,
}

/// An entry of an answer. Those of statements that we don't send have other fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct EntityAnswer {
    #[serde(alias = "source_descriptions")]
    source_descriptions: Option<Vec<SourceAnswer>>,
    warnings: Option<Vec<WarningAnswer>>,
}

#[derive(Debug, Deserialize)]
struct WarningAnswer {
    message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SourceAnswer {
    name: String,
    topic: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    window_type: Option<String>,
    key_format: Option<String>,
    value_format: Option<String>,
    #[serde(default)]
    fields: Vec<FieldAnswer>,
    statement: Option<String>,
    write_queries: Option<Vec<serde::de::IgnoredAny>>,
}

#[derive(Debug, Deserialize)]
struct FieldAnswer {
    name: String,
    schema: TypeAnswer,
    /// KEY, SYSTEM, HEADER
    #[serde(rename = "type", alias = "fieldType")]
    role: Option<String>,
}

#[derive(Debug, Deserialize)]
struct TypeAnswer {
    #[serde(rename = "type")]
    name: String,
    parameters: Option<DecimalAnswer>,
}

#[derive(Debug, Deserialize)]
struct DecimalAnswer {
    precision: Option<u32>,
    scale: Option<u32>,
}

/// Asks for all streams and tables.
///
/// # Errors
/// ksqlDB can't be reached or refuses: exit code 1. A certificate can't be used: exit code 2.
pub(super) fn ask(settings: &HttpSettings) -> Result<KsqlSources> {
    let client = HttpClient::new(settings, &DIALECT)?;
    let mut sources = KsqlSources::default();
    for statement in STATEMENTS {
        let question = json!({"ksql": statement, "streamsProperties": {}});
        let answer = client.post::<Vec<EntityAnswer>>("/ksql", &question);
        let entities = match answer.map_err(|unanswered| unanswered.problem)? {
            Answer::Found(entities) => entities,
            Answer::Missing(said) => {
                let said = client.without_secrets(&said.shown());
                return Problem::new(format!("ksqlDB {} refuses {statement}{said}", client.shown())).err();
            }
        };
        for entity in entities {
            let warnings = entity.warnings.into_iter().flatten();
            sources
                .warnings
                .extend(warnings.filter_map(|warning| warning.message));
            let described = entity.source_descriptions.into_iter().flatten();
            sources
                .all
                .extend(described.map(|source| source.read(statement == STATEMENTS[1])));
        }
    }
    Ok(sources)
}

impl SourceAnswer {
    fn read(self, is_among_tables: bool) -> KsqlSource {
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for field in self.fields {
            let column = KsqlColumn {
                kind: field.schema.read(),
                name: field.name,
            };
            match field.role.as_deref() {
                None => values.push(column),
                Some("KEY") => keys.push(column),
                // Pseudo columns, and those of the record's headers.
                Some(_) => {}
            }
        }
        let statement = CreateStatement::read(self.statement.as_deref().unwrap_or_default());
        let window = self.window_type.filter(|window| !window.is_empty());
        KsqlSource {
            is_table: self
                .kind
                .map_or(is_among_tables, |kind| kind.eq_ignore_ascii_case("TABLE")),
            key_format: self.key_format.unwrap_or_else(|| KEY_FORMAT.to_owned()),
            value_format: self.value_format.unwrap_or_else(|| VALUE_FORMAT.to_owned()),
            window: window.map(|window| window.to_uppercase()),
            is_written: self.write_queries.is_some_and(|queries| !queries.is_empty()),
            name: self.name,
            topic: self.topic,
            keys,
            values,
            statement,
        }
    }
}

impl TypeAnswer {
    fn read(&self) -> KsqlType {
        let name = self.name.to_uppercase();
        let decimal = self
            .parameters
            .as_ref()
            .and_then(|of| Some((of.precision?, of.scale?)));
        let plain = match decimal {
            Some((precision, scale)) if name == "DECIMAL" => format!("DECIMAL({precision},{scale})"),
            _ => name,
        };
        match (DeclaredType::parse(&plain), &*plain) {
            (Some(kind), _) => KsqlType::Plain(kind),
            (None, "ARRAY") => KsqlType::Array,
            (None, "MAP" | "STRUCT") => KsqlType::Object,
            (None, _) => KsqlType::Unknown,
        }
    }
}
