//! What cannot work is refused: with the right exit code, in words that say what to do, within seconds.

use std::time::{Duration, Instant};

use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::kafka::{Topic, record};
use crate::common::program::{self, Run};

/// How soon the user must know.
const SOON: Duration = Duration::from_secs(12);

/// Both with and without `--json`, where the report says the same.
fn refused(warehouse: &Warehouse, arguments: &[&str], env: &[(&str, &str)], code: i32, words: &[&str]) {
    let run = |json: bool| -> Run {
        let mut all = vec!["warehouse"];
        all.extend(json.then_some("--json"));
        all.extend(arguments);
        let began = Instant::now();
        let run = warehouse.start_with(&all, env).wait();
        assert!(began.elapsed() < SOON, "{:?}: {run:?}", began.elapsed());
        assert!(!run.stdout.contains(&warehouse.password) && !run.stderr.contains(&warehouse.password));
        run
    };
    run(false).fails(code, words);
    let report = run(true).expect(code).report();
    assert_eq!(
        (&report["exit_code"], &report["status"]),
        (&code.into(), &"failed".into())
    );
    for word in words {
        assert!(report.to_string().contains(word), "no {word:?} in {report}");
    }
}

fn one_count() -> (Topic, Warehouse) {
    let topic = Topic::compacted("refused");
    topic.send(&[count("a", 1)]);
    let warehouse = Warehouse::of_counts(&topic);
    (topic, warehouse)
}

#[test]
fn a_wrong_password() {
    let (_topic, warehouse) = one_count();
    let wrong = [("LAKECTL_WAREHOUSE_PASSWORD", "canary-Pw1")];
    refused(&warehouse, &[], &wrong, 1, &["LAKECTL_WAREHOUSE_PASSWORD"]);
    let run = warehouse
        .start_with(&["warehouse", "-v"], &wrong)
        .wait()
        .expect(1);
    assert!(!format!("{run:?}").contains("canary"), "{run:?}");
    warehouse
        .start_with(&["init-db"], &wrong)
        .wait()
        .fails(1, &["LAKECTL_WAREHOUSE_PASSWORD"]);
}

/// `db.table` is the name of one table, as a topic's may be.
#[test]
fn a_table_of_another_database() {
    let topic = Topic::compacted("dotted");
    topic.send(&[count("a", 1)]);
    let mut warehouse = Warehouse::of_counts(&topic);
    let entry = |table: &str| {
        format!(
            "[topics.{:?}]\nkind = \"table\"\nkey = {{ format = \"string\" }}\nwarehouse.table = \"{table}\"\n",
            topic.name
        )
    };
    warehouse.set_topics(&entry("mysql.counts"));
    let words = [
        "can't name another database",
        "set warehouse.table",
        "`mysql` is a database",
    ];
    refused(&warehouse, &[], &[], 2, &words);
    warehouse.execute("CREATE TABLE `my.counts` (id VARCHAR(50) PRIMARY KEY, purchase_count BIGINT)");
    warehouse.set_topics(&entry("my.counts"));
    warehouse.lakectl(&["warehouse"]).expect(0);
    assert_eq!(warehouse.query("SELECT id FROM `my.counts`").len(), 1);
}

#[test]
fn tables_that_are_not_the_topics_own() {
    let (topic, mut warehouse) = one_count();
    for own in ["user_permissions", "LAKECTL_progress"] {
        let table = format!(
            "[topics.{:?}]\nkind = \"table\"\nwarehouse.table = {own:?}\n",
            topic.name
        );
        warehouse.set_topics(&table);
        refused(
            &warehouse,
            &[],
            &[],
            2,
            &[own, "lakectl's own", "warehouse.table"],
        );
    }
    let (one, other) = (topic.name.to_lowercase(), topic.name.to_uppercase());
    warehouse.set_topics(&format!(
        "[topics.{one:?}]\nkind = \"table\"\n[topics.{other:?}]\nkind = \"table\"\n"
    ));
    refused(&warehouse, &[], &[], 2, &[&one, &other, "warehouse.table"]);
    let long = Topic::compacted(&"long-name".repeat(9));
    refused(
        &warehouse,
        &["--topics", &long.name, "--kind", "table"],
        &[],
        2,
        &["both fill"],
    );
    warehouse.set_topics("");
    refused(
        &warehouse,
        &["--topics", &long.name, "--kind", "table"],
        &[],
        2,
        &["64 characters", "warehouse.table"],
    );
}

