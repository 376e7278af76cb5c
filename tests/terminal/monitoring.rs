//! docs/MONITORING.md keeps its word: what it names is written, and what is written is named.

use std::collections::BTreeSet;

use super::exposition::Exposition;
use crate::common::kafka::{Topic, record};
use crate::world::Warehouse;

const DOCUMENT: &str = include_str!("../../docs/MONITORING.md");

fn names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
        .filter(|word| word.starts_with("lakectl_") && *word != "lakectl_rejects")
        .map(str::to_owned)
        .collect()
}

/// The code blocks of a language.
fn blocks(language: &str) -> Vec<&'static str> {
    let open = format!("```{language}\n");
    let parts = DOCUMENT.split(&open).skip(1);
    parts.map(|part| part.split_once("```").unwrap().0).collect()
}

#[test]
fn what_the_document_names_is_written() {
    let (table, old) = (Topic::compacted("documented"), Topic::new("documented-old"));
    table.send(&[record("P-1", "{\"PURCHASE_COUNT\":1}")]);
    old.send(&[record("k", "{}").on("2001-01-01T12:00:00Z"), record("k", "{}")]);
    let rows = Topic::compacted("documented-rows");
    rows.send(&[record("a", "{\"AT\":\"2001-01-01T00:00:00Z\"}")]);
    let mut warehouse = Warehouse::new();
    warehouse.execute(
        "CREATE TABLE documented (id VARCHAR(20) PRIMARY KEY, at DATETIME, KEY (at)) ENGINE = InnoDB",
    );
    warehouse.set_topics(&format!(
        "[topics.{old:?}]\nkind = \"stream\"\n\
         [topics.{table:?}]\nkind = \"table\"\nkey.columns = [\"product_id\"]\n\
         warehouse.table = \"product_purchase_counts\"\n\
         [topics.{rows:?}]\nkind = \"table\"\nkey.columns = [\"id\"]\nwarehouse.table = \"documented\"\n\
         warehouse.retention = {{ column = \"at\", keep = \"7d\" }}\n",
        old = old.name,
        table = table.name,
        rows = rows.name,
    ));
    let run = |arguments: &[&str]| {
        let env = [("LAKECTL_METRICS_FILE", "lakectl.prom")];
        warehouse.start_with(arguments, &env).wait().expect(0)
    };
    run(&["lake"]);
    run(&["warehouse"]);
    run(&["lake", "--verify"]);
    run(&["compact"]);
    run(&["purge", "--yes", "--older-than", "1y", "--max-fraction", "1"]);
    let written = Exposition::of(&warehouse.folder().join("lakectl.prom")).names();
    let documented = names(DOCUMENT);
    let missing: Vec<_> = documented.difference(&written).collect();
    assert!(missing.is_empty(), "named, and not written: {missing:?}");
    let untold: Vec<_> = written.difference(&documented).collect();
    assert!(untold.is_empty(), "written, and not named: {untold:?}");
    // Every metric has a line of its own in the table, and every rule is about metrics.
    for name in &written {
        assert!(
            DOCUMENT.contains(&format!("| `{name}`")),
            "{name} is not in the table"
        );
    }
    let rules = blocks("yaml").concat();
    for rule in rules.split("- alert:").skip(1) {
        assert!(
            !names(rule).is_empty() && rule.contains("expr:") && rule.contains("summary:"),
            "{rule}"
        );
    }
    assert!(rules.matches("- alert:").count() >= 6, "{rules}");
}
