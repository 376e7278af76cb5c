//! The warehouse's progress, locks and sizes on a real MySQL.

use crate::service::{self, *};
use crate::{PROGRESS, fresh};
use lakectl::exit;
use lakectl::record::{DrainPlan, DrainedPartition, OffsetRange, Record};
use lakectl::target::Sink;
use std::ops::Range;
use std::time::Duration;

/// Reads these offsets of Kafka partition 0.
fn plan(offsets: Range<i64>, topic_id: &str, generation: u32) -> DrainPlan {
    let range = OffsetRange {
        partition: 0,
        start: offsets.start,
        end: offsets.end,
    };
    DrainPlan {
        ranges: vec![range],
        topic_id: Some(topic_id.to_owned()),
        generation,
        ..DrainPlan::default()
    }
}

#[test]
fn nothing_moved_is_nothing_done() {
    let test = fresh();
    let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
    load(&mut sink, &records(&[("P1", Some(r#"{"PURCHASE_COUNT":1}"#))]));
    let everything = "SELECT p.*, t.* FROM lakectl_progress p, product_purchase_counts t";
    let before = test.rows(everything);
    let report = load(&mut sink, &[]);
    assert_eq!(counts(&report), (0, 0, 0));
    assert_eq!(test.rows(everything), before);
    // Long after, only the time of the complete run moves: it tells whether tombstones can have been missed.
    let mut later = drained(1, 1);
    later.planned_ms += 600_000;
    sink.commit(&later, &mut service::report("T")).unwrap();
    assert_eq!(
        test.one("SELECT complete_ms FROM lakectl_progress"),
        later.planned_ms.to_string()
    );
    // Transaction markers at the end are progress without records.
    sink.commit(&drained(1, 3), &mut service::report("T")).unwrap();
    assert_eq!(test.one("SELECT next_offset FROM lakectl_progress"), "3");
}

#[test]
fn an_empty_topic_is_known_afterwards() {
    let test = fresh();
    let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
    sink.commit(&drained(0, 0), &mut service::report("T")).unwrap();
    drop(sink);
    let progress = test
        .warehouse()
        .read_progress(test.topic("PRODUCT_PURCHASE_COUNTS"))
        .unwrap();
    assert_eq!(progress.next.get(&0), Some(&0));
}

#[test]
fn a_topic_made_anew_replaces_its_progress() {
    let test = fresh();
    let mut sink = test.open("PRODUCT_PURCHASE_COUNTS");
    let value = r#"{"PURCHASE_COUNT":1}"#;
    let elsewhere = Record {
        partition: 7,
        ..record(99, b"P7", Some(value))
    };
    sink.take(&elsewhere).unwrap();
    let mut before = drained(0, 50);
    before.partitions.push(DrainedPartition {
        partition: 7,
        next: 100,
        ..before.partitions[0]
    });
    sink.commit(&before, &mut service::report("T")).unwrap();
    sink.begin(&plan(0..4, "id-2", 2), None).unwrap();
    sink.take(&record(3, b"P1", Some(value))).unwrap();
    let mut anew = drained(0, 4);
    (anew.generation, anew.topic_id) = (2, Some("id-2".to_owned()));
    sink.commit(&anew, &mut service::report("T")).unwrap();
    assert_eq!(
        test.rows(PROGRESS),
        ["product_purchase_counts|PRODUCT_PURCHASE_COUNTS|0|4|id-2|2|1761868800000"]
    );
}

#[test]
fn many_rows_in_several_transactions() {
    let test = fresh();
    let mut sink = test.open("TOTAL_PAR_TRANSACTION_TYPE");
    sink.set_budget(8 << 20);
    sink.begin(&plan(0..100_000, "id-1", 1), None).unwrap();
    let mut halfway = false;
    for offset in 0..100_000i64 {
        let key = format!("TYPE-{:05}", (offset * 7919) % 50_000);
        let value = format!(r#"{{"TOTAL_AMOUNT":{offset}.25,"TRANSACTION_COUNT":{offset}}}"#);
        sink.take(&record(offset, key.as_bytes(), Some(&value))).unwrap();
        halfway |= (1..100_000).contains(&sink.progress().next.get(&0).copied().unwrap_or(0));
    }
    let mut report = report("T");
    sink.commit(&drained(0, 100_000), &mut report).unwrap();
    assert!(halfway && counts(&report).0 >= 50_000);
    assert_eq!(
        test.one(
            "SELECT COUNT(*), SUM(total_amount), MIN(transaction_count) FROM total_par_transaction_type"
        ),
        format!(
            "50000|{}.00|50000",
            (50_000..100_000i64).sum::<i64>() + 50_000 / 4
        )
    );
}

#[test]
fn values_as_large_as_a_packet() {
    let test = fresh();
    test.execute("CREATE TABLE custom (id VARCHAR(20) COLLATE utf8mb4_bin PRIMARY KEY, doc LONGTEXT)");
    let packet: usize = test.one("SELECT @@max_allowed_packet").parse().unwrap();
    let mut sink = test.open("CUSTOM");
    let value = |size: usize| format!(r#"{{"DOC":"{}"}}"#, "x".repeat(size));
    let sizes = [
        packet - 200_000,
        17 << 20,
        16 << 20,
        (16 << 20) - 30,
        9 << 20,
        9 << 20,
        packet,
    ];
    for (at, size) in sizes.into_iter().enumerate() {
        let key = format!("K{at}");
        sink.take(&record(at as i64, key.as_bytes(), Some(&value(size))))
            .unwrap();
    }
    let mut report = report("T");
    sink.commit(&drained(0, sizes.len() as i64), &mut report).unwrap();
    assert_eq!(counts(&report), (6, 0, 1));
    let lengths: Vec<String> = sizes[..6]
        .iter()
        .enumerate()
        .map(|(at, size)| format!("K{at}|{size}"))
        .collect();
    assert_eq!(
        test.rows("SELECT id, LENGTH(doc) FROM custom ORDER BY id"),
        lengths
    );
    assert_eq!(
        test.one(
            "SELECT value_bytes, LENGTH(`value`), reason LIKE '%max_allowed_packet%' FROM lakectl_rejects"
        ),
        format!("{}|{}|1", packet + 10, 1 << 20)
    );
}

#[test]
fn unfit_tables_are_refused_before_anything_is_read() {
    let test = fresh();
    let refused = |ddl: &str, part: &str| {
        if !ddl.is_empty() {
            test.execute(&format!("CREATE TABLE custom {ddl}"));
        }
        let (code, message) = test.open_error("CUSTOM");
        assert_eq!(code, exit::USAGE, "{message}");
        assert!(message.contains(part) && message.contains("CUSTOM"), "{message}");
        assert!(test.warehouse().read_progress(test.topic("CUSTOM")).is_err());
        test.execute("DROP TABLE IF EXISTS custom");
    };
    refused("", "no table `custom`");
    refused(
        "(id VARCHAR(20) PRIMARY KEY, n INT) ENGINE = MyISAM",
        "ENGINE = InnoDB",
    );
    refused(
        "(id VARCHAR(20) PRIMARY KEY, n INT UNIQUE)",
        "second unique index",
    );
    refused("(id VARCHAR(20), n INT)", "no primary key");
    refused(
        "(id VARCHAR(20), n INT, PRIMARY KEY (id, n))",
        "primary-key column n",
    );
    refused("(other VARCHAR(20) PRIMARY KEY, n INT)", "key column `id`");
    refused("(id VARCHAR(20), n INT, PRIMARY KEY (id(5)))", "5 characters");
    refused("(id FLOAT PRIMARY KEY, n INT)", "MODIFY `id` DOUBLE NOT NULL");
    refused("(id SET('a','b') PRIMARY KEY, n INT)", "make it a VARCHAR");
    test.execute("CREATE VIEW custom AS SELECT * FROM product_purchase_counts");
    assert!(test.open_error("CUSTOM").1.contains("VIEW"));
}

#[test]
fn only_one_run_at_a_time() {
    let test = fresh();
    let topic = test.topic("PRODUCT_PURCHASE_COUNTS");
    let first = test.open("PRODUCT_PURCHASE_COUNTS");
    assert!(
        test.warehouse()
            .open(topic, Duration::ZERO)
            .unwrap()
            .ours()
            .is_none()
    );
    assert!(test.warehouse().read_progress(topic).unwrap().next.is_empty());
    // Another topic is free, and so is the same one as soon as its holder ends.
    assert!(
        test.warehouse()
            .open(test.topic("TRANSACTION_LIFECYCLE"), Duration::ZERO)
            .unwrap()
            .ours()
            .is_some()
    );
    let waiter = std::thread::spawn({
        let (warehouse, topic) = (test.warehouse(), topic.clone());
        let wait = Duration::from_secs(20);
        move || warehouse.open(&topic, wait).unwrap().ours().is_some()
    });
    drop(first);
    assert!(waiter.join().unwrap());
}
