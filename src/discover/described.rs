//! Entries of topics that ksqlDB describes.

use super::entry::{Origin, TopicEntry};
use super::ksqldb::{KsqlSource, KsqlSources};
use crate::config::{Kind, WrittenSetting, quoted, units};
use crate::decode::stated::ksqldb::{KsqlProperties, NULLS_PROPERTY, has_no_keys, keys, values};

/// How far a statement is followed to the statements of what it selects from.
const STATEMENTS_MAX: usize = 20;

impl KsqlSource {
    fn kind(&self) -> Kind {
        if self.is_table { Kind::Table } else { Kind::Stream }
    }
}

impl KsqlSources {
    /// The stream or table that tells most of a topic: the one that ksqlDB writes it for, else the one that is as Kafka keeps it.
    pub fn of_topic(&self, topic: &str, is_compacted: bool) -> Option<&KsqlSource> {
        let of_it = self.all.iter().filter(|source| source.topic == topic);
        of_it.max_by_key(|source| {
            let tells_keys = !source.keys.is_empty();
            (source.is_written, source.is_table == is_compacted, tells_keys)
        })
    }

    /// The entry of its topic, and whether it lacks the keys, which ksqlDB doesn't read.
    pub fn entry(&self, source: &KsqlSource) -> (TopicEntry, bool) {
        let kind = source.kind();
        let from = |what: String| Origin::said_by(format!("ksqlDB: {what}"));
        let name = &source.name;
        let mut entry = TopicEntry::new(&source.topic, kind, &from(format!("{kind} {name}")));
        let lacks_keys = source.keys.is_empty() && !has_no_keys(&source.key_format);
        if !lacks_keys {
            let delimiter = self.delimiter(source, "KEY_DELIMITER", |source| &source.key_format);
            let properties = KsqlProperties {
                delimiter,
                ..KsqlProperties::default()
            };
            let stated = keys(&source.key_format, &source.keys, properties);
            entry.add(
                stated.schema.written(),
                &from(format!("KEY_FORMAT {} of {name}", source.key_format)),
            );
            entry.note_of_stated(&stated);
        }
        if let Some((setting, told)) = self.window(source) {
            entry.add([setting], &from(told));
        }
        let statement = &source.statement;
        let nulls = statement.property(NULLS_PROPERTY);
        let properties = KsqlProperties {
            delimiter: self.delimiter(source, "VALUE_DELIMITER", |source| &source.value_format),
            is_unwrapped: statement
                .property("WRAP_SINGLE_VALUE")
                .is_some_and(|wrap| wrap.eq_ignore_ascii_case("FALSE")),
            has_nulls: nulls.is_some_and(|nulls| !nulls.is_empty()),
        };
        let stated = values(&source.value_format, &source.values, properties);
        entry.add(
            stated.schema.written(),
            &from(format!("VALUE_FORMAT {} of {name}", source.value_format)),
        );
        entry.note_of_stated(&stated);
        let others = self
            .all
            .iter()
            .filter(|other| other.topic == source.topic && other.name != *name);
        let others: Vec<String> = others
            .map(|other| format!("{} {}", other.kind(), other.name))
            .collect();
        if !others.is_empty() {
            entry.note([format!("ksqlDB also has the topic as {}", others.join(", "))]);
        }
        (entry, lacks_keys)
    }

