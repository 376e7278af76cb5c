//! `--dry-run` reads like a plan: nothing in it says that something was done.

use crate::common::kafka::{Topic, record};
use crate::common::program::Run;
use crate::world::Warehouse;

/// What is said of deeds.
const DONE: [&str; 14] = [
    "purged",
    "erased:",
    "applied",
    "created",
    "granted",
    "revoked",
    "made",
    "deleted",
    "written",
    "wrote",
    "were left",
    "not reached",
    "from now on",
    "could not",
];

fn check_plan(run: &Run, words: &[&str]) {
    for line in run.stdout.lines().chain(run.stderr.lines()) {
        let deed = DONE.iter().find(|deed| line.contains(**deed));
        assert!(deed.is_none() || line.contains("would"), "{deed:?} in {run:#?}");
    }
    for word in words {
        assert!(run.stdout.contains(word), "no {word:?} in {run:#?}");
    }
}

#[test]
fn every_command_has_a_plan() {
    let (stream, table) = (Topic::new("plan"), Topic::compacted("plan-table"));
    let day = "2026-11-20";
    stream.send(&[
        record("k", "{\"USER_ID\":\"U-1\"}").on("2001-01-01T12:00:00Z"),
        record("k", "{\"USER_ID\":\"U-1\"}").on(&format!("{day}T12:00:00Z")),
    ]);
    table.send(&[record("P-1", "{\"PURCHASE_COUNT\":1}")]);
    let warehouse = Warehouse::without_database().counts(&table).stream(&stream);
    let plan = |arguments: &[&str], words: &[&str]| {
        let run = warehouse.lakectl(&[arguments, &["--dry-run"]].concat());
        assert!(matches!(run.code, 0 | 3), "{arguments:?}: {run:?}");
        check_plan(&run, words);
    };
    plan(&["init-db"], &["would create database", "would apply"]);
    plan(
        &["lake"],
        &[
            "would read up to 2 offsets into streams/",
            "would read up to 1 offset into tables/",
        ],
    );
    for arguments in [&["init-db"][..], &["lake"], &["warehouse"]] {
        warehouse.lakectl(arguments).expect(0);
    }
    let again = format!(
        "would read up to 2 offsets again, and replace {day} in streams/{}",
        stream.name
    );
    plan(&["lake", "--rebuild", day], &[&again]);
    let again = format!(
        "would read up to 1 offset again, and replace all of tables/{}",
        table.name
    );
    plan(&["lake", "--rebuild"], &[&again]);
    plan(
        &["warehouse", "--rebuild"],
        &["would read up to 1 offset again, and replace all of product_purchase_counts"],
    );
    plan(&["lake"], &["nothing new"]);
    plan(
        &["purge", "--older-than", "10y"],
        &["would purge 1 day folder with 1 file, 1 record"],
    );
    plan(
        &["purge", "--older-than", "100y"],
        &["nothing is older than its retention"],
    );
    plan(
        &["purge", "--where", "USER_ID=U-1"],
        &[
            "would erase: 2 lines in 2 files",
            "would not reach: Kafka",
            "leave them out then",
        ],
    );
    plan(&["grant", "set", "alice", "streams", "read"], &["would be read"]);
    warehouse
        .lakectl(&["grant", "set", "alice", "streams", "read"])
        .expect(0);
    plan(&["grant", "revoke", "alice", "streams"], &["would be revoked"]);
    plan(&["grant", "apply"], &[]);
}