#[test]
fn a_server_that_is_not_there() {
    let (_topic, warehouse) = one_count();
    // Nobody listens on a port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("mysql://lakectl@127.0.0.1:{port}/nowhere");
    let words = ["is MySQL running there", &port.to_string()];
    refused(&warehouse, &["--url", &url], &[], 1, &words);
}

#[test]
fn a_database_that_init_db_has_not_seen() {
    let topic = Topic::compacted("missing");
    topic.send(&[count("a", 1)]);
    let mut warehouse = Warehouse::without_database().counts(&topic);
    let words = ["init-db", &warehouse.database.clone()];
    refused(&warehouse, &[], &[], 2, &words);
    refused(&warehouse, &["--dry-run"], &[], 2, &words);
    assert!(!warehouse.exists());
    // There, but empty.
    let server = Warehouse::new();
    server.execute(&format!("CREATE DATABASE `{}`", warehouse.database));
    refused(&warehouse, &[], &[], 2, &words);
    warehouse.lakectl(&["init-db"]).expect(0);
    warehouse.drain();
    COUNTS.assert_equals(&warehouse, &topic);
}

#[test]
fn no_database_at_all() {
    let (_topic, warehouse) = one_count();
    for command in ["warehouse", "init-db"] {
        let run = program::start(warehouse.folder(), &[command], &[]).wait();
        run.fails(2, &["warehouse.url", "LAKECTL_WAREHOUSE_URL"]);
    }
}

#[test]
fn a_password_on_the_command_line() {
    let (_topic, warehouse) = one_count();
    let url = warehouse.url().replace('@', ":canary-Pw1@");
    for command in ["warehouse", "init-db"] {
        let run = warehouse.lakectl(&[command, "--url", &url]);
        let run = run.fails(2, &["LAKECTL_WAREHOUSE_PASSWORD"]);
        assert!(!format!("{run:?}").contains("canary"), "{run:?}");
    }
}

#[test]
fn a_stream_by_name() {
    let (stream, stranger) = (Topic::new("stream"), Topic::new("stranger"));
    let topic = Topic::compacted("table");
    topic.send(&[count("a", 1)]);
    stream.send(&[record("a", "{}")]);
    let warehouse = Warehouse::of_counts(&topic).stream(&stream);
    refused(
        &warehouse,
        &["--topics", &stream.name],
        &[],
        2,
        &["table", &stream.name],
    );
    refused(
        &warehouse,
        &["--topics", &stranger.name],
        &[],
        2,
        &["--kind table"],
    );
    // Not named, it is just not served.
    let report = warehouse.drain();
    assert_eq!(report["topics"].as_array().unwrap().len(), 1, "{report}");
    COUNTS.assert_equals(&warehouse, &topic);
}

#[test]
fn a_table_that_is_missing_or_does_not_fit() {
    let (other, topic) = (Topic::compacted("a-other"), Topic::compacted("b-counts"));
    other.send(&[count("a", 1)]);
    topic.send(&[count("a", 1)]);
    let warehouse = Warehouse::new()
        .table(&other, "custom", "product_id")
        .counts(&topic);
    let cases = [
        ("SELECT 1", "custom"),
        ("CREATE TABLE custom (id INT PRIMARY KEY, product_id INT)", "id"),
        (
            "CREATE TABLE custom (product_id VARCHAR(9) PRIMARY KEY) ENGINE = MyISAM",
            "InnoDB",
        ),
        (
            "CREATE TABLE custom (product_id VARCHAR(9) PRIMARY KEY, n INT, UNIQUE second (n))",
            "second",
        ),
    ];
    for (sql, word) in cases {
        warehouse.execute("DROP TABLE IF EXISTS custom");
        warehouse.query(sql);
        refused(&warehouse, &["--topics", &other.name], &[], 2, &[word]);
        // The other one goes on.
        let report = warehouse.run(&[]).report();
        assert_eq!(
            (&report["topics"][0]["status"], &report["topics"][1]["status"]),
            (&"failed".into(), &"ok".into())
        );
        COUNTS.assert_equals(&warehouse, &topic);
    }
    assert_eq!(
        warehouse.query("SELECT DISTINCT topic FROM lakectl_progress"),
        [vec![Some(topic.name.clone())]]
    );
}

#[test]
fn a_topic_that_is_missing() {
    let (topic, warehouse) = one_count();
    let nobodys = Topic::named(format!("{}-x", topic.name));
    let warehouse = warehouse.table(&nobodys, "total_par_transaction_type", "transaction_type");
    let near = format!("did you mean `{}`", topic.name);
    refused(&warehouse, &[], &[], 1, &[&near]);
    assert!(!nobodys.exists(), "asking for a topic made it");
    COUNTS.assert_equals(&warehouse, &topic);
}
