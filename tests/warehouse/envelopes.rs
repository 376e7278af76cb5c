//! Records in the envelopes of Debezium and Kafka Connect, and records that fill nothing but their key.

use serde_json::Value;

use super::world::{Row, Warehouse};
use crate::common::envelope::Converter::{self, Bare, WithSchema};
use crate::common::envelope::person;
use crate::common::kafka::{Topic, record};
use crate::common::lake::number;

fn entry(topic: &Topic, more: &str) -> String {
    format!(
        "[topics.{:?}]\nkind = \"table\"\nkey = {{ format = \"json\" }}\nwarehouse.table = \"people\"\n{more}\n",
        topic.name
    )
}

fn with_people(mut warehouse: Warehouse, topic: &Topic, more: &str) -> Warehouse {
    warehouse.execute(
        "CREATE TABLE people (id INT NOT NULL PRIMARY KEY, name VARCHAR(40), payload JSON, \
         last_updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP)",
    );
    warehouse.set_topics(&entry(topic, more));
    warehouse
}

fn people(warehouse: &Warehouse) -> Vec<Row> {
    warehouse.query("SELECT id, name FROM people ORDER BY id")
}

fn rows(expected: &[(&str, Option<&str>)]) -> Vec<Row> {
    let row = |(id, name): &(&str, Option<&str>)| vec![Some((*id).to_owned()), name.map(str::to_owned)];
    expected.iter().map(row).collect()
}

fn changes(warehouse: Warehouse, converter: Converter) {
    let topic = Topic::compacted("debezium");
    let warehouse = with_people(warehouse, &topic, "value.unwrap = \"debezium\"");
    let (ada, bob, cleo) = (person(1, "Ada"), person(2, "Bob"), person(3, "Cleo"));
    topic.send(&[
        converter.change(1, "r", "null", &ada),
        converter.change(2, "r", "null", &bob),
        converter.change(3, "c", "null", &cleo),
    ]);
    let report = warehouse.one(&[], 0);
    assert_eq!(number(&report, "upserted"), 3);
    let all = [("1", Some("Ada")), ("2", Some("Bob")), ("3", Some("Cleo"))];
    assert_eq!(people(&warehouse), rows(&all));
    let payload = "SELECT COUNT(*) FROM people WHERE JSON_EXTRACT(payload, '$.after.op') = 'd'";
    assert_eq!(warehouse.value(payload), "3");
    topic.send(&[
        converter.change(1, "u", &ada, &person(1, "Ada L.")),
        converter.change(2, "d", &bob, "null"),
        converter.tombstone(2),
        converter.change(4, "c", "null", &person(4, "Dora")),
        converter.change(4, "d", &person(4, "Dora"), "null"),
        converter.change(3, "d", &cleo, "null"),
        converter.tombstone(3),
        converter.change(3, "c", "null", &person(3, "Cleo again")),
    ]);
    let report = warehouse.one(&[], 0);
    assert_eq!(
        (number(&report, "deleted"), number(&report, "tombstones")),
        (1, 5)
    );
    let left = rows(&[("1", Some("Ada L.")), ("3", Some("Cleo again"))]);
    assert_eq!(people(&warehouse), left);
    warehouse.run(&["--rebuild"]).expect(0);
    assert_eq!(people(&warehouse), left);
    assert_eq!(warehouse.value("SELECT COUNT(*) FROM lakectl_rejects"), "0");
}

#[test]
fn changes_of_debezium_become_rows() {
    changes(Warehouse::new(), Bare);
}

#[test]
fn changes_of_debezium_with_schemas_become_rows() {
    changes(Warehouse::new(), WithSchema(1));
}

#[test]
fn changes_of_debezium_become_rows_of_mariadb() {
    changes(Warehouse::on_mariadb(), WithSchema(1));
}

#[test]
fn payloads_of_connect_become_rows() {
    let topic = Topic::compacted("connect");
    let warehouse = with_people(Warehouse::new(), &topic, "value.unwrap = \"connect\"");
    topic.send(&[
        WithSchema(1).row(1, &person(1, "Ada")),
        WithSchema(1).row(2, &person(2, "Bob")),
        // Its keys may have another converter, or a schema of another version.
        record(&Bare.key(1), &WithSchema(1).dress(&person(1, "Ada L."))),
        WithSchema(2).tombstone(2),
        WithSchema(2).row(3, "null"),
    ]);
    let report = warehouse.one(&[], 0);
    assert_eq!(
        (number(&report, "upserted"), number(&report, "tombstones")),
        (1, 2)
    );
    assert_eq!(people(&warehouse), rows(&[("1", Some("Ada L."))]));
}

