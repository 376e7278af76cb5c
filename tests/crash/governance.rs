//! What keeps a lake in order: days compacted, days and tables rebuilt, old days purged, one subject erased.

use super::source::{Kind, Source, assert_no_line_twice, later};
use super::sweep::Sweep;
use crate::common::compare::Compare;
use crate::common::files::{Line, data_files};
use crate::common::kafka::{Record, Topic, numbered, record, time_ms};
use crate::common::lake::Lake;
use crate::common::program;

const LAKE: &[&str] = &["lake", "-q"];

#[test]
fn a_rebuild_of_days() {
    let mut source = Source::new("rebuild-days", &[Kind::Stream]);
    let lake = source.lake("");
    lake.drain();
    // A day of two runs, whose files become one.
    source.go_on();
    lake.drain();
    let rebuild: &[&str] = &["lake", "-q", "--rebuild", "2025-10-30..2025-10-31"];
    let all = |lake: &Lake| source.assert_all(lake, ".json");
    Sweep {
        name: "lake --rebuild of days",
        command: rebuild,
        after: &[LAKE, rebuild],
        fresh: &|| lake.twin(),
        // Never half a day.
        at_any_time: &all,
        at_the_end: &all,
    }
    .run();
}

/// Two days of several runs, whose files become one for each Kafka partition.
#[test]
fn a_compaction() {
    let mut source = Source::new("compact", &[Kind::Stream]);
    let lake = source.lake("compression = \"gzip\"");
    for _ in 0..2 {
        lake.drain();
        source.go_on();
    }
    lake.drain();
    let compact: &[&str] = &["compact", "-q", "--older-than=0s"];
    let all = |lake: &Lake| source.assert_all(lake, ".json.gz");
    Sweep {
        name: "compact",
        command: compact,
        after: &[LAKE, compact],
        fresh: &|| lake.twin(),
        // Never half a day, and none twice.
        at_any_time: &all,
        at_the_end: &all,
    }
    .run();
}

#[test]
fn a_rebuild_of_days_in_parquet() {
    let mut source = Source::new("rebuild-parquet", &[Kind::Stream]);
    let mut lake = source.lake("");
    lake.drain();
    source.go_on();
    lake.drain();
    // The days become Parquet by the rebuild.
    lake.set("format = \"parquet\"");
    let rebuild: &[&str] = &["lake", "-q", "--rebuild", "2025-10-30..2025-11-01"];
    Sweep {
        name: "lake --rebuild of days, from JSON to Parquet",
        command: rebuild,
        after: &[LAKE, rebuild],
        fresh: &|| lake.twin(),
        at_any_time: &|_: &Lake| {},
        at_the_end: &|lake: &Lake| source.assert_all(lake, ".parquet"),
    }
    .run();
}

#[test]
fn a_rebuild_of_a_table() {
    let source = Source::new("rebuild-table", &[Kind::Table]);
    let lake = source.lake("compression = \"zstd\"");
    lake.drain();
    let rebuild: &[&str] = &["lake", "-q", "--rebuild"];
    let all = |lake: &Lake| source.assert_all(lake, ".json.zst");
    Sweep {
        name: "lake --rebuild of a table",
        command: rebuild,
        after: &[LAKE, rebuild],
        fresh: &|| lake.twin(),
        at_any_time: &all,
        at_the_end: &all,
    }
    .run();
}

/// Two days that go and one, far from them, that stays, wherever today is between two midnights.
#[test]
fn a_purge() {
    let topic = Topic::with("purge", 2, &[]);
    let old = [numbered("a", 4, 2), later(numbered("b", 2, 1), 1)].concat();
    topic.send(&[&old[..], &later(numbered("c", 3, 2), 40)].concat());
    let lake = Lake::of_stream(&topic);
    lake.drain();
    let records = topic.read();
    let cutoff = time_ms("2025-11-20T00:00:00Z");
    let kept: Vec<Record> = records
        .iter()
        .filter(|record| record.timestamp_ms > cutoff)
        .cloned()
        .collect();
    let age = (chrono::Utc::now() - chrono::DateTime::from_timestamp_millis(cutoff).unwrap()).num_days();
    let age = format!("--older-than={age}d");
    let purge: &[&str] = &["purge", "-q", "--only=lake", "--yes", "--max-fraction=1", &age];
    Sweep {
        name: "purge of a lake",
        command: purge,
        after: &[LAKE, purge],
        fresh: &|| lake.twin(),
        at_any_time: &|lake: &Lake| assert_whole_days(lake, &topic.name, &records, &kept),
        at_the_end: &|lake: &Lake| drop(Compare::default().stream(lake, &topic.name, &kept)),
    }
    .run();
}

