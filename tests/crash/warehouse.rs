//! `lakectl warehouse`, its rebuild, and the purge of rows: killed at each word to MySQL.

use super::database::{Copy, Pool};
use super::sweep::Sweep;
use super::tables::{COUNTS, SLIDING, SPENT, Table, count};
use super::world::Warehouse;
use crate::common::kafka::{DAY_MS, NOON_MS, Record, Topic, record, tombstone};

/// The session of a run that was killed keeps the lock until the server notices.
const WAREHOUSE: &[&str] = &["warehouse", "-q", "--wait", "50s"];

/// A topic, its table, and what stands in it.
struct Part {
    topic: Topic,
    table: Table,
    entry: &'static str,
}

/// The records that MySQL can take.
fn good(topic: &Topic) -> Vec<Record> {
    let refused = |record: &Record| record.key.as_deref() == Some(b"refused");
    topic
        .read()
        .into_iter()
        .filter(|record| !refused(record))
        .collect()
}

fn window(start: i64, amount: i64) -> Record {
    let key = [b"achat".as_slice(), &start.to_be_bytes()].concat();
    record("", &format!("{{\"TOTAL_AMOUNT_5MIN\":{amount}.25}}"))
        .key(Some(&key))
        .at(start)
}

fn counts(label: &str) -> Part {
    Part {
        topic: Topic::with(label, 2, &[("cleanup.policy", "compact")]),
        table: COUNTS,
        entry: "key = { format = \"string\", columns = [\"product_id\"] }",
    }
}

fn windows(label: &str) -> Part {
    Part {
        topic: Topic::compacted(label),
        table: SLIDING,
        entry: "key = { format = \"string\", columns = [\"transaction_type\"] }\n\
                window = { type = \"hopping\", size = \"5m\" }\n\
                warehouse.columns = { window_start = \"window_start_time\" }\n\
                warehouse.retention = { column = \"window_start_time\", keep = \"1d\" }",
    }
}

fn make(parts: &[&Part]) -> Warehouse {
    let mut warehouse = Warehouse::new();
    let entry = |part: &&Part| {
        let (name, table) = (&part.topic.name, part.table.name);
        format!(
            "[topics.{name:?}]\nkind = \"table\"\nwarehouse.table = {table:?}\n{}\n",
            part.entry
        )
    };
    warehouse.set_topics(&parts.iter().map(entry).collect::<String>());
    warehouse
}

/// Sweeps over a command; at the end and in between the tables are the fold of their topics.
fn sweep(name: &'static str, parts: &[&Part], base: &Warehouse, command: &[&str]) {
    let pool = Pool::new(base, || make(parts));
    let seen: Vec<Vec<Record>> = parts.iter().map(|part| good(&part.topic)).collect();
    Sweep {
        name,
        command,
        after: &[WAREHOUSE, command],
        fresh: &|| pool.fresh(),
        at_any_time: &|copy: &Copy<'_>| {
            for (part, records) in parts.iter().zip(&seen) {
                part.table.assert_whole(copy, &part.topic, records);
            }
        },
        at_the_end: &|copy: &Copy<'_>| {
            for (part, records) in parts.iter().zip(&seen) {
                let rows = part.table.rows(&mut copy.session());
                assert_eq!(rows, part.table.fold(records), "{}", part.table.name);
                let next = part.table.assert_whole(copy, &part.topic, records);
                assert!(records.iter().all(|r| r.offset < next[&r.partition]), "{next:?}");
            }
        },
    }
    .run();
}

#[test]
fn a_run_over_rows_that_are_there() {
    let (counts, windows) = (counts("wh-later"), windows("wh-later-windows"));
    counts
        .topic
        .send(&[count("a", 1), count("b", 1), count("c", 1).to(1)]);
    let parts = [&counts, &windows];
    let base = make(&parts);
    base.drain();
    let refused = record("refused", "{\"PURCHASE_COUNT\":99999999999999999999}");
    counts
        .topic
        .send(&[count("a", 2), tombstone("b"), refused, count("d", 1).to(1)]);
    windows.topic.send(&[window(NOON_MS, 1), window(NOON_MS, 2)]);
    sweep("warehouse", &parts, &base, WAREHOUSE);
}

