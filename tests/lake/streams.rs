//! Streams: appended once, whole, and in the form that is configured.

use crate::common::compare::{Compare, assert_stream};
use crate::common::files::data_files;
use crate::common::kafka::{DAY_MS, NOON_MS, Topic, numbered, record, tombstone};
use crate::common::lake::{Lake, assert_same, number};

#[test]
fn lines_equal_kafkas_records() {
    let topic = Topic::with("streams", 3, &[]);
    topic.send(&numbered("a", 3_000, 3));
    let lake = Lake::of_stream(&topic);
    let report = lake.one(&[], 0);
    let files = assert_stream(&lake, &topic);
    assert_eq!(number(&report, "read"), 3_000);
    assert_eq!(number(&report, "files"), files.len() as i64);
    assert_eq!(
        report["days"],
        serde_json::json!(["2025-10-30", "2025-10-31", "2025-11-01"])
    );
}

/// The broker compresses anew with the topic's own codec, and its clock says which day a record is of.
#[test]
fn topics_that_the_broker_compresses_and_dates() {
    let codecs = ["gzip", "snappy", "lz4", "zstd"];
    let topics = codecs.map(|codec| {
        let settings = [
            ("compression.type", codec),
            ("message.timestamp.type", "LogAppendTime"),
        ];
        let topic = Topic::with(codec, 2, &settings);
        topic.send_in_batches(&numbered("a", 1_000, 2), 100);
        topic
    });
    let lake = topics
        .iter()
        .fold(Lake::new(), |lake, topic| lake.stream(topic, ""));
    assert_eq!(number(&lake.drain()["totals"], "read"), 4_000);
    for topic in &topics {
        let files = assert_stream(&lake, topic);
        assert!(
            files.iter().all(|file| !file.day().starts_with("2025")),
            "the producer's day counted"
        );
    }
}

#[test]
fn a_second_run_touches_nothing() {
    let topic = Topic::with("streams", 2, &[]);
    topic.send(&numbered("a", 100, 2));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    let before = lake.kept();
    let report = lake.one(&[], 0);
    assert_eq!((number(&report, "read"), number(&report, "files")), (0, 0));
    assert_same(&lake.kept(), &before);
    assert_stream(&lake, &topic);
}

#[test]
fn only_new_messages_arrive() {
    let topic = Topic::with("streams", 2, &[]);
    topic.send(&numbered("a", 100, 2));
    let lake = Lake::of_stream(&topic);
    lake.drain();
    let before = lake.kept();
    topic.send(&numbered("b", 50, 2));
    let report = lake.one(&[], 0);
    assert_eq!(number(&report, "read"), 50);
    assert_stream(&lake, &topic);
    let after = lake.kept();
    for (path, entry) in before
        .iter()
        .filter(|(path, _)| path.extension().is_some_and(|end| end == "json"))
    {
        assert_eq!(after.get(path), Some(entry), "{}", path.display());
    }
}

#[test]
fn an_empty_topic_is_done_at_once() {
    let topic = Topic::with("empty", 3, &[]);
    let lake = Lake::of_stream(&topic);
    let report = lake.one(&[], 0);
    assert_eq!(number(&report, "read"), 0);
    assert_eq!(report["partitions"].as_array().unwrap().len(), 3);
    assert!(data_files(&lake.root().join("streams")).is_empty());
    // From its progress on, a first record is a new one.
    topic.send(&[record("k", "{}")]);
    assert_eq!(number(&lake.one(&[], 0), "read"), 1);
    assert_stream(&lake, &topic);
}

#[test]
fn a_null_value_stays_a_line() {
    let topic = Topic::new("streams");
    topic.send(&[record("k", "{\"A\":1}"), tombstone("k"), record("k", "{\"A\":2}")]);
    let lake = Lake::of_stream(&topic);
    let report = lake.one(&[], 0);
    assert_eq!(number(&report, "tombstones"), 1);
    let files = assert_stream(&lake, &topic);
    assert!(files[0].lines[1].ends_with("\"_value\":null}"), "{files:?}");
}

#[test]
fn compressed_files_hold_the_same() {
    for (compression, extension) in [("gzip", ".json.gz"), ("zstd", ".json.zst")] {
        let topic = Topic::with("compressed", 2, &[]);
        topic.send(&numbered("a", 500, 2));
        let lake = Lake::with(&format!("compression = {compression:?}")).stream(&topic, "");
        lake.drain();
        topic.send(&numbered("b", 10, 2));
        lake.drain();
        let compare = Compare {
            extension,
            ..Compare::default()
        };
        compare.stream(&lake, &topic.name, &topic.read());
    }
}

#[test]
fn one_file_per_message() {
    let topic = Topic::with("messages", 2, &[]);
    topic.send(&numbered("a", 60, 2));
    let lake = Lake::with("files = \"message\"").stream(&topic, "");
    assert_eq!(number(&lake.one(&[], 0), "files"), 60);
    let files = assert_stream(&lake, &topic);
    assert!(files.iter().all(|file| file.name().starts_with("offset-")));
    assert_eq!(files.len(), 60);
}