#[test]
fn what_is_not_in_the_envelope_is_rejected() {
    let topic = Topic::new("no-envelope");
    let warehouse = with_people(Warehouse::new(), &topic, "value.unwrap = \"debezium\"");
    let (ada, long) = (person(1, "Ada"), person(8, &"x".repeat(41)));
    topic.send(&[
        Bare.change(1, "c", "null", &ada),
        record(&Bare.key(1), &person(1, "without an envelope")),
        Bare.change(1, "u", &ada, "\"{}\""),
        Bare.change(1, "x", "null", &ada),
        record(&Bare.key(1), "{\"op\":\"d\"}"),
        record("", "{\"source\":{},\"op\":\"t\",\"ts_ms\":1}").key(None),
        record(
            "{\"prefix\":\"p\"}",
            "{\"source\":{},\"op\":\"m\",\"message\":{\"prefix\":\"p\"}}",
        ),
        // The column refuses its row.
        WithSchema(1).change(8, "u", &person(8, "y"), &long),
        // A row of a table without a primary key.
        Bare.change(9, "c", "null", &person(9, "keyless")).key(None),
    ]);
    let report = warehouse.one(&[], 3);
    assert_eq!(
        (number(&report, "rejected"), number(&report, "irregular")),
        (7, 1)
    );
    assert_eq!(people(&warehouse), rows(&[("1", Some("Ada"))]));
    let reasons = warehouse.query("SELECT `offset`, reason FROM lakectl_rejects ORDER BY 1");
    let words = [
        "it has no op",
        "not an object",
        "none of c, u, r",
        "neither before nor after",
        "truncated",
        "it is a message, not a row",
    ];
    for ((row, words), offset) in reasons.iter().zip(words).zip(1..) {
        assert_eq!(row[0], Some(offset.to_string()));
        assert!(row[1].as_ref().unwrap().contains(words), "{row:?}");
    }
    // A row stands there without its envelope, anything else as it came.
    let kept = |offset: u32| {
        let sql = format!("SELECT `key`, `value` FROM lakectl_rejects WHERE `offset` = {offset}");
        warehouse.query(&sql).remove(0)
    };
    assert_eq!(kept(4), [Bare.key(1), "{\"op\":\"d\"}".to_owned()].map(Some));
    assert_eq!(kept(7), [Bare.key(8), long].map(Some));
}

/// The warning that says that nothing but keys was filled.
fn unfilled(report: &Value) -> Option<String> {
    let warnings = report["warnings"].as_array().unwrap().iter();
    let mut warnings = warnings.map(Value::to_string);
    warnings.find(|warning| warning.contains("filled a column beside the key (id)"))
}

#[test]
fn records_that_fill_nothing_but_the_key_are_told() {
    let topic = Topic::compacted("unfilled");
    let mut warehouse = with_people(Warehouse::new(), &topic, "");
    let told = |warehouse: &Warehouse, words: &[&str]| {
        let report = warehouse.run(&[]).expect(3).report();
        let warning = unfilled(&report).unwrap_or_else(|| panic!("{report}"));
        for word in words {
            assert!(warning.contains(word), "no {word} in {warning}");
        }
    };
    let quiet = |warehouse: &Warehouse| {
        let report = warehouse.run(&[]).expect(0).report();
        assert_eq!(unfilled(&report), None);
    };
    topic.send(&[
        Bare.change(1, "c", "null", &person(1, "Ada")),
        Bare.change(2, "c", "null", &person(2, "Bob")),
    ]);
    told(
        &warehouse,
        &[
            &topic.name,
            "Kafka partition 0, offset 0",
            "before, after, source, transaction, op",
            "Debezium's envelope",
            "value.unwrap = \\\"debezium\\\"",
            "warehouse --rebuild",
        ],
    );
    assert_eq!(people(&warehouse), rows(&[("1", None), ("2", None)]));
    // Connect's envelope, whose `payload` the table has no column for.
    warehouse.execute("ALTER TABLE people DROP COLUMN payload");
    topic.send(&[record(&Bare.key(1), &WithSchema(1).dress("{\"name\":\"Ada\"}"))]);
    told(
        &warehouse,
        &[
            "schema, payload: the envelope of Connect's",
            "value.unwrap = \\\"connect\\\"",
        ],
    );
    topic.send(&[record(
        &Bare.key(1),
        &WithSchema(1).dress("{\"before\":null,\"after\":{},\"op\":\"c\"}"),
    )]);
    told(
        &warehouse,
        &[
            "schema, payload: Debezium's envelope",
            "value.unwrap = \\\"debezium\\\"",
        ],
    );
    topic.send(&[record(&Bare.key(1), "{\"id\":1,\"CITY\":\"Orléans\"}")]);
    told(
        &warehouse,
        &[
            "the fields id, CITY, and the table has the columns id, name",
            "warehouse.columns",
        ],
    );
    topic.send(&[record(&Bare.key(1), "{}")]);
    told(&warehouse, &["no fields"]);
    // One record that fills more is enough, and a tombstone says nothing.
    topic.send(&[
        record(&Bare.key(1), "{\"CITY\":\"Orléans\"}"),
        record(&Bare.key(2), "{\"NAME\":null}"),
    ]);
    quiet(&warehouse);
    topic.send(&[Bare.tombstone(7)]);
    quiet(&warehouse);
    // Nothing can fill a table of a key and a column that MySQL fills itself.
    warehouse.execute("ALTER TABLE people DROP COLUMN name");
    topic.send(&[
        record(&Bare.key(1), "{}"),
        record(&Bare.key(3), "{\"CITY\":\"Orléans\"}"),
    ]);
    quiet(&warehouse);
    warehouse.set_topics(&entry(&topic, "value.unwrap = \"debezium\""));
    warehouse.run(&["--rebuild"]).expect(3);
}

#[test]
fn a_key_in_an_envelope_is_a_fault_of_the_configuration() {
    let topic = Topic::compacted("wrapped-key");
    let warehouse = with_people(Warehouse::new(), &topic, "");
    topic.send(&[WithSchema(1).row(1, &person(1, "Ada"))]);
    let report = warehouse.one(&[], 2);
    let error = report["error"].to_string();
    for words in ["(schema, payload)", "value.unwrap = \\\"connect\\\""] {
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(people(&warehouse), rows(&[]));
}
