//! What becomes of days: files go together, late records wait, and all stays as it was otherwise.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::{compact, drain_often, files, lines, of_day, one};
use crate::common::compare::Compare;
use crate::common::files::Line;
use crate::common::kafka::{DAY_MS, NOON_MS, Topic, record};
use crate::common::lake::{Lake, assert_same, number};
use crate::common::program;

fn day(day: &str, records: i64, files: [i64; 2]) -> Value {
    json!({ "day": day, "records": records, "files_before": files[0], "files_after": files[1] })
}

/// The days of a topic's report, without bytes.
fn days(topic: &Value) -> Vec<Value> {
    let days = topic["days"].as_array().unwrap().iter().cloned();
    days.map(|mut day| {
        let fields = day.as_object_mut().unwrap();
        assert!(fields.remove("bytes_before").unwrap().as_u64() > Some(0));
        fields.remove("bytes_after");
        day
    })
    .collect()
}

#[test]
fn many_files_become_one_for_each_kafka_partition_with_the_same_lines() {
    for (compression, extension) in [("none", ".json"), ("gzip", ".json.gz"), ("zstd", ".json.zst")] {
        let topic = Topic::with("compact", 2, &[]);
        let lake = Lake::with(&format!("compression = {compression:?}")).stream(&topic, "");
        drain_often(&lake, &topic, 5);
        let (before, seen) = (lines(&lake, &topic), files(&lake, &topic));
        let names: BTreeSet<_> = seen.iter().map(|file| &file.path).collect();
        assert_eq!(seen.len(), 20);

        let kept = lake.kept();
        let planned = one(&lake, &["-n"], 0);
        assert_same(&lake.kept(), &kept);
        let wanted = [day("2025-10-30", 20, [10, 2]), day("2025-10-31", 20, [10, 2])];
        assert_eq!(days(&planned), wanted);
        let done = one(&lake, &[], 0);
        assert_eq!(days(&done), wanted);
        assert_eq!(
            ["records", "files_before", "files_after", "days_left"].map(|name| number(&done, name)),
            [40, 20, 4, 0]
        );

        assert_eq!(lines(&lake, &topic), before);
        let now = files(&lake, &topic);
        assert_eq!(now.len(), 4);
        assert!(now.iter().all(|file| !names.contains(&file.path)), "{now:#?}");
        let bytes: u64 = walk_bytes(&lake);
        assert_eq!(number(&done, "bytes_after"), bytes as i64);
        let compare = Compare {
            extension,
            ..Compare::default()
        };
        compare.stream(&lake, &topic.name, &topic.read());
        let verified = lake.verify(0);
        assert_eq!(number(&verified["topics"][0], "records"), 40);
        // There is nothing more to do, and nothing is done.
        let kept = lake.kept();
        assert_eq!(days(&one(&lake, &[], 0)), Vec::<Value>::new());
        assert_same(&lake.kept(), &kept);
        // What comes later goes on where the progress stood.
        topic.send(&of_day("later", 2, 2, 2));
        assert_eq!(number(&lake.one(&[], 0), "written"), 2);
        compare.stream(&lake, &topic.name, &topic.read());
    }
}

/// Bytes of all data files.
fn walk_bytes(lake: &Lake) -> u64 {
    let listing = lake.listing().into_iter();
    let data = listing.filter(|(path, entry)| path.starts_with("streams") && entry.is_file());
    data.map(|(_, entry)| entry.bytes).sum()
}

#[test]
fn a_file_becomes_no_larger_than_files_may_be() {
    for settings in [
        "max_file_size = \"2KiB\"",
        "max_file_size = \"2KiB\"\nmetadata = false",
    ] {
        let topic = Topic::new("compact-split");
        let lake = Lake::with(settings).stream(&topic, "");
        for run in 0..12 {
            topic.send(&of_day(&format!("r{run}"), 4, 1, 0));
            lake.drain();
        }
        let before = lines(&lake, &topic);
        let planned = one(&lake, &["-n"], 0);
        let done = one(&lake, &[], 0);
        assert_eq!(days(&planned), days(&done));
        let now = files(&lake, &topic);
        assert!((2..12).contains(&now.len()), "{now:#?}");
        for file in &now {
            let bytes: usize = file.lines.iter().map(|line| line.len() + 1).sum();
            assert!(bytes <= 2048, "{} has {bytes}", file.path);
        }
        assert_eq!(lines(&lake, &topic), before);
        lake.verify(0);
        // Several files of a Kafka partition are not compacted for ever.
        assert_eq!(days(&one(&lake, &[], 0)), Vec::<Value>::new());
    }
}

