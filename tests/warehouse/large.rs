//! A value of 64 MiB, which Kafka takes where a topic allows it, and MySQL doesn't: through lake and warehouse. Once, and by
//! one test, as it is a heavy load for a broker that others use.

use std::time::Duration;

use super::world::Warehouse;
use crate::common::compare::{assert_stream, assert_table};
use crate::common::kafka::{Topic, record};
use crate::common::lake::{Lake, check_report, number};
use crate::common::program::Running;

const MIB: usize = 1 << 20;
/// What a run takes beside the value: queues, buffers, the program itself.
const BESIDE_BYTES: usize = 160 * MIB;
/// How often the value may stand in memory at once: Kafka's batch, the record, the line and its buffer's growth.
const COPIES_MAX: usize = 6;

/// Waits for a run, and gives the most memory that it was seen with.
fn watch(mut running: Running, code: i32, command: &str) -> (serde_json::Value, usize) {
    let status = format!("/proc/{}/status", running.child.id());
    let mut highest = 0;
    while !running.is_over() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|peak| peak.trim().strip_suffix(" kB")?.parse::<usize>().ok());
        highest = highest.max(kib.unwrap_or(0) * 1024);
        std::thread::sleep(Duration::from_millis(5));
    }
    let report = running.wait().expect(code).report();
    check_report(&report, command, code);
    (report["topics"][0].clone(), highest)
}

#[test]
fn through_stream_table_and_warehouse() {
    let topic = Topic::with("large", 1, &[("max.message.bytes", "80000000")]);
    let piece = format!("é\\n{}", "x".repeat(1020));
    let text = piece.repeat(64 * MIB / piece.len());
    let large = format!("{{\"PURCHASE_COUNT\":7,\"A\":\"{text}\"}}");
    topic.send(&[
        record("a", "{\"PURCHASE_COUNT\":1}"),
        record("b", &large),
        record("c", &large[..4 * MIB]),
        record("d", "{\"PURCHASE_COUNT\":4}"),
    ]);
    let check_memory = |peak: usize| {
        let expected = large.len()..COPIES_MAX * large.len() + BESIDE_BYTES;
        assert!(expected.contains(&peak), "{} MiB for a value of 64", peak / MIB);
    };
    for (lake, is_table) in [(Lake::of_stream(&topic), false), (Lake::of_table(&topic), true)] {
        let (report, peak) = watch(lake.start(&[]), 0, "lake");
        // The one that was cut is not JSON, and is kept as text.
        assert_eq!((number(&report, "written"), number(&report, "irregular")), (4, 1));
        check_memory(peak);
        if !is_table {
            drop(assert_stream(&lake, &topic))
        } else {
            drop(assert_table(&lake, &topic))
        }
    }
    let warehouse = Warehouse::of_counts(&topic);
    // The column that is there takes its part of the value, whatever the rest of it weighs.
    let (report, peak) = watch(warehouse.start(&[]), 3, "warehouse");
    assert_eq!((number(&report, "upserted"), number(&report, "rejected")), (3, 1));
    check_memory(peak);
    let rows = warehouse.query("SELECT product_id, purchase_count FROM product_purchase_counts ORDER BY 1");
    let wanted = [["a", "1"], ["b", "7"], ["d", "4"]];
    assert_eq!(
        rows,
        wanted.map(|row| row.map(|cell| Some(cell.to_owned())).to_vec())
    );
    let sql = "SELECT `offset`, value_bytes, LENGTH(`value`) FROM lakectl_rejects";
    let wanted = ["2".to_owned(), (4 * MIB).to_string(), MIB.to_string()];
    assert_eq!(warehouse.query(sql), [wanted.map(Some).to_vec()]);
}
