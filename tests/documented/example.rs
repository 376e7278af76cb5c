//! examples/lakectl-avro.toml, with the topics that the generator makes in Avro: lake and warehouse hold the same as from JSON.

use std::collections::BTreeSet;

use crate::common::example::{OTHERS, TABLES, entries, entries_of, produce, produce_with};
use crate::common::files::data_files;
use crate::common::kafka::Topic;
use crate::common::lake::{Lake, number};
use crate::common::{service, unique};
use crate::world::{Row, Warehouse};

#[test]
fn topics_in_avro_come_to_what_they_come_to_in_json() {
    let [json, avro] = ["example-json-", "example-avro-"].map(unique);
    let _topics: Vec<Topic> = [&json, &avro]
        .into_iter()
        .flat_map(|prefix| {
            OTHERS
                .iter()
                .chain(&TABLES)
                .map(move |name| Topic::named(format!("{prefix}{name}")))
        })
        .collect();
    let url = service("LAKECTL_SCHEMA_REGISTRY_URL");
    // The second run goes on where the first one stopped.
    for seed in ["1", "2"] {
        produce(&json, seed);
        produce_with(&avro, seed, &["--format", "avro", "--schema-registry", &url]);
    }
    let of_avro = format!(
        "[schema_registry]\nurl = {url:?}\n{}",
        entries_of("examples/lakectl-avro.toml", &avro)
    );
    let of_json = (json.as_str(), entries(&json));
    let [lines, lines_of_avro] =
        [&of_json, &(&avro, of_avro.clone())].map(|(prefix, entries)| lines(prefix, entries));
    assert!(lines.len() > 3_000, "{}", lines.len());
    let differing: Vec<_> = lines.symmetric_difference(&lines_of_avro).take(4).collect();
    assert!(differing.is_empty(), "{differing:#?}");
    assert_eq!(rows(&of_json.1), rows(&of_avro));
}

/// All lines of the lake, with the topic's name before them, but not where the record was: partitions follow the keys' bytes.
fn lines(prefix: &str, entries: &str) -> BTreeSet<String> {
    let mut lake = Lake::new();
    lake.set_topics(entries);
    let report = lake.drain();
    assert_eq!(report["topics"].as_array().unwrap().len(), 10);
    for topic in report["topics"].as_array().unwrap() {
        assert_eq!(number(topic, "irregular"), 0, "{topic}");
    }
    let mut found = BTreeSet::new();
    for kind in ["streams", "tables"] {
        for file in data_files(&lake.root().join(kind)) {
            let topic = file.path.split('/').next().unwrap().strip_prefix(prefix).unwrap();
            for line in &file.lines {
                let (_, rest) = line.split_once("\"_timestamp\"").unwrap();
                found.insert(format!("{topic} {}", without_surrogates(rest)));
            }
        }
    }
    found
}

/// ksqlDB's JSON has characters beyond the BMP as two escapes; Avro has them as they are.
fn without_surrogates(line: &str) -> String {
    let mut rest = line;
    let mut plain = String::new();
    while let Some(at) = rest.find("\\uD8") {
        plain += &rest[..at];
        plain += &serde_json::from_str::<String>(&format!("\"{}\"", &rest[at..at + 12])).unwrap();
        rest = &rest[at + 12..];
    }
    plain + rest
}

fn rows(entries: &str) -> Vec<Vec<Row>> {
    let mut warehouse = Warehouse::new();
    warehouse.set_topics(entries);
    warehouse.drain();
    let of = |table: &str| {
        let mut rows = warehouse.query(&format!("SELECT * FROM {}", table.to_lowercase()));
        assert!(!rows.is_empty(), "{table}");
        // The last column is when the row changed.
        rows.iter_mut().for_each(|row| drop(row.pop()));
        rows.sort();
        rows
    };
    TABLES.iter().map(|table| of(table)).collect()
}
