//! All of it: what is all right, what changes nothing, and what is left to say when a service is down.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::answer::{Answer, check};
use crate::common::example::{OTHERS, TABLES, entries, produce};
use crate::common::kafka::{Topic, commit_offset, numbered, record};
use crate::common::unique;
use crate::world::{Row, Warehouse};

/// Files and folders with what a change would change, and every row of the database.
type Picture = (BTreeMap<PathBuf, String>, Vec<Row>);

fn picture(world: &Warehouse) -> Picture {
    use std::os::unix::fs::MetadataExt;
    let tree = walkdir::WalkDir::new(world.folder()).into_iter().map(|found| {
        let found = found.unwrap();
        let meta = found.metadata().unwrap();
        let facts = format!(
            "{:o} {} {} {}.{:09}",
            meta.mode(),
            meta.ino(),
            meta.len(),
            meta.mtime(),
            meta.mtime_nsec()
        );
        (found.into_path(), facts)
    });
    let names = "SELECT TABLE_NAME, AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1";
    let mut rows = world.query(names);
    let tables: Vec<String> = rows
        .iter()
        .map(|row| format!("`{}`", row[0].clone().unwrap()))
        .collect();
    rows.extend(world.query(&format!("CHECKSUM TABLE {}", tables.join(", "))));
    (tree.collect(), rows)
}

#[test]
fn the_example_is_all_right_and_nothing_is_changed() {
    let prefix = unique("check-");
    let mut world = Warehouse::new();
    world.set_topics(&entries(&prefix));
    let name = |name: &str| Topic::named(format!("{prefix}{name}"));
    let (tables, others) = (TABLES.map(name), OTHERS.map(name));
    produce(&prefix, "1");
    let asked = [&tables[0], &others[1]];
    let committed = |target: &str| -> Vec<_> {
        let group = format!("{}.{target}", world.group);
        asked.iter().map(|topic| topic.committed(&group)).collect()
    };
    world.configure();
    let before = picture(&world);
    let answer = check(&world, &[], 0);
    assert!(
        picture(&world) == before,
        "the check before the first run changed something"
    );
    assert!(
        committed("lake")
            .iter()
            .chain(&committed("warehouse"))
            .all(Vec::is_empty)
    );
    answer.ok("configuration", "file", &["10 topics"]);
    answer.ok("Kafka", "answer", &["PLAINTEXT, 1 broker"]);
    answer.ok("MySQL", "answer", &["MySQL ", "no TLS"]);
    answer.ok("MySQL", "rights", &["13 tables"]);
    answer.ok("lake", "root", &["will be created in"]);
    answer.ok("lake", "room", &["free"]);
    for topic in &tables {
        for check in [
            "topic",
            "kept",
            "keys",
            "values",
            "table",
            "rows",
            "lake",
            "warehouse",
        ] {
            answer.ok(&topic.name, check, &[]);
        }
    }
    answer.ok(&tables[3].name, "keys", &["with a window"]);
    answer.ok(&tables[4].name, "retention", &["last_update_time"]);
    world.lakectl(&["lake"]).expect(0);
    world.lakectl(&["warehouse"]).expect(0);
    let (before, groups) = (picture(&world), [committed("lake"), committed("warehouse")]);
    let answer = check(&world, &[], 0);
    answer.ok("lake", "root", &["can be written: 10 topics, days of UTC"]);
    answer.ok(&tables[0].name, "warehouse", &["nothing new"]);
    assert!(
        picture(&world) == before,
        "the check after a run changed something"
    );
    assert!([committed("lake"), committed("warehouse")] == groups);
    // For people: a line each, and nothing at all with --quiet.
    let one = ["check", "--topics", &tables[0].name];
    let told = world.lakectl(&one).expect(0);
    let lines = check(&world, &one[1..], 0).checks.len() + 1;
    assert_eq!(told.stdout.lines().count(), lines, "{told:?}");
    assert!(
        told.stdout.ends_with("nothing wrong\n") && told.stderr.is_empty(),
        "{told:?}"
    );
    let told = world.lakectl(&[&one[..], &["--quiet"]].concat()).expect(0);
    assert!(told.stdout.is_empty() && told.stderr.is_empty(), "{told:?}");
}

#[test]
fn its_exit_codes_are_its_own() {
    let world = Warehouse::without_database();
    let help = world.lakectl(&["check", "--help"]).expect(0).stdout;
    for line in [
        "0    nothing is wrong",
        "3    something needs a person: each line",
        "130  stopped",
    ] {
        assert!(help.contains(line), "{help}");
    }
    assert!(!help.contains("another run holds a lock"), "{help}");
}

/// A port of this machine that nobody listens on.
fn nobody() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

#[test]
fn kafka_is_down() {
    let topic = Topic::named("check-nowhere".to_owned());
    let world = Warehouse::of_counts(&topic);
    let answer = check(&world, &["--brokers", &nobody()], 3);
    answer.is_wrong("Kafka", "answer", &["Connection refused", "is the broker up"]);
    answer.unknown("Kafka", "topics", &["not checked", "1 topic"]);
    answer.ok(&topic.name, "table", &["product_purchase_counts"]);
    answer.ok("MySQL", "schema", &[]);
    answer.ok("lake", "root", &[]);
    answer.unknown("lake", "room", &["Kafka could not be asked", "free"]);
    assert_eq!(answer.wrong(), [("Kafka", "answer")]);
}

#[test]
fn mysql_is_down() {
    let topic = Topic::compacted("check-no-mysql");
    topic.send(&[record("a", "{\"PURCHASE_COUNT\":1}")]);
    let world = Warehouse::without_database().counts(&topic);
    let url = format!("mysql://nobody@{}/nowhere", nobody());
    let answer = check(&world, &["--url", &url], 3);
    answer.is_wrong("MySQL", "answer", &["cannot reach", "is MySQL running there"]);
    answer.unknown("MySQL", "tables", &["not checked"]);
    answer.ok(&topic.name, "keys", &["1 of 1"]);
    answer.ok(&topic.name, "lake", &["1 offset to read"]);
    assert_eq!(answer.wrong(), [("MySQL", "answer")]);
    // Cron's mail: what is wrong, and nothing else.
    let told = world.lakectl(&["check", "--quiet", "--url", &url]).expect(3);
    assert!(told.stdout.is_empty(), "{told:?}");
    assert_eq!(told.stderr.lines().count(), 1, "{told:?}");
    assert!(told.stderr.contains("MySQL answer: cannot reach"), "{told:?}");
}

#[test]
fn only_one_side_is_configured() {
    let topic = Topic::compacted("check-one-side");
    topic.send(&numbered("a", 3, 1));
    let world = Warehouse::without_database().counts(&topic);
    world.configure();
    let run = |arguments: &[&str]| {
        let all = [&["check", "--json"], arguments].concat();
        crate::common::program::start(world.folder(), &all, &[]).wait()
    };
    Answer::of(run(&[]), 0).unknown("MySQL", "answer", &["no warehouse is configured"]);
    Answer::of(run(&["--only", "warehouse"]), 3).is_wrong(
        "MySQL",
        "answer",
        &["no warehouse", "warehouse.url"],
    );
    Answer::of(run(&["--only", "lake"]), 0).has_none("MySQL", "answer");
    commit_offset(&format!("{}.lake", world.group), &topic.name, 0, 3);
    let answer = Answer::of(run(&[]), 3);
    answer.is_wrong("lake", "root", &["Kafka's group has been through these topics"]);
}