/// Of a compressed lake, too, the lines count.
#[test]
fn lines_count_before_compression() {
    let topic = Topic::new("compact-lines");
    let lake = Lake::with("compression = \"zstd\"\nmax_file_size = \"64KiB\"").stream(&topic, "");
    let value = format!("{{\"TEXT\":\"{}\"}}", "abcdefgh".repeat(1_000));
    for _ in 0..16 {
        topic.send(&[record("k", &value), record("k", &value)]);
        lake.drain();
    }
    one(&lake, &[], 0);
    let now = files(&lake, &topic);
    assert!((4..8).contains(&now.len()), "{}", now.len());
    for file in &now {
        let bytes: usize = file.lines.iter().map(|line| line.len() + 1).sum();
        assert!(bytes <= 64 * 1024, "{} has {bytes}", file.path);
    }
    lake.verify(0);
}

#[test]
fn one_file_per_record_and_files_of_another_compression_go_together() {
    let topic = Topic::with("compact-mixed", 2, &[]);
    let mut lake = Lake::with("files = \"message\"").stream(&topic, "");
    drain_often(&lake, &topic, 1);
    lake.set("compression = \"gzip\"");
    drain_often(&lake, &topic, 1);
    let before = lines(&lake, &topic);
    lake.set("compression = \"zstd\"");
    one(&lake, &[], 0);
    assert_eq!(lines(&lake, &topic), before);
    let now = files(&lake, &topic);
    assert!(now.len() == 4 && now.iter().all(|file| file.name().ends_with(".json.zst")));
    lake.verify(0);
}

#[test]
fn a_day_waits_until_it_and_its_newest_commit_are_old() {
    let topic = Topic::with("compact-young", 2, &[]);
    let lake = Lake::of_stream(&topic);
    drain_often(&lake, &topic, 2);
    let today = chrono::Utc::now().timestamp_millis();
    for _ in 0..2 {
        topic.send(&[record("today", "{}").at(today)]);
        lake.drain();
    }
    let run = |arguments: &[&str]| {
        lake.configure();
        let all = [&["compact", "--json"], arguments].concat();
        let report = program::start(lake.folder(), &all, &[]).wait().expect(0).report();
        days(&report["topics"][0])
    };
    assert_eq!(run(&[]), Vec::<Value>::new());
    // The first day's newest commit is made two days old.
    let manifest = lake
        .root()
        .join(format!(".lakectl/topics/{}/days/2025-10-30", topic.name));
    let then = SystemTime::now() - Duration::from_secs(2 * 86_400);
    let file = std::fs::File::options().write(true).open(manifest).unwrap();
    file.set_modified(then).unwrap();
    assert_eq!(run(&["--older-than", "3d"]), Vec::<Value>::new());
    assert_eq!(run(&[]), [day("2025-10-30", 8, [4, 2])]);
    // Today is not over, however old its commit is.
    assert_eq!(run(&["--older-than", "0s"]), [day("2025-10-31", 8, [4, 2])]);
    lake.verify(0);
}

#[test]
fn records_that_come_late_wait_for_others() {
    let topic = Topic::new("compact-late");
    let lake = Lake::of_stream(&topic);
    let late = |label: &str, count: usize| {
        topic.send(&of_day(label, count, 1, 0));
        lake.drain();
    };
    late("a", 200);
    late("b", 200);
    assert_eq!(days(&one(&lake, &[], 0)), [day("2025-10-30", 400, [2, 1])]);
    for n in 0..15 {
        late(&format!("late-{n}"), 1);
    }
    assert_eq!(days(&one(&lake, &[], 0)), Vec::<Value>::new());
    late("sixteenth", 1);
    assert_eq!(days(&one(&lake, &[], 0)), [day("2025-10-30", 416, [17, 1])]);
    late("a tenth", 42);
    assert_eq!(days(&one(&lake, &[], 0)), [day("2025-10-30", 458, [2, 1])]);
    let lines: Vec<_> = lines(&lake, &topic);
    let offsets: Vec<_> = lines.iter().map(|line| Line::parse(line, "_").offset).collect();
    assert_eq!(offsets, (0..458).collect::<Vec<_>>());
    lake.verify(0);
}

