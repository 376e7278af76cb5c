//! `lakectl purge --key` and `--where`, from outside, on real Kafka and MySQL; and what must not keep a purge from the rest.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "common/account.rs"]
mod account;
mod erase_common;
#[path = "common/parquet.rs"]
mod parquet;

use erase_common::{DAY_MS, FIRST_DAY_MS, Message, World};
use mysql::prelude::Queryable;
use std::collections::BTreeMap;

const SUBJECT: &str = "USER-00042";
const WHERE: &str = "--where=USER_ID=USER-00042";

/// 240 records over three Kafka partitions and three days; every eighth is the subject's.
fn stream_values() -> Vec<String> {
    (0..240)
        .map(|n| {
            let user = if n % 8 == 0 { 42 } else { n % 40 + 100 };
            let id = format!("USER-{user:05}");
            match n % 24 {
                // Nested for its reserved name; escaped; with another case.
                16 => format!(r#"{{"year":{n},"USER_ID":"{id}"}}"#),
                8 => format!(r#"{{"n":{n}, "user_id" : "USER\u002d{user:05}"}}"#),
                _ => format!(r#"{{"n":{n},"amount":{n}.50,"USER_ID":"{id}"}}"#),
            }
        })
        .collect()
}

fn is_subject(line: &str) -> bool {
    line.contains(SUBJECT) || line.contains(r"USER\u002d00042")
}

/// Records of one key and time in S%.
fn produce_values(world: &World, values: &[&str]) {
    let messages: Vec<Message<'_>> = values
        .iter()
        .map(|value| Message {
            partition: 0,
            key: Some(b"k"),
            value: Some(value),
            time_ms: FIRST_DAY_MS,
        })
        .collect();
    world.produce("S%", &messages);
}

fn produce_stream(world: &World, topic: &str) {
    let values = stream_values();
    let keys: Vec<String> = (0..values.len()).map(|n| format!("TXN-{n}")).collect();
    let messages: Vec<Message<'_>> = values
        .iter()
        .zip(&keys)
        .enumerate()
        .map(|(n, (value, key))| Message {
            partition: n as i32 % 3,
            key: Some(key.as_bytes()),
            value: Some(value),
            time_ms: FIRST_DAY_MS + (n as i64 % 5 / 2) * DAY_MS + n as i64,
        })
        .collect();
    world.produce(topic, &messages);
}

fn stream_world(lake: &str) -> World {
    let world = World::new(&format!("[lake]\n{lake}\n[topics.\"S%\"]\nkind = \"stream\"\n"));
    world.create_topic("S%", 3);
    produce_stream(&world, "S%");
    world.expect(0, &["init-db"]);
    assert_eq!(world.expect(0, &["lake"])["totals"]["read"], 240);
    world
}

/// What must be left: the same files without the subject's lines, and no file that has none left.
fn without_subject(lines: &BTreeMap<String, Vec<String>>) -> BTreeMap<String, Vec<String>> {
    lines
        .iter()
        .map(|(path, lines)| {
            let kept = lines.iter().filter(|line| !is_subject(line)).cloned().collect();
            (path.clone(), kept)
        })
        .filter(|(_, lines): &(_, Vec<String>)| !lines.is_empty())
        .collect()
}

fn erase_a_stream(lake: &str) {
    let world = stream_world(lake);
    let before = world.lines("S%");
    let expected = without_subject(&before);
    let ran = world.run(&["purge", WHERE, "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert!(!ran.said.contains(SUBJECT), "{}", ran.said);
    let erased = &ran.json["erased"];
    assert_eq!(erased["lines"], 30);
    let changed = before
        .iter()
        .filter(|(_, lines)| lines.iter().any(|line| is_subject(line)));
    assert_eq!(erased["files"].as_array().unwrap().len(), changed.count());
    assert_eq!(erased["hash"].as_str().unwrap().len(), 64);
    assert!(!erased["unreachable"].as_array().unwrap().is_empty());
    assert_eq!(world.lines("S%"), expected);
    world.check_ledger("S%");
    assert_eq!(world.holds(SUBJECT), [""; 0]);

    // A second time there is nothing, under the same hash.
    let again = world.expect(0, &["purge", WHERE, "--yes"]);
    assert_eq!(
        (&again["erased"]["lines"], &again["erased"]["hash"]),
        (&0.into(), &erased["hash"])
    );

    // Neither a replay of the days nor new records bring the person back.
    let rebuilt = world.expect(0, &["lake", "--rebuild", "2025-10-29..2025-10-31"]);
    assert_eq!(rebuilt["topics"][0]["erased"], 30, "{rebuilt}");
    let kept = |lines: &BTreeMap<String, Vec<String>>| {
        let mut all: Vec<String> = lines.values().flatten().cloned().collect();
        all.sort();
        all
    };
    assert_eq!(kept(&world.lines("S%")), kept(&expected));
    world.check_ledger("S%");
    produce_stream(&world, "S%");
    let drained = world.expect(0, &["lake"]);
    assert_eq!(drained["topics"][0]["erased"], 30);
    assert_eq!(drained["topics"][0]["read"], 240);
    assert_eq!(drained["topics"][0]["written"], 210);
    assert_eq!(kept(&world.lines("S%")).len(), 420);
    world.check_ledger("S%");
    assert_eq!(world.holds(SUBJECT), [""; 0]);
}

#[test]
fn a_stream_of_plain_files() {
    erase_a_stream("compression = \"none\"");
}

#[test]
fn a_stream_of_gzip_files() {
    erase_a_stream("compression = \"gzip\"\nmetadata = false");
}

#[test]
fn a_stream_of_zstd_files() {
    erase_a_stream("compression = \"zstd\"\nmetadata_prefix = \"k_\"");
}

#[test]
fn a_stream_of_parquet_files() {
    // Uncompressed, so that whoever searches the bytes finds what is left.
    erase_a_stream("format = \"parquet\"\nparquet_compression = \"none\"");
}

/// Columns write 42 as 42.0, and an object beside texts as text: it is the same person.
#[test]
fn numbers_and_nested_fields_of_parquet_files() {
    let world = World::new("[lake]\nformat = \"parquet\"\n[topics.\"S%\"]\nkind = \"stream\"\n");
    world.create_topic("S%", 1);
    let values = [
        r#"{"ID":42,"N":0}"#,
        r#"{"ID":1.5,"N":1}"#,
        r#"{"ID":43,"user":{"id":7},"N":2}"#,
        r#"{"ID":44,"user":"nobody","N":3}"#,
        r#"{"ID":4.2E1,"N":4}"#,
    ];
    produce_values(&world, &values);
    world.expect(0, &["init-db"]);
    world.expect(0, &["lake"]);
    let left = |world: &World| -> Vec<String> {
        let lines = world.lines("S%").into_values().flatten();
        lines
            .map(|line| line.split("\"N\":").nth(1).unwrap()[..1].to_owned())
            .collect()
    };
    assert_eq!(left(&world), ["0", "1", "2", "3", "4"]);
    let erased = |subject: &str| world.expect(0, &["purge", subject, "--yes"])["erased"]["lines"].clone();
    assert_eq!(erased("--where=ID=42"), 2);
    // As the column shows it.
    assert_eq!(erased("--where=ID=1.50"), 1);
    assert_eq!(erased("--where=user.id=7"), 1);
    assert_eq!(left(&world), ["3"]);
    world.check_ledger("S%");
    let rebuilt = world.expect(0, &["lake", "--rebuild", "2025-10-29"]);
    assert_eq!(rebuilt["topics"][0]["erased"], 4, "{rebuilt}");
    assert_eq!(left(&world), ["3"]);
}

#[test]
fn a_stream_of_one_file_a_message() {
    erase_a_stream("files = \"message\"");
}

const TABLES: &str = r#"
[topics."T%"]
kind = "table"
key = { format = "json" }
warehouse.table = "total_depense_par_user_type"
[topics."W%"]
kind = "table"
key = { format = "string", columns = ["transaction_type"] }
window = { type = "hopping", size = "5m" }
warehouse.table = "total_par_type_5min_sliding"
warehouse.columns = { window_start = "window_start_time" }
"#;

fn table_world(lake: &str) -> World {
    let world = World::new(&format!("{lake}{TABLES}"));
    world.create_topic("T%", 2);
    world.create_topic("W%", 1);
    produce_tables(&world, 1);
    world.expect(0, &["init-db"]);
    world.expect(0, &["lake"]);
    world.expect(3, &["warehouse"]);
    world
}

/// 20 users of 3 types each, two rounds of totals; one total that no column holds; windows of 4 types.
fn produce_tables(world: &World, round: i64) {
    let mut records: Vec<(Vec<u8>, String, i64)> = Vec::new();
    for user in 35..55 {
        for kind in ["achat", "retrait", "transfert"] {
            let key = format!(r#"{{"USER_ID":"USER-{user:05}","TRANSACTION_TYPE":"{kind}"}}"#);
            let total = format!(r#"{{"TOTAL_DEPENSE_USD":{round}{user}.25}}"#);
            records.push((key.into_bytes(), total, user % 2));
        }
    }
    let refused = format!(r#"{{"USER_ID":"{SUBJECT}","TRANSACTION_TYPE":"odd"}}"#);
    records.push((
        refused.into_bytes(),
        r#"{"TOTAL_DEPENSE_USD":"no number"}"#.to_owned(),
        0,
    ));
    let messages: Vec<Message<'_>> = records
        .iter()
        .map(|(key, value, partition)| Message {
            partition: *partition as i32,
            key: Some(key),
            value: Some(value),
            time_ms: FIRST_DAY_MS + round,
        })
        .collect();
    world.produce("T%", &messages);
    let mut windows: Vec<(Vec<u8>, String)> = Vec::new();
    for kind in ["achat", "retrait", "SECRET-TYPE", "transfert"] {
        for window in 0..5i64 {
            let start = FIRST_DAY_MS + window * 300_000;
            let key = [kind.as_bytes(), &start.to_be_bytes()].concat();
            windows.push((key, format!(r#"{{"TOTAL_AMOUNT_5MIN":{round}.5}}"#)));
        }
    }
    let messages: Vec<Message<'_>> = windows
        .iter()
        .map(|(key, value)| Message {
            partition: 0,
            key: Some(key),
            value: Some(value),
            time_ms: FIRST_DAY_MS + round,
        })
        .collect();
    world.produce("W%", &messages);
}

fn counts(world: &World) -> (u64, u64, u64) {
    (
        world.count("total_depense_par_user_type"),
        world.count("total_par_type_5min_sliding"),
        world.count("lakectl_rejects"),
    )
}

fn snapshot_rows(world: &World, topic: &str) -> usize {
    let files = world.lines(topic);
    assert_eq!(files.len(), 1, "one snapshot");
    world.check_ledger(topic);
    files.values().map(Vec::len).sum()
}

fn erase_a_table(lake: &str) {
    let world = table_world(lake);
    assert_eq!(counts(&world), (60, 20, 1));
    assert_eq!(
        (snapshot_rows(&world, "T%"), snapshot_rows(&world, "W%")),
        (61, 20)
    );
    let expected = without_subject(&world.lines("T%"));
    let ran = world.run(&["purge", WHERE, "--key=W%=SECRET-TYPE", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.said);
    assert!(
        !ran.said.contains(SUBJECT) && !ran.said.contains("SECRET-TYPE"),
        "{}",
        ran.said
    );
    let erased = &ran.json["erased"];
    assert_eq!(
        (&erased["lines"], &erased["rows"]),
        (&9.into(), &8.into()),
        "{erased}"
    );
    assert_eq!(counts(&world), (57, 15, 0));
    assert_eq!(world.lines("T%"), expected);
    assert_eq!(
        (snapshot_rows(&world, "T%"), snapshot_rows(&world, "W%")),
        (57, 15)
    );
    let gone = |world: &World| {
        assert_eq!(world.holds(SUBJECT), [""; 0]);
        assert_eq!(world.holds("SECRET-TYPE"), [""; 0]);
    };
    gone(&world);

    // A merge with new records, and whole folds from the start, leave both out.
    produce_tables(&world, 2);
    let lake = world.expect(0, &["lake"]);
    let warehouse = world.expect(0, &["warehouse"]);
    for report in [&lake, &warehouse] {
        let erased: Vec<_> = (0..2)
            .map(|at| report["topics"][at]["erased"].as_u64().unwrap())
            .collect();
        assert_eq!(erased, [4, 5], "{report}");
    }
    assert_eq!(
        (snapshot_rows(&world, "T%"), snapshot_rows(&world, "W%")),
        (57, 15)
    );
    assert_eq!(counts(&world), (57, 15, 0));
    world.expect(0, &["lake", "--rebuild"]);
    world.expect(0, &["warehouse", "--rebuild"]);
    assert_eq!(
        (snapshot_rows(&world, "T%"), snapshot_rows(&world, "W%")),
        (57, 15)
    );
    assert_eq!(counts(&world), (57, 15, 0));
    assert!(
        world
            .rows("SELECT DISTINCT total_depense_usd FROM total_depense_par_user_type")
            .len()
            == 19
    );
    gone(&world);
}

#[test]
fn a_table_and_its_rows() {
    erase_a_table("");
}

#[test]
fn a_compressed_table_and_its_rows() {
    erase_a_table("[lake]\ncompression = \"gzip\"\n");
}

#[test]
fn history_of_a_table_is_searched_too() {
    let world = World::new(
        "[topics.\"H%\"]\nkind = \"table\"\nkey = { format = \"string\", columns = [\"USER_ID\"] }\nlake.history = true\n\
         warehouse.enabled = false\n",
    );
    world.create_topic("H%", 1);
    for day in 0..3 {
        let keys = [SUBJECT.to_owned(), format!("USER-{day:05}")];
        // Only the subject has a record on the last day.
        let records = keys.iter().take(if day == 2 { 1 } else { 2 }).map(|key| Message {
            partition: 0,
            key: Some(key.as_bytes()),
            value: Some(r#"{"n":1}"#),
            time_ms: FIRST_DAY_MS + day * DAY_MS,
        });
        world.produce("H%", &records.collect::<Vec<_>>());
        world.expect(0, &["lake"]);
    }
    assert_eq!(world.lines("H%").len(), 3);
    world.expect(0, &["init-db"]);
    let expected = without_subject(&world.lines("H%"));
    let report = world.expect(0, &["purge", WHERE, "--yes", "--only", "lake"]);
    assert_eq!(report["erased"]["lines"], 3);
    assert_eq!(world.lines("H%"), expected);
    world.check_ledger("H%");
    assert_eq!(world.holds(SUBJECT), [""; 0]);
}

#[test]
fn a_dry_run_touches_nothing() {
    let world = table_world("");
    let before = (world.listing(), world.dump());
    let args = ["purge", WHERE, "--key=W%=SECRET-TYPE", "-n"];
    let report = world.expect(0, &args);
    assert_eq!(
        (&report["erased"]["lines"], &report["erased"]["rows"]),
        (&9.into(), &8.into())
    );
    assert_eq!(report["erased"]["files"].as_array().unwrap().len(), 2);
    let told = world.finish(&mut world.command(&args));
    assert!(
        told.said.contains("snapshot_complet.json: 4 lines"),
        "{}",
        told.said
    );
    assert!(!told.said.contains(SUBJECT), "{}", told.said);
    // Nobody is there to ask.
    world.expect(2, &["purge", WHERE]);
    assert!((world.listing(), world.dump()) == before);
}

#[test]
fn usage_is_checked_before_anything_is_touched() {
    let world = table_world("");
    let before = (world.listing(), world.dump());
    for args in [
        ["purge", "--yes", "--key=Tx=USER-00042", "-q"],
        ["purge", "--yes", "--key=USER-00042", "-q"],
        ["purge", "--yes", "--where=USER-00042", "-q"],
        ["purge", "--yes", "--key=T%=USER-00042", "--topics=W%"],
        ["purge", "--yes", "--where=A=USER-00042", "--topics=NONE*"],
    ] {
        let ran = world.run(&args);
        assert_eq!(ran.code, 2, "{}", ran.said);
        assert!(!ran.said.contains(SUBJECT), "{}", ran.said);
    }
    assert!((world.listing(), world.dump()) == before);
}

#[test]
fn what_a_person_has_to_look_at_is_named() {
    let world = World::new("[topics.\"S%\"]\nkind = \"stream\"\n");
    world.create_topic("S%", 1);
    let values = [
        r#"{"USER_ID":"USER-00042","n":1}"#,
        r#"{"USER_ID":"USER-00042""#,
        r#"{"SENDER":"USER-00042"}"#,
        r#"{"SENDER":"USER-000421"}"#,
        r#"{"USER_ID":"USER-00042","user_id":"x"}"#,
    ];
    produce_values(&world, &values);
    world.expect(0, &["lake"]);
    let ran = world.run(&["purge", WHERE, "--yes", "--only=lake"]);
    assert_eq!(ran.code, 3, "{}", ran.said);
    let erased = &ran.json["erased"];
    assert_eq!(erased["lines"], 2);
    assert_eq!(erased["not_searchable"][0]["lines"], 1);
    assert_eq!(erased["mentions"][0]["lines"], 1);
    assert!(!ran.said.contains(SUBJECT));
    assert_eq!(world.lines("S%").values().map(Vec::len).sum::<usize>(), 3);
}

#[test]
fn an_unreachable_warehouse_is_told_and_made_up_for_later() {
    let world = table_world("");
    let nowhere = "--url=mysql://lakectl@127.0.0.1:9/nowhere";
    let report = world.expect(3, &["purge", WHERE, "--yes", nowhere]);
    assert_eq!(report["erased"]["lines"], 4);
    assert_eq!(report["erased"]["not_done"][0]["target"], "warehouse");
    assert_eq!(counts(&world).0, 60);
    let later = world.expect(0, &["purge", WHERE, "--yes"]);
    assert_eq!(later["erased"]["rows"], 3);
    assert_eq!(later["erased"]["hash"], report["erased"]["hash"]);
    assert_eq!(world.holds(SUBJECT), [""; 0]);
}

/// MySQL itself would find `user-00042` by its collation, and `abc` in a column of numbers as 0.
#[test]
fn rows_compare_byte_for_byte() {
    let world = World::new(
        "[topics.\"X%\"]\nkind = \"table\"\nkey = { columns = [\"id\"] }\nwarehouse.table = \"x\"\nlake.enabled = false\n",
    );
    world.expect(0, &["init-db"]);
    let mut mysql = world.mysql();
    let mut execute = |sql: &str| mysql::prelude::Queryable::query_drop(&mut mysql, sql).unwrap();
    execute(
        "CREATE TABLE x (id VARCHAR(20) COLLATE utf8mb4_general_ci PRIMARY KEY, \
         user_id VARCHAR(20) CHARACTER SET latin1, n INT, j JSON) CHARACTER SET utf8mb4",
    );
    execute(
        "INSERT INTO x VALUES ('a', 'USER-00042', 0, NULL), ('b', 'user-00042', 7, NULL), ('c', 'USER-00042 ', 8, NULL), \
         ('d', NULL, NULL, '\\\"USER-00042\\\"')",
    );
    let erase = |code: i32, subject: &str| {
        let report = world.expect(code, &["purge", "--yes", "--only=warehouse", subject]);
        report["erased"]["rows"].as_u64().unwrap()
    };
    assert_eq!(erase(0, WHERE), 1);
    assert_eq!(erase(0, "--where=N=abc"), 0);
    assert_eq!(erase(0, "--where=n=007"), 0);
    assert_eq!(erase(0, "--where=n=7"), 1);
    assert_eq!(erase(0, "--key=X%=C"), 0);
    // Characters that the column can hold, and that it can't.
    assert_eq!(erase(0, "--where=USER_ID=\u{20ac}"), 0);
    assert_eq!(erase(0, "--where=USER_ID=\u{1f600}"), 0);
    // Not searched, and said so.
    assert_eq!(erase(3, "--where=J=USER-00042"), 0);
    assert_eq!(world.rows("SELECT id FROM x").len(), 2);
    assert_eq!(erase(0, "--key=X%=c"), 1);
}

#[test]
fn a_locked_topic_is_told_and_left() {
    let world = stream_world("compression = \"none\"");
    let before = world.lines("S%");
    let lock = std::fs::File::open(world.root().join(".lakectl/locks").join(world.topic("S%"))).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    world.expect(11, &["purge", WHERE, "--yes"]);
    assert_eq!(world.lines("S%"), before);
    drop(lock);
    // What comes now is left out already; what was there waits for the next purge.
    produce_stream(&world, "S%");
    assert_eq!(world.expect(0, &["lake"])["topics"][0]["erased"], 30);
    assert_eq!(world.expect(0, &["purge", WHERE, "--yes"])["erased"]["lines"], 30);
    assert_eq!(world.holds(SUBJECT), [""; 0]);
}

#[test]
fn a_damaged_file_keeps_no_other_from_being_erased() {
    let world = stream_world("compression = \"none\"");
    let before = world.lines("S%");
    let path = before.keys().next().unwrap();
    let file = world.root().join(path);
    let mut bytes = std::fs::read(&file).unwrap();
    let at = bytes.iter().position(|&byte| byte == b'5').unwrap();
    bytes[at] = b'6';
    std::fs::write(&file, &bytes).unwrap();
    let ran = world.run(&["purge", WHERE, "--yes"]);
    assert_eq!(ran.code, 1, "{}", ran.said);
    assert!(
        ran.said.contains("was changed") && !ran.said.contains(SUBJECT),
        "{}",
        ran.said
    );
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    let left = world.lines("S%");
    let holding: Vec<_> = left
        .iter()
        .filter(|(_, lines)| lines.iter().any(|line| is_subject(line)))
        .collect();
    assert_eq!(holding.len(), 1);
}

fn assert_first_fails(report: &serde_json::Value, why: &str) {
    let error = report["topics"][0]["error"].as_str().unwrap();
    assert!(error.contains(why), "{report}");
}

/// Two streams of the subject, the first of them with a ledger file that was emptied.
fn beside_a_damaged_topic(damaged: &str) {
    let world = World::new("[topics.\"A%\"]\nkind = \"stream\"\n[topics.\"S%\"]\nkind = \"stream\"\n");
    for topic in ["A%", "S%"] {
        world.create_topic(topic, 3);
        produce_stream(&world, topic);
    }
    world.expect(0, &["init-db"]);
    world.expect(0, &["lake"]);
    let ledger = world.root().join(".lakectl/topics").join(world.topic("A%"));
    let file = match damaged {
        "state" => ledger.join(damaged),
        _ => {
            let mut days = std::fs::read_dir(ledger.join(damaged)).unwrap();
            days.next().unwrap().unwrap().path()
        }
    };
    std::fs::write(&file, "").unwrap();
    let ran = world.run(&["purge", WHERE, "--yes"]);
    assert_eq!(ran.code, 1, "{damaged}: {}", ran.said);
    assert!(ran.said.contains("is damaged"), "{damaged}: {}", ran.said);
    let left = world.lines("S%").into_values().flatten();
    assert_eq!(left.filter(|line| is_subject(line)).count(), 0, "{damaged}");
    // Nor from retention.
    let report = world.expect(
        1,
        &["purge", "--older-than", "1d", "--max-fraction", "1", "--yes"],
    );
    assert_eq!(
        report["folders"].as_array().unwrap().len(),
        3,
        "{damaged}: {report}"
    );
    assert_first_fails(&report, "is damaged");
}

#[test]
fn a_damaged_ledger_keeps_no_other_topic_from_being_erased() {
    beside_a_damaged_topic("state");
    beside_a_damaged_topic("days");
}

/// In a table whose keys moved between Kafka partitions before its first drain, nothing is erased before that drain is
/// complete: otherwise older rows would come back, and keys of deleted rows would stay in the ledger.
#[test]
fn nothing_is_erased_amid_a_tables_first_drain() {
    let world = World::new(
        "[topics.\"T%\"]\nkind = \"table\"\nkey = { columns = [\"id\"] }\nwarehouse.enabled = false\n",
    );
    world.create_topic("T%", 2);
    let at = |partition, key: &'static str, value, hours: i64| Message {
        partition,
        key: Some(key.as_bytes()),
        value,
        time_ms: FIRST_DAY_MS + hours * 3_600_000,
    };
    let (old, new) = (
        Some(r#"{"USER_ID":"USER-00001"}"#),
        Some(r#"{"USER_ID":"USER-00042"}"#),
    );
    world.produce(
        "T%",
        &[
            at(0, "filler", old, 1),
            at(0, "moved", old, 2),
            at(1, "moved", new, 9),
            at(1, "deleted-key", old, 3),
            at(1, "deleted-key", None, 4),
        ],
    );
    let limited = ["lake", "--max-messages", "2"];
    assert_eq!(world.expect(0, &limited)["totals"]["remaining"], 3);
    for dry_run in [true, false] {
        let mut purge = vec!["purge", WHERE, "--only", "lake", "--yes"];
        purge.extend(dry_run.then_some("--dry-run"));
        let ran = world.run(&purge);
        assert_eq!(ran.code, 1, "{}", ran.said);
        assert!(
            ran.said.contains("its first drain into the lake is not complete")
                && ran.said.contains("--rebuild"),
            "{}",
            ran.said
        );
    }
    world.expect(0, &["lake"]);
    world.expect(0, &["purge", WHERE, "--only", "lake", "--yes"]);
    world.expect(
        0,
        &["purge", "--key", "T%=deleted-key", "--only", "lake", "--yes"],
    );
    let rows: Vec<String> = world.lines("T%").into_values().flatten().collect();
    assert!(rows.len() == 1 && rows[0].contains("filler"), "{rows:?}");
    let ledger = world.root().join(".lakectl/topics").join(world.topic("T%"));
    for file in std::fs::read_dir(ledger).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        let holds = |key: &[u8]| bytes.windows(key.len()).any(|window| window == key);
        assert!(!holds(b"moved") && !holds(b"deleted-key"), "{}", path.display());
    }
}

#[test]
fn a_row_that_can_not_go_keeps_no_other_from_being_erased() {
    let world = World::new(
        "[topics.\"X%\"]\nkind = \"table\"\nkey = { columns = [\"id\"] }\nwarehouse.table = \"x\"\n",
    );
    world.expect(0, &["init-db"]);
    world.rows("CREATE TABLE x (id INT PRIMARY KEY, user_id VARCHAR(20))");
    world.rows(
        "INSERT INTO x VALUES (1, 'USER-00042'), (2, 'USER-00042'), (3, 'USER-00042'), (4, 'USER-00043')",
    );
    world.rows("CREATE TABLE note (x INT PRIMARY KEY, FOREIGN KEY (x) REFERENCES x (id))");
    world.rows("INSERT INTO note VALUES (1)");
    let erase = ["purge", "--only", "warehouse", WHERE, "--yes"];
    let ran = world.run(&erase);
    assert_eq!(ran.code, 1, "{}", ran.said);
    assert!(ran.said.contains("2 rows are deleted"), "{}", ran.said);
    assert_eq!(world.count("x"), 2);
    world.rows("DROP TABLE note");
    assert_eq!(world.expect(0, &erase)["erased"]["rows"], 1);
}

#[test]
fn a_table_that_does_not_fit_keeps_no_other_from_retention() {
    let world = World::new(
        "[topics.\"A%\"]\nkind = \"table\"\nwarehouse.table = \"gone\"\nwarehouse.retention = { column = \"d\", keep = \"1d\" }\n\
         [topics.\"B%\"]\nkind = \"table\"\nwarehouse.table = \"x\"\nwarehouse.retention = { column = \"d\", keep = \"99999y\" }\n\
         [topics.\"X%\"]\nkind = \"table\"\nkey = { columns = [\"id\"] }\nwarehouse.table = \"x\"\n\
         warehouse.retention = { column = \"d\", keep = \"1d\" }\n",
    );
    world.expect(0, &["init-db"]);
    world.rows("CREATE TABLE x (id VARCHAR(9) PRIMARY KEY, d DATETIME, INDEX (d))");
    world.rows("INSERT INTO x VALUES ('a', '2020-01-01')");
    let purge = ["purge", "--only", "warehouse", "--max-fraction", "1", "--yes"];
    let report = world.expect(2, &purge);
    assert_eq!(report["tables"][0]["rows"], 1, "{report}");
    assert_first_fails(&report, "no table `gone`");
    assert_eq!(world.count("x"), 0);
}

#[test]
fn without_its_key_the_list_of_the_erased_stops_drains() {
    let world = stream_world("compression = \"none\"");
    world.expect(0, &["purge", WHERE, "--yes"]);
    let key = world.root().join(".lakectl/erasure-key");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o7777,
        0o600
    );
    std::fs::remove_file(&key).unwrap();
    let ran = world.run(&["lake"]);
    assert_eq!(ran.code, 1, "{}", ran.said);
    assert!(ran.said.contains("backup"), "{}", ran.said);
}

const DEBEZIUM: &str = "key = { format = \"json\" }\nvalue.unwrap = \"debezium\"";

/// A person is found wherever a row stands: out of its envelope, and in it (old lines, what could not be taken out), after a
/// change and before it.
#[test]
fn a_person_in_envelopes() {
    let configuration = |stream: &str| {
        format!(
            "[topics.\"S%\"]\nkind = \"stream\"\n{stream}\n[topics.\"T%\"]\nkind = \"table\"\n{DEBEZIUM}\n\
             warehouse.table = \"people\"\n"
        )
    };
    let world = World::new(&configuration(""));
    world.create_topic("S%", 1);
    world.create_topic("T%", 1);
    let row = |user: &str, n: &str| format!(r#"{{"USER_ID":"{user}","N":{n}}}"#);
    let (theirs, others) = (|n: &str| row(SUBJECT, n), |n: &str| row("USER-00001", n));
    let change =
        |op: &str, before: &str, after: &str| format!(r#"{{"before":{before},"after":{after},"op":"{op}"}}"#);
    let values = [
        change("c", "null", &theirs("1")),
        change("c", "null", &others("2")),
        // The column refuses these.
        change("u", "null", &theirs("\"three\"")),
        change("u", &theirs("4"), &others("\"four\"")),
        // Nobody can say what these do.
        change("x", &theirs("5"), "null"),
        format!(
            r#"{{"schema":null,"payload":{}}}"#,
            change("x", "null", &theirs("6"))
        ),
        change("x", "null", &others("7")),
    ];
    let keys: Vec<String> = (0..values.len()).map(|id| format!(r#"{{"id":{id}}}"#)).collect();
    let message = |(key, value): (&'static str, &'static str)| Message {
        partition: 0,
        key: Some(key.as_bytes()),
        value: Some(value),
        time_ms: FIRST_DAY_MS,
    };
    let records = keys.iter().zip(&values);
    let records = records.map(|(key, value)| (&*String::leak(key.clone()), &*String::leak(value.clone())));
    let messages: Vec<Message<'_>> = records.map(message).collect();
    world.expect(0, &["init-db"]);
    world
        .mysql()
        .query_drop("CREATE TABLE people (id INT PRIMARY KEY, user_id VARCHAR(20), n INT)")
        .unwrap();
    // The first lines of the stream are still in their envelopes, the later ones are not.
    world.produce("S%", &messages);
    world.expect(0, &["lake"]);
    world.configure(&configuration(DEBEZIUM));
    world.produce("S%", &messages);
    world.produce("T%", &messages);
    world.expect(3, &["lake"]);
    world.expect(3, &["warehouse"]);
    assert_eq!((world.count("people"), world.count("lakectl_rejects")), (2, 5));
    let erased = world.expect(0, &["purge", WHERE, "--yes"])["erased"].clone();
    // Of the lines in envelopes also the one of a row that was theirs before the change.
    assert_eq!(
        (&erased["lines"], &erased["rows"]),
        (&13.into(), &1.into()),
        "{erased}"
    );
    assert_eq!(world.holds(SUBJECT), [""; 0]);
    assert_eq!((world.count("people"), world.count("lakectl_rejects")), (1, 2));
    // They don't come back, not even in a reject of a row that was theirs before.
    world.produce("S%", &messages);
    world.produce("T%", &messages);
    world.expect(3, &["lake"]);
    world.expect(3, &["warehouse"]);
    world.expect(3, &["warehouse", "--rebuild", "--topics", "T%"]);
    assert_eq!(world.holds(SUBJECT), [""; 0]);
    assert_eq!(world.count("people"), 1);
}