#[test]
fn files_roll_at_their_size() {
    let topic = Topic::new("rolling");
    let records = numbered("a", 300, 1);
    topic.send(&records);
    let lake = Lake::with("max_file_size = \"4KiB\"").stream(&topic, "");
    lake.drain();
    let files = assert_stream(&lake, &topic);
    assert!(files.len() > 5, "{}", files.len());
    for file in &files {
        let bytes: usize = file.lines.iter().map(|line| line.len() + 1).sum();
        let last = file.lines[file.lines.len() - 1].len() + 1;
        assert!(bytes - last < 4096, "{} has {bytes} bytes", file.path);
    }
}

#[test]
fn without_metadata_a_line_is_the_value_alone() {
    let topic = Topic::new("bare");
    topic.send(&[
        record("k", "{\"B\":2.50,\"A\":1}"),
        record("k", " {\"a\":\n1} "),
        record("k", "[1,2]"),
        tombstone("k"),
        record("k", "{\"_offset\":1}"),
        record("k", "{broken"),
    ]);
    let lake = Lake::with("metadata = false").stream(&topic, "");
    lake.drain();
    let files = data_files(&lake.root().join("streams"));
    let head = |offset: i64| {
        let time = NOON_MS;
        format!("{{\"_partition\":0,\"_offset\":{offset},\"_timestamp\":{time},\"_key\":\"k\",")
    };
    let lines = &files[0].lines;
    assert_eq!(lines[0], "{\"B\":2.50,\"A\":1}");
    assert_eq!(lines[1], "{\"a\": 1}");
    assert_eq!(lines[2], head(2) + "\"_value\":[1,2]}");
    assert_eq!(lines[3], head(3) + "\"_value\":null}");
    assert_eq!(lines[5].split("\"_error\"").next(), Some(&*head(5)));
    assert_eq!(lines.len(), 6);
}

#[test]
fn the_prefix_of_our_fields_can_be_chosen() {
    let topic = Topic::new("prefix");
    topic.send(&[
        record("k", "{\"_offset\":5}"),
        record("k", "{\"kafka_Offset\":5}"),
        record("k", "7").header("h", Some(b"v")),
        record("k", "{\"kafka_\":1}"),
    ]);
    let lake = Lake::with("metadata_prefix = \"kafka_\"").stream(&topic, "");
    lake.drain();
    let compare = Compare {
        prefix: "kafka_",
        ..Compare::default()
    };
    let files = compare.stream(&lake, &topic.name, &topic.read());
    assert!(files[0].lines[0].ends_with("\"kafka_key\":\"k\",\"_offset\":5}"));
    assert!(files[0].lines[1].ends_with("\"kafka_value\":{\"kafka_Offset\":5}}"));
}

#[test]
fn files_and_folders_are_not_for_everyone() {
    let topic = Topic::new("modes");
    topic.send(&[record("k", "{}")]);
    for (settings, file, folder) in [
        ("", 0o640, 0o750),
        ("file_mode = \"0600\"\ndir_mode = \"0700\"", 0o600, 0o700),
    ] {
        let lake = Lake::with(settings).stream(&topic, "");
        lake.drain();
        for (path, entry) in lake.listing() {
            let (kind, mode) = (entry.mode & 0o170_000, entry.mode & 0o777);
            match kind {
                0o040_000 => assert_eq!(mode, folder, "{}", path.display()),
                _ => assert_eq!(mode, file, "{}", path.display()),
            }
        }
    }
}

/// So many files that the run commits in between, and syncs the filesystem rather than each file.
#[test]
fn very_many_files() {
    let topic = Topic::with("many-files", 2, &[]);
    topic.send(&numbered("a", 10_500, 2));
    let lake = Lake::with("files = \"message\"").stream(&topic, "");
    let report = lake.one(&[], 0);
    assert_eq!(
        (number(&report, "files"), number(&report, "written")),
        (10_500, 10_500)
    );
    assert_stream(&lake, &topic);
    assert_eq!(number(&lake.one(&[], 0), "read"), 0);
}

#[test]
fn very_many_days() {
    let topic = Topic::with("many-days", 2, &[]);
    let records: Vec<_> = numbered("a", 600, 2)
        .into_iter()
        .zip(0..)
        .map(|(record, i)| record.at(NOON_MS - i / 2 * DAY_MS))
        .collect();
    topic.send(&records);
    let lake = Lake::of_stream(&topic);
    assert_eq!(lake.one(&[], 0)["days"].as_array().unwrap().len(), 300);
    assert_stream(&lake, &topic);
}

#[test]
fn settings_of_files_may_change_between_runs() {
    let topic = Topic::new("changing");
    let mut lake = Lake::of_stream(&topic);
    for settings in [
        "compression = \"gzip\"",
        "files = \"message\"",
        "metadata_prefix = \"_\"",
        "compression = \"zstd\"",
    ] {
        lake.set(settings);
        topic.send(&numbered("a", 5, 1));
        lake.drain();
    }
    let files = data_files(&lake.root().join("streams"));
    assert_eq!(files.len(), 8);
    assert_eq!(files.iter().map(|file| file.lines.len()).sum::<usize>(), 20);
}