#[test]
fn a_topic_that_was_created_again_keeps_its_generations_apart() {
    let topic = Topic::new("compact-again");
    let lake = Lake::of_stream(&topic);
    let drain_twice = |arguments: &[&str], code| {
        topic.send(&of_day("x", 2, 1, 0));
        lake.run(arguments).expect(code);
        topic.send(&of_day("y", 2, 1, 0));
        lake.run(&[]).expect(0);
    };
    drain_twice(&[], 0);
    topic.recreate();
    drain_twice(&["--accept-recreated"], 3);
    let before = lines(&lake, &topic);
    assert_eq!(days(&one(&lake, &[], 0)), [day("2025-10-30", 8, [4, 2])]);
    let mut names: Vec<_> = files(&lake, &topic)
        .iter()
        .map(|file| file.name().to_owned())
        .collect();
    names.sort_by_key(|name| name.contains("-g2"));
    assert!(names[1].ends_with("-g2.json"), "{names:?}");
    let mut now = lines(&lake, &topic);
    let mut before = before;
    now.sort();
    before.sort();
    assert_eq!(now, before);
    lake.verify(0);
}

#[test]
fn records_without_a_day_and_tables() {
    let (stream, table) = (Topic::new("compact-null"), Topic::compacted("compact-table"));
    let lake = Lake::new()
        .stream(&stream, "lake.partition_time = \"field:T\"")
        .table(&table, "");
    for n in 0..3 {
        stream.send(&[record("a", "{}")]);
        table.send(&[record("k", &format!("{{\"N\":{n}}}"))]);
        lake.drain();
    }
    let done = one(&lake, &[], 0);
    assert_eq!(done["topic"], *stream.name);
    assert_eq!(days(&done), [day("__HIVE_DEFAULT_PARTITION__", 3, [3, 1])]);
    lake.verify(0);
    let named = compact(&lake, &["--topics", &table.name]);
    named.fails(2, &["names tables only"]);
}

#[test]
fn a_limit_of_time_leaves_days_for_the_next_run() {
    let topic = Topic::with("compact-limit", 2, &[]);
    let lake = Lake::of_stream(&topic);
    drain_often(&lake, &topic, 3);
    let kept = lake.kept();
    let done = one(&lake, &["--max-duration", "0s"], 0);
    assert_eq!(
        (number(&done, "days_left"), days(&done)),
        (2, Vec::<Value>::new())
    );
    assert_same(&lake.kept(), &kept);
    assert_eq!(days(&one(&lake, &["--max-duration", "1h"], 0)).len(), 2);
}

/// The ledger's state names what a commit replaces, and a kill loses what is staged: one has not all days.
#[test]
fn many_days_are_several_commits() {
    let topic = Topic::new("compact-commits");
    let lake = Lake::of_stream(&topic);
    for run in 0..2 {
        let days = (0..20).map(|day| of_day(&format!("r{run}"), 1, 1, day));
        topic.send(&days.collect::<Vec<_>>().concat());
        lake.drain();
    }
    assert_eq!(number(&one(&lake, &[], 0), "files_after"), 20);
    let commits = ["c3", "c4"].map(|commit| {
        let name = |file: &&crate::common::files::DataFile| file.name().contains(&format!("-{commit}."));
        files(&lake, &topic).iter().filter(name).count()
    });
    assert_eq!(commits, [16, 4]);
    lake.verify(0);
}

#[test]
fn people_are_told_what_was_and_what_would_be_done() {
    let topic = Topic::with("compact-told", 2, &[]);
    let lake = Lake::of_stream(&topic);
    drain_often(&lake, &topic, 3);
    let run = |arguments: &[&str]| {
        let all = [&["compact", "--older-than", "0s"], arguments].concat();
        program::start(lake.folder(), &all, &[]).wait().expect(0).stdout
    };
    for (text, verb) in [(run(&["-n"]), "would compact "), (run(&[]), "stream ")] {
        let told = format!("{verb}24 records in 12 files -> 4 over 2 days");
        assert!(text.contains(&told), "{text}");
        assert!(text.contains("2025-10-31: 6 files -> 2, 12 records"), "{text}");
    }
    assert!(run(&[]).contains("nothing to compact"));
    assert_eq!(run(&["-q"]), "");
    let last = NOON_MS + 3 * DAY_MS;
    assert!(topic.read().iter().all(|record| record.timestamp_ms < last));
}
