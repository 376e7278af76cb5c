//! Days that become Parquet, or that were it before.

use super::{compact, drain_often, files, of_day, one};
use crate::common::compare::is_same_in_columns;
use crate::common::files::Line;
use crate::common::kafka::{Record, Topic};
use crate::common::lake::{Lake, number};

fn names(lake: &Lake, topic: &Topic) -> Vec<String> {
    let names = files(lake, topic).into_iter();
    names
        .map(|file| format!("{} {}", file.day(), file.name().rsplit_once('.').unwrap().1))
        .collect()
}

/// Every record is there once, with its value.
fn assert_all(lake: &Lake, topic: &Topic) {
    let mut lines: Vec<Line> = files(lake, topic)
        .iter()
        .flat_map(|file| &file.lines)
        .map(|line| Line::parse(line, "_"))
        .collect();
    lines.sort_by_key(|line| (line.partition, line.offset));
    let records: Vec<Record> = topic.read();
    assert_eq!(lines.len(), records.len());
    for (line, record) in lines.iter().zip(&records) {
        assert_eq!(
            (line.partition, line.offset),
            (record.partition.into(), record.offset)
        );
        assert!(
            is_same_in_columns(line.value.as_deref(), record.value.as_deref()),
            "{line:?}"
        );
    }
    lake.verify(0);
}

#[test]
fn days_of_json_become_parquet() {
    let topic = Topic::with("to-parquet", 2, &[]);
    let lake = Lake::new().stream(&topic, "");
    drain_often(&lake, &topic, 3);
    let report = one(&lake, &["--format", "parquet", "--dry-run"], 0);
    assert_eq!(number(&report, "files_before"), 12, "{report}");
    assert!(names(&lake, &topic).iter().all(|name| name.ends_with("json")));
    let report = one(&lake, &["--format", "parquet"], 0);
    assert_eq!(
        (number(&report, "files_before"), number(&report, "files_after")),
        (12, 4),
        "{report}"
    );
    assert_eq!(
        names(&lake, &topic),
        [
            "2025-10-30 parquet",
            "2025-10-30 parquet",
            "2025-10-31 parquet",
            "2025-10-31 parquet"
        ]
    );
    assert_all(&lake, &topic);
    // A second time there is nothing to do.
    assert_eq!(
        number(&one(&lake, &["--format", "parquet"], 0), "files_before"),
        0
    );
    // The next run's files are JSON again, beside Parquet: the whole day becomes either.
    topic.send(&of_day("late", 4, 2, 0));
    lake.drain();
    assert_all(&lake, &topic);
    one(&lake, &["--format", "json"], 0);
    assert!(names(&lake, &topic).iter().all(|name| name.ends_with("json")));
    assert_all(&lake, &topic);
}

#[test]
fn many_files_of_parquet_become_few() {
    let topic = Topic::with("parquet", 2, &[]);
    let lake = Lake::with("format = \"parquet\"").stream(&topic, "");
    drain_often(&lake, &topic, 3);
    let report = one(&lake, &[], 0);
    assert_eq!(
        (number(&report, "files_before"), number(&report, "files_after")),
        (12, 4),
        "{report}"
    );
    assert_all(&lake, &topic);
    compact(&lake, &[]).expect(0);
}

/// Readers that want one type for a column get one: days of older types are written anew.
#[test]
fn days_of_older_types_are_rewritten() {
    let topic = Topic::new("older-types");
    let lake = Lake::with("format = \"parquet\"").stream(&topic, "");
    topic.send(&of_day("a", 2, 1, 0));
    lake.drain();
    let wide = of_day("b", 1, 1, 1)
        .remove(0)
        .bytes(b"{\"ID\":\"b\",\"AMOUNT\":1.125}");
    topic.send(&[wide]);
    lake.drain();
    assert_eq!(
        number(&one(&lake, &[], 0), "files_before"),
        0,
        "as few files as before"
    );
    assert_eq!(
        number(&one(&lake, &["--format", "parquet"], 0), "files_before"),
        1
    );
    assert_all(&lake, &topic);
    assert_eq!(
        number(&one(&lake, &["--format", "parquet"], 0), "files_before"),
        0
    );
}

/// Lines without lakectl's own fields can't become Parquet, and nobody has asked for that.
#[test]
fn days_stay_what_they_are_unless_asked() {
    let topic = Topic::with("stay", 2, &[]);
    let mut lake = Lake::with("metadata = false").stream(&topic, "");
    drain_often(&lake, &topic, 2);
    lake.set("format = \"parquet\"");
    let report = one(&lake, &[], 0);
    assert_eq!(
        (number(&report, "files_before"), number(&report, "files_after")),
        (8, 4),
        "{report}"
    );
    assert!(names(&lake, &topic).iter().all(|name| name.ends_with("json")));
    lake.verify(0);
    compact(&lake, &["--format", "parquet"]).fails(1, &["lakectl's own fields", "lake.metadata"]);
    assert!(names(&lake, &topic).iter().all(|name| name.ends_with("json")));
    lake.verify(0);
}

/// Days that widen the columns in one compaction don't make the days before them old.
#[test]
fn a_new_column_rewrites_nothing() {
    let topic = Topic::new("new-column");
    let lake = Lake::new().stream(&topic, "");
    topic.send(&of_day("a", 2, 1, 0));
    topic.send(&[of_day("b", 1, 1, 1).remove(0).bytes(b"{\"ID\":\"b\",\"NEW\":1}")]);
    lake.drain();
    assert_eq!(
        number(&one(&lake, &["--format", "parquet"], 0), "files_before"),
        2
    );
    assert_eq!(
        number(&one(&lake, &["--format", "parquet"], 0), "files_before"),
        0
    );
    assert_all(&lake, &topic);
}
