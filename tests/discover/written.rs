//! Which topics are discovered, and what is written where.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::common::kafka::{Topic, brokers, record};
use crate::common::program;
use crate::common::unique;
use crate::place::Place;

/// Topics whose names begin alike.
fn family(ends: &[&str]) -> (String, Vec<Topic>) {
    let start = unique("family");
    let made = ends.iter().map(|end| {
        let topic = Topic::named(format!("{start}{end}"));
        topic.create(1, &[]);
        topic.send(&[record("k", "{\"A\":1}")]);
        topic
    });
    let made = made.collect();
    (start, made)
}

#[test]
fn only_topics_without_an_entry_are_proposed() {
    let (start, topics) = family(&[
        "-a",
        ".b",
        "-changelog",
        "-x-repartition",
        "_command_topic",
        "ksql_processing_log",
    ]);
    let place = Place::with(&format!("[topics.\"{}\"]\nkind = \"table\"\n", topics[0].name));
    let shown = place.discover(&format!("{start}*"), 3);
    let headings: Vec<&str> = shown.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(headings, [format!("[topics.\"{}\"]", topics[1].name)]);
    // All of them are configured.
    let none = place.discover(&format!("{start}-a"), 0);
    assert_eq!(none, "# no topic lacks an entry\n");
    // One that is named in full is meant.
    assert!(place.discover(&topics[2].name, 3).contains("[topics."));
    place
        .run(&["discover", "--topics", &format!("{start}-changelo*")])
        .fails(2, &["no topic of Kafka matches", "internal"]);
    place
        .run(&["discover", "--topics", &format!("{start}.c")])
        .fails(2, &["there is no topic", "did you mean"]);
}

#[test]
fn entries_are_appended_and_all_else_stays() {
    let (start, topics) = family(&["-a", "-b"]);
    let place = Place::with("# a comment, kept\n[topics.'other']   # odd\nkind = 'stream'");
    std::fs::set_permissions(place.file(), std::fs::Permissions::from_mode(0o604)).unwrap();
    let before = place.text();
    let glob = format!("{start}*");
    place
        .run(&["discover", "--write", "--dry-run", "--topics", &glob])
        .expect(3);
    assert_eq!(place.text(), before);
    let run = place.run(&["discover", "--write", "--topics", &glob]).expect(3);
    assert!(
        run.stdout.contains("appended 2 entries to ") && run.stdout.contains(&topics[1].name),
        "{run:?}"
    );
    let after = place.text();
    assert!(after.starts_with(&before), "{after}");
    let printed = Place::with("").discover(&glob, 3);
    assert_eq!(after, format!("{before}\n\n{printed}"));
    assert_eq!(place.file().metadata().unwrap().mode() & 0o777, 0o604);
    assert_eq!(place.file().parent().unwrap().read_dir().unwrap().count(), 1);
    // There is nothing left.
    let again = place.run(&["discover", "--write", "--topics", &glob]).expect(0);
    assert!(again.stdout.contains("appended 0 entries"), "{again:?}");
    assert_eq!(place.text(), after);
}

#[test]
fn a_linked_file_stays_linked() {
    let (_, topics) = family(&["-a"]);
    let place = Place::with("");
    let target = place.file().with_file_name("real.toml");
    std::fs::rename(place.file(), &target).unwrap();
    std::os::unix::fs::symlink("real.toml", place.file()).unwrap();
    place
        .run(&["discover", "--write", "--topics", &topics[0].name])
        .expect(3);
    assert!(place.file().symlink_metadata().unwrap().is_symlink());
    assert!(std::fs::read_to_string(target).unwrap().contains(&topics[0].name));
}

#[test]
fn without_a_file_there_is_nothing_to_append_to() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["discover", "--write", "--brokers", brokers()];
    program::start(dir.path(), &arguments, &[])
        .wait()
        .fails(2, &["there is no configuration file to append to", "--config"]);
    assert_eq!(dir.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_file_that_takes_no_entry_stays_as_it_is() {
    let (_, topics) = family(&["-a"]);
    let place = Place::with("");
    let text = format!("topics = {{ X = {{ kind = \"stream\" }} }}\n{}", place.text());
    std::fs::write(place.file(), &text).unwrap();
    place
        .run(&["discover", "--write", "--topics", &topics[0].name])
        .fails(1, &["can't be appended to", "without --write"]);
    assert_eq!(place.text(), text);
}