#[test]
fn a_rebuild() {
    let counts = counts("wh-rebuild");
    counts
        .topic
        .send(&[count("a", 1), count("b", 1).to(1), tombstone("a")]);
    let parts = [&counts];
    let base = make(&parts);
    base.drain();
    counts.topic.send(&[count("c", 1)]);
    let rebuild = [WAREHOUSE, &["--rebuild"]].concat();
    sweep("warehouse --rebuild", &parts, &base, &rebuild);
}

/// Between a kill and the end the old rows are all there or all gone: they fit into one statement.
#[test]
fn a_purge_of_rows() {
    let windows = windows("wh-purge");
    windows
        .topic
        .send(&[window(NOON_MS, 1), window(NOON_MS + DAY_MS, 2)]);
    // No test takes a day, so that this one stays.
    let today = chrono::Utc::now().timestamp_millis() / 300_000 * 300_000;
    windows.topic.send(&[window(today + DAY_MS, 3)]);
    let parts = [&windows];
    let base = make(&parts);
    base.drain();
    let records = good(&windows.topic);
    let kept = SLIDING.fold(&records[2..]);
    let all = SLIDING.fold(&records);
    let pool = Pool::new(&base, || make(&parts));
    let purge: &[&str] = &[
        "purge",
        "-q",
        "--only=warehouse",
        "--yes",
        "--max-fraction=1",
        "--wait=50s",
    ];
    Sweep {
        name: "purge of rows",
        command: purge,
        after: &[WAREHOUSE, purge],
        fresh: &|| pool.fresh(),
        at_any_time: &|copy: &Copy<'_>| {
            let rows = SLIDING.rows(&mut copy.session());
            assert!(rows == all || rows == kept, "{rows:#?}");
        },
        at_the_end: &|copy: &Copy<'_>| assert_eq!(SLIDING.rows(&mut copy.session()), kept),
    }
    .run();
}

#[test]
fn an_erasure_of_rows() {
    let spent = Part {
        topic: Topic::compacted("wh-erase"),
        table: SPENT,
        entry: "key = { format = \"json\", columns = [\"user_id\", \"transaction_type\"] }",
    };
    let of = |user: &str| {
        let key = format!("{{\"USER_ID\":\"{user}\",\"TRANSACTION_TYPE\":\"achat\"}}");
        record(&key, "{\"TOTAL_DEPENSE_USD\":1.50}")
    };
    spent.topic.send(&[of("USER-00042"), of("USER-00007")]);
    let parts = [&spent];
    let base = make(&parts);
    base.drain();
    let erase = |user: &'static str| ["purge", "-q", "--only=warehouse", "--yes", "--wait=50s", user];
    // The secret of the hashes is the database's from its first erasure on.
    base.lakectl(&erase("--where=USER_ID=USER-00099")).expect(0);
    let records = spent.topic.read();
    let (all, kept) = (SPENT.fold(&records), SPENT.fold(&records[1..]));
    let pool = Pool::new(&base, || make(&parts));
    let purge = erase("--where=USER_ID=USER-00042");
    Sweep {
        name: "purge of a subject from rows",
        command: &purge,
        after: &[WAREHOUSE, &purge],
        fresh: &|| pool.fresh(),
        at_any_time: &|copy: &Copy<'_>| {
            let rows = SPENT.rows(&mut copy.session());
            assert!(rows == all || rows == kept, "{rows:#?}");
        },
        at_the_end: &|copy: &Copy<'_>| assert_eq!(SPENT.rows(&mut copy.session()), kept),
    }
    .run();
}
