//! What a table does to its records without an error: numbers that it rounds, numbers that it counts up, a history that it keeps.

use super::world::Warehouse;
use crate::common::kafka::{Topic, record, tombstone};

fn numbers_that_a_column_rounds(world: Warehouse, json: bool) {
    let topic = Topic::compacted("numbers");
    world.execute("CREATE TABLE nums (id VARCHAR(20) PRIMARY KEY, doc JSON, r DOUBLE, f FLOAT, d DECIMAL(9,2), n BIGINT)");
    let world = world.table(&topic, "nums", "id");
    topic.send(&[record(
        "a",
        r#"{"DOC":{"id":18446744073709551615,"x":[0.1,-1.5e10],"t":"12345678901234567.89"},"R":0.1,"F":16777216,"D":1.50,"N":7}"#,
    )]);
    let run = world.lakectl(&["warehouse"]).expect(0);
    assert!(!run.stderr.contains("rounded"), "{run:?}");
    topic.send(&[
        record(
            "b",
            r#"{"DOC":{"amount":12345678901234567.89},"R":9007199254740993,"F":16777217,"D":1.005}"#,
        ),
        record("c", r#"{"DOC":{"id":18446744073709551616},"R":1,"F":1,"D":1}"#),
    ]);
    let run = world.lakectl(&["warehouse"]).expect(0);
    for column in ["r (of 1 record)", "f (of 1 record)", "d (of 1 record)"] {
        assert!(
            run.stderr.contains("rounded") && run.stderr.contains(column),
            "{run:?}"
        );
    }
    assert_eq!(run.stderr.contains("doc (of 2 records)"), json, "{run:?}");
}

#[test]
fn numbers_that_a_column_rounds_are_told() {
    numbers_that_a_column_rounds(Warehouse::new(), true);
}

/// Whose JSON is text.
#[test]
fn numbers_that_a_column_rounds_are_told_on_mariadb() {
    numbers_that_a_column_rounds(Warehouse::on_mariadb(), false);
}

fn numbers_that_run_out(world: Warehouse) {
    let topics = [
        Topic::compacted("numbered"),
        Topic::compacted("numbered-out"),
        Topic::compacted("numbered-by-field"),
    ];
    world.execute(
        "CREATE TABLE stock (id VARCHAR(20) PRIMARY KEY, n INT, seq INT NOT NULL AUTO_INCREMENT, KEY (seq))",
    );
    world.execute(
        "CREATE TABLE big (id VARCHAR(20) PRIMARY KEY, seq BIGINT UNSIGNED NOT NULL AUTO_INCREMENT, KEY (seq)) \
         AUTO_INCREMENT = 18446744073709551615",
    );
    world.execute(
        "CREATE TABLE filled (id VARCHAR(20) PRIMARY KEY, seq INT NOT NULL AUTO_INCREMENT, KEY (seq))",
    );
    let world = world
        .table(&topics[0], "stock", "id")
        .table(&topics[1], "big", "id")
        .table(&topics[2], "filled", "id");
    topics[0].send(&[
        record("x", "{\"N\":1}"),
        record("x", "{\"N\":2}"),
        record("y", "{\"N\":1}"),
    ]);
    topics[1].send(&[record("x", "{}"), record("y", "{}")]);
    topics[2].send(&[record("x", "{\"SEQ\":7}")]);
    let run = world
        .lakectl(&["warehouse", "--topics", &topics[0].name])
        .expect(0);
    assert_eq!(run.stderr.matches("AUTO_INCREMENT").count(), 1, "{run:?}");
    assert!(run.stderr.contains("column seq"), "{run:?}");
    let run = world
        .lakectl(&["warehouse", "--topics", &topics[2].name])
        .expect(0);
    assert!(!run.stderr.contains("AUTO_INCREMENT"), "{run:?}");
    world
        .lakectl(&["warehouse", "--topics", &topics[1].name])
        .fails(1, &["1467", "column seq is AUTO_INCREMENT"]);
}

#[test]
fn numbers_that_run_out_are_told() {
    numbers_that_run_out(Warehouse::new());
}

#[test]
fn numbers_that_run_out_are_told_on_mariadb() {
    numbers_that_run_out(Warehouse::on_mariadb());
}

/// MariaDB's own: what is updated and deleted goes into a history, which only its owner can delete, and only as a whole.
#[test]
fn a_table_with_a_history() {
    let topic = Topic::compacted("versioned");
    let mut world = Warehouse::on_mariadb();
    let columns = "id VARCHAR(20) COLLATE utf8mb4_nopad_bin PRIMARY KEY, n INT, at DATETIME, INDEX (at)";
    let shown = "began TIMESTAMP(6) GENERATED ALWAYS AS ROW START, ended TIMESTAMP(6) GENERATED ALWAYS AS ROW END, \
                 PERIOD FOR SYSTEM_TIME (began, ended)";
    world.execute(&format!(
        "CREATE TABLE stock ({columns}, {shown}) WITH SYSTEM VERSIONING"
    ));
    world.set_topics(&format!(
        "[topics.{:?}]\nkind = \"table\"\nkey = {{ columns = [\"id\"] }}\nwarehouse.table = \"stock\"\n\
         warehouse.retention = {{ column = \"at\", keep = \"1y\" }}\n",
        topic.name
    ));
    let send = |n: i32| {
        topic.send(&[
            record("a", &format!("{{\"N\":{n},\"AT\":\"2100-01-01\"}}")),
            record("b", &format!("{{\"N\":{n},\"AT\":\"2020-01-01\"}}")),
        ]);
    };
    send(1);
    world.lakectl(&["warehouse"]).expect(0);
    send(2);
    topic.send(&[record("c", "{}"), tombstone("c")]);
    world.lakectl(&["warehouse"]).expect(0);
    world.lakectl(&["warehouse", "--rebuild"]).expect(0);
    assert_eq!(
        world.value("SELECT GROUP_CONCAT(id, n ORDER BY id) FROM stock"),
        "a2,b2"
    );
    let purge = world
        .lakectl(&["purge", "--only", "warehouse", "--yes", "--json"])
        .expect(0)
        .report();
    assert_eq!(
        (&purge["tables"][0]["rows"], &purge["tables"][0]["keeps_history"]),
        (&1.into(), &true.into())
    );
    assert!(
        purge["warnings"]
            .to_string()
            .contains("DELETE HISTORY FROM `stock`"),
        "{purge}"
    );
    let key = format!("--key={}=a", topic.name);
    let erase = |more: &str| {
        let arguments = ["purge", "--only", "warehouse", &key, "--json", more];
        world.lakectl(&arguments).expect(3).report()
    };
    let versions: u64 = world
        .value("SELECT COUNT(*) FROM stock FOR SYSTEM_TIME ALL WHERE id = 'a'")
        .parse()
        .unwrap();
    assert!(versions >= 2, "{versions}");
    for (more, rows) in [("-n", 1), ("--yes", 1), ("--yes", 0)] {
        let report = erase(more);
        let table = &report["erased"]["tables"][0];
        assert_eq!(
            (&table["rows"], &table["history"]),
            (&rows.into(), &versions.into()),
            "{report}"
        );
        assert!(
            report["warnings"]
                .to_string()
                .contains("DELETE HISTORY FROM `stock`"),
            "{report}"
        );
    }
    let audit = world.query("SELECT detail FROM lakectl_audit ORDER BY id DESC LIMIT 1");
    let audit: serde_json::Value = serde_json::from_str(audit[0][0].as_deref().unwrap()).unwrap();
    assert_eq!(audit["history"], versions);
    world.execute("DELETE HISTORY FROM stock");
    world
        .lakectl(&["purge", "--only", "warehouse", &key, "--yes"])
        .expect(0);
}

/// What can't be decoded and merely holds the value is left for a person; what is cut may go on with it.
#[test]
fn rejects_that_may_be_a_persons_are_named_and_left() {
    let topic = Topic::compacted("doubtful");
    let world = Warehouse::of_counts(&topic);
    let table = "product_purchase_counts";
    for (offset, key, value, length) in [
        (1, "a", "{\"USER\":1,\"PURCHASE_COUNT\":\"many\"}", 0),
        (2, "b", "{\"USER\":11,\"PURCHASE_COUNT\":2", 0),
        (3, "c", "user 1, count many", 0),
        (4, "d", "{\"USER\":2,\"PURCHASE_COUNT\":\"many\"}", 0),
        (5, "e", "{\"USER\":2,\"NOTE\":\"long", 2_000_000),
        (6, "1", "{\"USER\":2,\"PURCHASE_COUNT\":\"1\"}", 0),
    ] {
        world.execute(&format!(
            "INSERT INTO lakectl_rejects (table_name, topic, generation, `partition`, `offset`, reason, `key`, key_bytes, \
             `value`, value_bytes) VALUES ('{table}', '{}', 1, 0, {offset}, 'x', '{key}', 1, '{value}', {})",
            topic.name,
            value.len().max(length)
        ));
    }
    let left = "SELECT GROUP_CONCAT(`offset` ORDER BY `offset`) FROM lakectl_rejects";
    let erase = |code: i32, arguments: &[&str]| {
        let run = world.lakectl(&[&["purge", "--only", "warehouse", "--json"], arguments].concat());
        run.expect(code).report()
    };
    let where_user = "--where=USER=1";
    for (more, rejects) in [("-n", 1), ("--yes", 1), ("--yes", 0)] {
        let report = erase(3, &[where_user, "--topics", &topic.name, more]);
        let erased = &report["erased"]["tables"][0];
        assert_eq!(erased["rejects"], rejects, "{report}");
        assert_eq!(
            erased["doubtful_rejects"],
            serde_json::json!(["0/3", "0/5"]),
            "{report}"
        );
        assert!(report["warnings"].to_string().contains("0/3, 0/5"), "{report}");
    }
    assert_eq!(world.value(left), "2,3,4,5,6");
    // The key decodes, so nothing else is looked at.
    let report = erase(0, &[&format!("--key={}=1", topic.name), "--yes"]);
    assert_eq!(report["erased"]["tables"][0]["rejects"], 1, "{report}");
    assert_eq!(world.value(left), "2,3,4,5");
}
