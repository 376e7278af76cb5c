//! Deletions whose COMMIT is never answered, by a server that lets nobody in afterwards: reports say of how many rows it is
//! unknown whether they are deleted.

use mysql::prelude::Queryable;
use serde_json::Value;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::tables::count;
use super::world::Warehouse;
use crate::common::kafka::Topic;
use crate::common::poll;
use crate::common::program::Run;
use crate::common::proxy::{self, Cut};

/// Runs as an account that is locked at the first COMMIT of deleted rows, which is not answered.
fn run_locked_out(warehouse: &Warehouse, arguments: &[&str]) -> Run {
    let name = format!("o{}", &warehouse.database["lakectl_outside_".len()..]);
    warehouse.execute(&format!("CREATE USER '{name}'@'%' IDENTIFIED BY 'canary-Pw1'"));
    warehouse.execute(&format!(
        "GRANT ALL ON `{}`.* TO '{name}'@'%'",
        warehouse.database
    ));
    let lock_out = format!("ALTER USER '{name}'@'%' ACCOUNT LOCK");
    let admin = Mutex::new(warehouse.session());
    let server = warehouse.address.rsplit_once(':').unwrap().1.parse().unwrap();
    let (port, left) = proxy::start_then(server, Cut::AfterDeletion, 1, move || {
        admin.lock().unwrap().query_drop(&lock_out).unwrap();
    });
    let url = format!("mysql://{name}@127.0.0.1:{port}/{}", warehouse.database);
    let account = [
        ("LAKECTL_WAREHOUSE_URL", url.as_str()),
        ("LAKECTL_WAREHOUSE_PASSWORD", "canary-Pw1"),
    ];
    let mut run = warehouse.start_with(arguments, &account);
    // A statement is tried for a minute, which is as long as one poll lasts.
    let minute = Instant::now() + Duration::from_secs(60);
    poll("most of the minute", || {
        (run.is_over() || Instant::now() + Duration::from_secs(10) > minute).then_some(())
    });
    let run = run.wait();
    warehouse.execute(&format!("DROP USER '{name}'@'%'"));
    assert_eq!(left.load(Ordering::SeqCst), 0, "{run:?}");
    run
}

fn only_table(report: &Value) -> Value {
    let tables = report["tables"].as_array().unwrap();
    assert_eq!(tables.len(), 1, "{report}");
    tables[0].clone()
}

#[test]
fn a_purge_reports_rows_of_unknown_outcome() {
    let topic = Topic::compacted("unanswered-purge");
    let mut warehouse = Warehouse::new();
    warehouse.execute("CREATE TABLE old (id VARCHAR(20) PRIMARY KEY, at DATETIME, KEY (at)) ENGINE = InnoDB");
    warehouse.execute("INSERT INTO old VALUES ('a', '2020-01-01'), ('b', '2020-01-02'), ('c', '2020-01-03')");
    warehouse.set_topics(&format!(
        "[topics.{:?}]\nkind = \"table\"\nkey.columns = [\"id\"]\nwarehouse.table = \"old\"\n\
         warehouse.retention = {{ column = \"at\", keep = \"7d\" }}\n",
        topic.name
    ));
    let purge = [
        "purge",
        "--only",
        "warehouse",
        "--yes",
        "--max-fraction",
        "1",
        "--json",
    ];
    let run = run_locked_out(&warehouse, &purge);
    let run = run.fails(1, &["of 3 of these it is unknown"]);
    let table = only_table(&run.report());
    assert_eq!(
        (&table["rows"], &table["rows_left"], &table["rows_unknown"]),
        (&0.into(), &3.into(), &3.into())
    );
}

#[test]
fn an_erasure_reports_rows_of_unknown_outcome() {
    let topic = Topic::compacted("unanswered-erasure");
    topic.send(&[count("a", 1), count("b", 2)]);
    let warehouse = Warehouse::of_counts(&topic);
    warehouse.drain();
    let key = format!("{}=a", topic.name);
    let erase = ["purge", "--only", "warehouse", "--yes", "--key", &key, "--json"];
    let run = run_locked_out(&warehouse, &erase);
    let run = run.fails(1, &["unknown"]);
    let table = only_table(&run.report()["erased"]);
    assert_eq!((&table["rows"], &table["unknown"]), (&0.into(), &1.into()));
}