/// A day is there with all its records, or not at all; those that stay are there.
fn assert_whole_days(lake: &Lake, topic: &str, records: &[Record], kept: &[Record]) {
    assert_no_line_twice(lake, topic, records);
    let files = data_files(&lake.root().join("streams").join(topic));
    let of_day = |record: &&Record| {
        let day = Compare::default().day(record.timestamp_ms);
        files.iter().any(|file| file.day() == day)
    };
    let lines: usize = files.iter().map(|file| file.lines.len()).sum();
    assert_eq!(lines, records.iter().filter(of_day).count(), "{files:#?}");
    assert_eq!(kept.iter().filter(of_day).count(), kept.len(), "{files:#?}");
}

/// Of a stream and a table at once; the subject has the table's newest row, so that the snapshot moves to another day.
#[test]
fn an_erasure() {
    let (stream, table) = (Topic::with("erasure", 2, &[]), Topic::compacted("erasure"));
    let of = |user: &str, key: &str| record(key, &format!("{{\"USER_ID\":\"{user}\",\"KEY\":\"{key}\"}}"));
    let next_day = |record: Record| later(vec![record], 1).remove(0);
    let (subject, other) = ("USER-00042", "USER-00007");
    stream.send(&[
        of(subject, "a"),
        of(other, "b"),
        of(subject, "c").to(1),
        next_day(of(subject, "d")),
    ]);
    table.send(&[of(other, "b"), next_day(of(subject, "a"))]);
    let lake = Lake::new().stream(&stream, "").table(&table, "");
    lake.drain();
    // The secret of the hashes is the lake's from its first erasure on.
    erase(&lake, "USER-00099");
    let [streamed, rows] = [&stream, &table].map(|topic| Split::of(topic.read(), subject));
    let purge: &[&str] = &[
        "purge",
        "-q",
        "--only=lake",
        "--yes",
        "--where=USER_ID=USER-00042",
    ];
    Sweep {
        name: "purge of a subject from a lake",
        command: purge,
        after: &[LAKE, purge],
        fresh: &|| lake.twin(),
        at_any_time: &|lake: &Lake| {
            assert_no_line_twice(lake, &stream.name, &streamed.all);
            let found = values(lake, &stream);
            assert!(
                streamed.kept.iter().all(|line| found.contains(line)),
                "{found:#?}"
            );
            let current = std::fs::read_to_string(lake.root().join(format!("current/{}.json", table.name)));
            let current = current.unwrap();
            let lines: Vec<_> = current
                .lines()
                .map(|line| place(&Line::parse(line, "_")))
                .collect();
            let all: Vec<_> = rows.all.iter().rev().map(value).collect();
            assert!(lines == all || lines == rows.kept, "{lines:#?}");
        },
        at_the_end: &|lake: &Lake| {
            assert_eq!(values(lake, &stream), streamed.kept);
            assert_nowhere(lake, subject);
            let kept: Vec<Record> = rows.all.iter().filter(|row| rows.keeps(row)).cloned().collect();
            Compare::default().table(lake, &table.name, &kept);
        },
    }
    .run();
}

/// A topic's records, and what is left of them without a subject.
struct Split {
    all: Vec<Record>,
    kept: Vec<Place>,
}

impl Split {
    fn of(all: Vec<Record>, subject: &str) -> Split {
        let is_kept =
            |record: &&Record| !String::from_utf8_lossy(record.value.as_ref().unwrap()).contains(subject);
        let kept = all.iter().filter(is_kept).map(value).collect();
        Split { all, kept }
    }

    fn keeps(&self, record: &Record) -> bool {
        self.kept.contains(&value(record))
    }
}

/// No file below the root has these bytes, whatever it is.
fn assert_nowhere(lake: &Lake, text: &str) {
    for (path, entry) in lake.listing() {
        if entry.is_file() {
            let bytes = std::fs::read(lake.root().join(&path)).unwrap();
            let found = bytes.windows(text.len()).any(|part| part == text.as_bytes());
            assert!(!found, "{} holds {text}", path.display());
        }
    }
}

fn erase(lake: &Lake, user: &str) {
    lake.configure();
    let subject = format!("--where=USER_ID={user}");
    program::start(lake.folder(), &["purge", "--only=lake", "--yes", &subject], &[])
        .wait()
        .expect(0);
}

/// Kafka partition, offset and value.
type Place = (i64, i64, Option<Vec<u8>>);

fn value(record: &Record) -> Place {
    (record.partition.into(), record.offset, record.value.clone())
}

fn place(line: &Line) -> Place {
    (line.partition, line.offset, line.value.clone())
}

/// What lies in the lake of a stream.
fn values(lake: &Lake, topic: &Topic) -> Vec<Place> {
    let files = data_files(&lake.root().join("streams").join(&topic.name));
    let lines = files.iter().flat_map(|file| &file.lines);
    let mut values: Vec<Place> = lines.map(|line| place(&Line::parse(line, "_"))).collect();
    values.sort_unstable();
    values
}
