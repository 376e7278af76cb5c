//! What becomes of single records: tombstones, keys that look alike, transactions, what can be no row.

use super::tables::{COUNTS, count};
use super::world::Warehouse;
use crate::common::kafka::{Topic, record, tombstone};
use crate::common::lake::number;

#[test]
fn a_tombstone_deletes_the_row() {
    let topic = Topic::compacted("tombstone");
    let warehouse = Warehouse::of_counts(&topic);
    topic.send(&[count("a", 1), count("b", 2), count("c", 3), tombstone("c")]);
    let report = warehouse.one(&[], 0);
    assert_eq!(
        (number(&report, "upserted"), number(&report, "tombstones")),
        (2, 1)
    );
    COUNTS.assert_equals(&warehouse, &topic);
    topic.send(&[tombstone("a"), tombstone("b"), count("b", 5), tombstone("never")]);
    let report = warehouse.one(&[], 0);
    assert_eq!(
        (
            number(&report, "upserted"),
            number(&report, "deleted"),
            number(&report, "tombstones")
        ),
        (1, 1, 3)
    );
    COUNTS.assert_equals(&warehouse, &topic);
    assert_eq!(
        warehouse.value("SELECT COUNT(*) FROM product_purchase_counts"),
        "1"
    );
}

#[test]
fn keys_that_look_alike_stay_rows_of_their_own() {
    let topic = Topic::compacted("alike");
    let keys = [
        "e", "E", "é", "É", "e ", "e  ", " e", "e\u{301}", "e\t", "ss", "ß", "", "œ", "oe",
    ];
    let records: Vec<_> = keys.iter().zip(1..).map(|(key, n)| count(key, n)).collect();
    topic.send(&records);
    let warehouse = Warehouse::of_counts(&topic);
    assert_eq!(number(&warehouse.one(&[], 0), "upserted"), keys.len() as i64);
    COUNTS.assert_equals(&warehouse, &topic);
    topic.send(&[tombstone("e "), count("E", 99)]);
    assert_eq!(number(&warehouse.one(&[], 0), "deleted"), 1);
    COUNTS.assert_equals(&warehouse, &topic);
}

#[test]
fn aborted_records_never_arrive_and_open_ones_are_held() {
    let topic = Topic::compacted("transactions");
    let warehouse = Warehouse::of_counts(&topic);
    topic.commit(&[count("a", 1), count("b", 1)]);
    topic.abort(&[count("a", 666), tombstone("b"), count("ghost", 1)]);
    let report = warehouse.one(&[], 0);
    // Three aborted records, and two markers.
    assert_eq!(
        (number(&report, "read"), number(&report, "skipped_offsets")),
        (2, 5)
    );
    assert_eq!(number(&report, "held"), 0);
    COUNTS.assert_equals(&warehouse, &topic);
    let open = topic.open_transaction(&[count("a", 2), tombstone("b")]);
    topic.send(&[count("c", 3)]);
    let report = warehouse.one(&[], 0);
    assert_eq!((number(&report, "read"), number(&report, "held")), (0, 3));
    assert_eq!(report["partitions"][0]["end"], 7);
    COUNTS.assert_equals(&warehouse, &topic);
    assert_eq!(
        warehouse.value("SELECT COUNT(*) FROM product_purchase_counts"),
        "2"
    );
    open.commit();
    let report = warehouse.one(&[], 0);
    assert_eq!((number(&report, "read"), number(&report, "held")), (3, 0));
    COUNTS.assert_equals(&warehouse, &topic);
    assert_eq!(
        warehouse.value("SELECT COUNT(*) FROM product_purchase_counts"),
        "2"
    );
}

#[test]
fn a_rejected_record_is_kept_and_the_others_land() {
    let topic = Topic::compacted("rejects");
    let warehouse = Warehouse::of_counts(&topic);
    topic.send(&[
        count("a", 1),
        record("a", "{\"PURCHASE_COUNT\":\"many\"}"),
        count("b", 2),
        record("c", "{\"PURCHASE_COUNT\":9223372036854775808}"),
        record("d", "no JSON"),
    ]);
    let run = warehouse.run(&[]).expect(3);
    let report = run.report();
    let own = &report["topics"][0];
    assert_eq!(report["status"], "partial");
    assert_eq!(
        (number(own, "upserted"), number(own, "rejected")),
        (2, 3),
        "{own}"
    );
    assert_eq!((&own["status"], number(own, "remaining")), (&"ok".into(), 0));
    let rejects = "SELECT `offset`, `partition`, `key`, `value` FROM lakectl_rejects WHERE topic = ";
    let rejects = warehouse.query(&format!("{rejects}'{}' ORDER BY 1", topic.name));
    let wanted = [
        ["1", "0", "a", "{\"PURCHASE_COUNT\":\"many\"}"],
        ["3", "0", "c", "{\"PURCHASE_COUNT\":9223372036854775808}"],
        ["4", "0", "d", "no JSON"],
    ];
    assert_eq!(
        rejects,
        wanted.map(|row| row.map(|cell| Some(cell.to_owned())).to_vec())
    );
    let rows = "SELECT product_id, purchase_count FROM product_purchase_counts ORDER BY 1";
    let wanted = [["a", "1"], ["b", "2"]].map(|row| row.map(|cell| Some(cell.to_owned())).to_vec());
    assert_eq!(warehouse.query(rows), wanted);
    let reasons = "SELECT COUNT(*) FROM lakectl_rejects WHERE reason = ''";
    assert_eq!(warehouse.value(reasons), "0");
    // They are told once: the next run goes on after them.
    assert_eq!(number(&warehouse.one(&[], 0), "rejected"), 0);
    assert_eq!(warehouse.value("SELECT COUNT(*) FROM lakectl_rejects"), "3");
}

#[test]
fn exactly_what_was_written_reaches_decimals_and_times() {
    let topic = Topic::compacted("exact");
    let warehouse = Warehouse::new().table(&topic, "total_par_transaction_type", "transaction_type");
    topic.send(&[
        // More digits than a double has.
        record(
            "big",
            "{\"TOTAL_AMOUNT\":9007199254740993.07,\"TRANSACTION_COUNT\":9223372036854775807}",
        ),
        record("text", "{\"TOTAL_AMOUNT\":\"-0.10\",\"TRANSACTION_COUNT\":null}"),
        record("power", "{\"TOTAL_AMOUNT\":1.5E3}"),
    ]);
    warehouse.drain();
    let sql =
        "SELECT transaction_type, total_amount, transaction_count FROM total_par_transaction_type ORDER BY 1";
    let text = |cell: &str| Some(cell.to_owned());
    assert_eq!(
        warehouse.query(sql),
        [
            vec![
                text("big"),
                text("9007199254740993.07"),
                text("9223372036854775807")
            ],
            vec![text("power"), text("1500.00"), None],
            vec![text("text"), text("-0.10"), None],
        ]
    );
}
