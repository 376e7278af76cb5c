//! A lake that `lakectl lake` itself fills from the real Kafka: what it makes after `apply` is readable to those who
//! were granted it, and to nobody else.

use crate::common::kafka::{DAY_MS, NOON_MS, Topic, brokers, record};
use crate::common::unique;
use crate::world::{Person, World};

#[test]
fn new_days_snapshots_and_rebuilt_days_stay_readable() {
    let (stream, table) = (Topic::new("grants"), Topic::compacted("grants"));
    let world = World::new();
    world.configure(&format!(
        "[kafka]\nbrokers = \"{}\"\ngroup = \"{}\"\n[lake]\nroot = \"lake\"\n[topics.{:?}]\nkind = \"stream\"\n\
         [topics.{:?}]\nkind = \"table\"\n",
        brokers(),
        unique("grants"),
        stream.name,
        table.name
    ));
    let drain = |value: &str, at: i64| {
        stream.send(&[record("k", value).at(at)]);
        table.send(&[record("k", value).at(at)]);
        world.run(&["lake"]).expect(0);
    };
    drain("{\"n\":1}", NOON_MS);
    let (reader, stranger) = (Person::new("reader"), Person::new("stranger"));
    world.set(&reader.0, &format!("streams/{}", stream.name), "read");
    world.set(&reader.0, &format!("tables/{}", table.name), "read");
    world.set(&stranger.0, "streams/elsewhere", "none");
    world.grant(&["apply", "--only", "lake"], 0);
    let current = world.lake().join(format!("current/{}.json", table.name));
    let day = |day: u32| {
        world
            .lake()
            .join(format!("streams/{}/year=2025/month=10/day={day}", stream.name))
    };
    let reads = |folder: &std::path::Path| {
        let files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert!(!files.is_empty());
        assert!(reader.can("ls", folder));
        assert!(files.iter().all(|file| !stranger.reads(file)));
        files.iter().all(|file| reader.reads(file))
    };
    assert!(reads(&day(30)));

    drain("{\"n\":2}", NOON_MS + DAY_MS);
    assert!(reads(&day(30)) && reads(&day(31)));
    let seen = reader.run("cat", &current);
    assert!(
        String::from_utf8_lossy(&seen.stdout).contains("\"n\":2"),
        "{seen:?}"
    );
    assert!(!stranger.reads(&current) && !reader.can("ls", world.lake().join("current")));
    world
        .run(&[
            "lake",
            "--topics",
            &stream.name,
            "--rebuild",
            "2025-10-30..2025-10-31",
        ])
        .expect(0);
    assert!(reads(&day(30)) && reads(&day(31)));
    let again = world.grant(&["apply", "--only", "lake"], 0);
    assert_eq!(again["changed"], false, "{again}");
}
