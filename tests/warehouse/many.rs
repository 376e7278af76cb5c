//! Many small tables in one run: their transactions go on beside each other, and all of them write progress and rejects.

use super::tables::{COUNTS, Table, count};
use super::world::Warehouse;
use crate::common::kafka::{Topic, record, tombstone};
use crate::common::lake::number;
use crate::common::unique;

/// More than are committed one after the other.
const TABLES: usize = 10;

#[test]
fn transactions_beside_each_other() {
    let tables: Vec<(Topic, Table)> = (0..TABLES)
        .map(|at| {
            let name: &str = format!("counts_{at}").leak();
            (Topic::compacted("beside"), Table { name, ..COUNTS })
        })
        .collect();
    let warehouse = tables.iter().fold(Warehouse::new(), |warehouse, (topic, table)| {
        warehouse.execute(&format!("CREATE TABLE {} LIKE {}", table.name, COUNTS.name));
        warehouse.table(topic, table.name, "product_id")
    });
    for round in 0..2 {
        for (at, (topic, _)) in (0..).zip(&tables) {
            let changes: Vec<_> = (0..300)
                .map(|n| match n % 7 {
                    6 => tombstone(&format!("key-{}", n % 90)),
                    _ => count(&format!("key-{}", n % 90), 1000 * at + n + round),
                })
                .collect();
            topic.send(&changes);
        }
        let report = warehouse.drain();
        assert_eq!(number(&report["totals"], "read"), 300 * TABLES as i64);
        for (topic, table) in &tables {
            table.assert_equals(&warehouse, topic);
        }
    }
    for (topic, _) in &tables {
        topic.send(&[record("key-1", "{\"PURCHASE_COUNT\":\"many\"}")]);
    }
    let before: Vec<_> = tables
        .iter()
        .map(|(_, table)| table.rows(&mut warehouse.session()))
        .collect();
    warehouse.run(&[]).expect(3);
    let after: Vec<_> = tables
        .iter()
        .map(|(_, table)| table.rows(&mut warehouse.session()))
        .collect();
    assert_eq!(before, after);
    let rejects = warehouse.value("SELECT COUNT(DISTINCT topic) FROM lakectl_rejects");
    assert_eq!(rejects, TABLES.to_string());
}

/// An account that may hold fewer sessions than the run has tables.
#[test]
fn more_tables_than_sessions() {
    const SESSIONS: usize = 40;
    let topics = Topic::many("sessions", SESSIONS + 10);
    let warehouse = topics
        .iter()
        .enumerate()
        .fold(Warehouse::new(), |warehouse, (at, topic)| {
            let table = format!("counts_{at}");
            warehouse.execute(&format!("CREATE TABLE {table} LIKE {}", COUNTS.name));
            warehouse.table(topic, &table, "product_id")
        });
    for topic in [&topics[0], &topics[SESSIONS + 9]] {
        topic.send(&[count("key", 1)]);
    }
    let user = unique("few").replace('.', "_");
    warehouse.execute(&format!(
        "CREATE USER '{user}'@'%' IDENTIFIED BY 'canary-Pw1' WITH MAX_USER_CONNECTIONS {SESSIONS}"
    ));
    warehouse.execute(&format!(
        "GRANT ALL ON `{}`.* TO '{user}'@'%'",
        warehouse.database
    ));
    let url = format!("mysql://{user}@{}/{}", warehouse.address, warehouse.database);
    let account = [
        ("LAKECTL_WAREHOUSE_URL", url.as_str()),
        ("LAKECTL_WAREHOUSE_PASSWORD", "canary-Pw1"),
    ];
    let run = warehouse.start_with(&["warehouse", "--json"], &account).wait();
    warehouse.execute(&format!("DROP USER '{user}'@'%'"));
    let report = run.expect(0).report();
    assert_eq!(report["topics"].as_array().unwrap().len(), topics.len());
    assert_eq!(number(&report["totals"], "read"), 2);
}
