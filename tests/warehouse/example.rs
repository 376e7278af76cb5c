//! The five table topics of examples/lakectl.toml, as examples/programs/produce_transactions fills them.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

use super::tables::{BY_TYPE, COUNTS, LIFECYCLE, SLIDING, SPENT, Table};
use super::world::{Row, Warehouse};
use crate::common::example::{OTHERS, entries, produce};
use crate::common::kafka::Topic;
use crate::common::lake::number;
use crate::common::unique;

const TABLES: [(&str, Table); 5] = [
    ("PRODUCT_PURCHASE_COUNTS", COUNTS),
    ("TOTAL_DEPENSE_PAR_USER_TYPE", SPENT),
    ("TOTAL_PAR_TRANSACTION_TYPE", BY_TYPE),
    ("TOTAL_PAR_TYPE_5MIN_SLIDING", SLIDING),
    ("TRANSACTION_LIFECYCLE", LIFECYCLE),
];
/// Every row of every table, last_updated_at included, and how far they are.
fn everything(warehouse: &Warehouse) -> Vec<Vec<Row>> {
    let tables = TABLES.map(|(_, table)| format!("{} ORDER BY 1, 2", table.name));
    let progress = "lakectl_progress ORDER BY table_name, topic, kafka_partition".to_owned();
    let names = tables.into_iter().chain([progress, "lakectl_rejects".to_owned()]);
    names
        .map(|from| {
            let mut rows = warehouse.query(&format!("SELECT * FROM {from}"));
            if from.starts_with("lakectl_progress") {
                // When the topic was last read to its end is not a change of it.
                rows.iter_mut().for_each(|row| row.truncate(4));
            }
            rows
        })
        .collect()
}

fn nexts(topic: &Value) -> BTreeMap<i64, i64> {
    let partitions = topic["partitions"].as_array().unwrap().iter();
    partitions
        .map(|part| (number(part, "partition"), number(part, "next")))
        .collect()
}

#[test]
fn all_five_tables() {
    let prefix = unique("example-");
    let mut warehouse = Warehouse::new();
    warehouse.set_topics(&entries(&prefix));
    let topics = TABLES.map(|(name, _)| Topic::named(format!("{prefix}{name}")));
    let _others = OTHERS.map(|name| Topic::named(format!("{prefix}{name}")));
    let mut before: Vec<BTreeMap<i64, i64>> = vec![BTreeMap::new(); TABLES.len()];
    for seed in ["1", "2"] {
        produce(&prefix, seed);
        let report = warehouse.drain();
        assert_eq!(
            report["topics"].as_array().unwrap().len(),
            TABLES.len(),
            "{report}"
        );
        assert_eq!(number(&report["totals"], "remaining"), 0);
        for (at, (topic, (_, table))) in topics.iter().zip(TABLES).enumerate() {
            let own = &report["topics"][at];
            assert_eq!(
                (&own["topic"], &own["table"]),
                (&topic.name[..].into(), &table.name.into())
            );
            assert_eq!((&own["kind"], &own["status"]), (&"table".into(), &"ok".into()));
            let records = topic.read();
            let old = |partition: i32| before[at].get(&i64::from(partition)).copied().unwrap_or(0);
            let new: Vec<_> = records.iter().filter(|r| r.offset >= old(r.partition)).collect();
            let keys: BTreeSet<_> = new.iter().map(|record| &record.key).collect();
            assert!(!new.is_empty());
            assert_eq!(number(own, "read"), new.len() as i64, "{own}");
            assert_eq!(number(own, "upserted"), keys.len() as i64, "{own}");
            for nothing in [
                "deleted",
                "rejected",
                "tombstones",
                "irregular",
                "held",
                "remaining",
            ] {
                assert_eq!(number(own, nothing), 0, "{nothing}: {own}");
            }
            for part in own["partitions"].as_array().unwrap() {
                let partition = i32::try_from(number(part, "partition")).unwrap();
                assert_eq!(number(part, "start"), old(partition), "{own}");
                assert_eq!(part["next"], part["end"], "{own}");
            }
            before[at] = nexts(own);
            assert!(
                records
                    .iter()
                    .all(|r| r.offset < before[at][&i64::from(r.partition)])
            );
            table.assert_equals(&warehouse, topic);
        }
        nothing_new(&warehouse);
    }
}

/// Two more runs: they say so, and touch no row.
fn nothing_new(warehouse: &Warehouse) {
    for (_, table) in TABLES {
        // A time that no run can leave behind.
        let name = table.name;
        warehouse.execute(&format!(
            "UPDATE {name} SET last_updated_at = '2001-02-03 04:05:06'"
        ));
    }
    let before = everything(warehouse);
    let report = warehouse.drain();
    assert_eq!(
        (
            number(&report["totals"], "read"),
            number(&report["totals"], "written")
        ),
        (0, 0)
    );
    let told = warehouse.lakectl(&["warehouse"]).expect(0);
    assert_eq!(
        told.stdout.matches("nothing new").count(),
        TABLES.len(),
        "{told:?}"
    );
    assert!(
        everything(warehouse) == before,
        "a run without anything new changed a row"
    );
}