    /// The delimiter by its own statement, or that of what it selects from, whose format it takes over.
    fn delimiter<'s>(
        &'s self,
        source: &'s KsqlSource,
        property: &str,
        format: fn(&KsqlSource) -> &String,
    ) -> Option<&'s str> {
        let statements = self.line_of(source);
        let alike = statements.take_while(|other| format(other).eq_ignore_ascii_case(format(source)));
        alike
            .into_iter()
            .find_map(|other| other.statement.property(property))
    }

    /// The setting of its windows, and from what it is known.
    fn window(&self, source: &KsqlSource) -> Option<(WrittenSetting, String)> {
        let own = source.statement.window.as_ref();
        let kind = source.window.as_ref().or(own.map(|window| &window.kind))?;
        let typed = format!("type = {}", quoted(&kind.to_lowercase()));
        let sized = self
            .line_of(source)
            .find_map(|other| Some((other, other.statement.window.as_ref()?.size_ms?)));
        let (value, told) = match sized {
            _ if kind == "SESSION" => (typed, format!("windows of {}", source.name)),
            Some((other, size_ms)) => (
                format!("{typed}, size = {}", quoted(&units::shortest(size_ms))),
                format!("SIZE in the statement of {}", other.name),
            ),
            None => (
                typed,
                format!("{}, in whose statement there is no SIZE", source.name),
            ),
        };
        Some((("window", format!("{{ {value} }}")), told))
    }

    /// The source, what it selects from, and so on.
    fn line_of<'s>(&'s self, source: &'s KsqlSource) -> impl Iterator<Item = &'s KsqlSource> {
        let next = |source: &&'s KsqlSource| {
            let from = source.statement.from.as_ref()?;
            self.all.iter().find(|other| other.name == *from)
        };
        std::iter::successors(Some(source), next).take(STATEMENTS_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::statement::CreateStatement;
    use super::*;

    fn source(name: &str, window: Option<&str>, statement: &str) -> KsqlSource {
        KsqlSource {
            name: name.to_owned(),
            topic: name.to_lowercase(),
            is_table: window.is_some(),
            key_format: "DELIMITED".to_owned(),
            value_format: "DELIMITED".to_owned(),
            keys: vec![text("K")],
            values: vec![text("V")],
            window: window.map(str::to_owned),
            statement: CreateStatement::read(statement),
            is_written: true,
        }
    }

    fn text(name: &str) -> crate::decode::stated::ksqldb::KsqlColumn {
        crate::decode::stated::ksqldb::KsqlColumn {
            name: name.to_owned(),
            kind: crate::decode::stated::ksqldb::KsqlType::Plain(crate::config::DeclaredType::Varchar),
        }
    }

    fn toml(sources: Vec<KsqlSource>, topic: &str) -> String {
        let sources = KsqlSources {
            all: sources,
            warnings: Vec::new(),
        };
        let source = sources.of_topic(topic, false).unwrap();
        sources.entry(source).0.shown().toml
    }

    #[test]
    fn sizes_and_delimiters_come_down_from_what_is_selected_from() {
        let base = source(
            "BASE",
            None,
            "CREATE STREAM BASE (K STRING KEY, V STRING) WITH (KAFKA_TOPIC='base', FORMAT='DELIMITED', VALUE_DELIMITER='|');",
        );
        let first = source(
            "FIRST",
            Some("HOPPING"),
            "CREATE TABLE FIRST AS SELECT K, COUNT(*) V FROM BASE WINDOW HOPPING (SIZE 90 SECONDS, ADVANCE BY 1 SECOND) GROUP BY K;",
        );
        let second = source(
            "SECOND",
            Some("HOPPING"),
            "CREATE STREAM SECOND AS SELECT * FROM FIRST;",
        );
        let shown = toml(vec![base, first, second], "second");
        assert!(
            shown.contains(
                "window = { type = \"hopping\", size = \"90s\" }  # ksqlDB: SIZE in the statement of FIRST"
            ),
            "{shown}"
        );
        assert!(shown.contains("value.delimiter = \"|\""), "{shown}");
    }

    #[test]
    fn statements_that_select_from_each_other_end() {
        let a = source("A", Some("TUMBLING"), "CREATE TABLE A AS SELECT * FROM B;");
        let b = source("B", Some("TUMBLING"), "CREATE TABLE B AS SELECT * FROM A;");
        let shown = toml(vec![a, b], "a");
        assert!(
            shown.starts_with("# not complete: ") && shown.contains("window.size"),
            "{shown}"
        );
    }

    #[test]
    fn the_source_that_tells_most_is_taken() {
        let mut all = vec![source("R", None, ""), source("T", Some("SESSION"), "")];
        all.iter_mut().for_each(|source| source.topic = "x".to_owned());
        all.iter_mut().for_each(|source| source.is_written = false);
        let sources = KsqlSources {
            all,
            warnings: Vec::new(),
        };
        assert_eq!(sources.of_topic("x", true).unwrap().name, "T");
        assert_eq!(sources.of_topic("x", false).unwrap().name, "R");
        let shown = sources.entry(sources.of_topic("x", true).unwrap()).0.shown().toml;
        assert!(
            shown.contains("# ksqlDB also has the topic as stream R"),
            "{shown}"
        );
        assert!(shown.contains("window = { type = \"session\" }"), "{shown}");
    }
}
