//! The report at terminals of all widths.

use super::*;
use crate::config::Kind;
use crate::report::{CompactReport, CompactedDay, LakeReport, PartitionReport, WarehouseReport};

fn topic(name: &str, read: u64) -> TopicReport {
    let lake = LakeReport {
        written: read,
        files: 12,
        bytes: 2_883_584,
        ..LakeReport::default()
    };
    let mut topic = TopicReport::new(name, Kind::Stream, TargetReport::Lake(lake));
    topic.read = read;
    let next = i64::try_from(read).unwrap();
    topic.partitions = vec![PartitionReport {
        partition: 0,
        start: 0,
        next,
        end: next,
    }];
    topic
}

fn lake(topics: Vec<TopicReport>) -> Report {
    let mut report = Report::new("lake", false);
    report.topics = topics.into();
    report.finish(None);
    report.duration_ms = 1_400;
    report
}

fn shown(report: &Report, width: usize) -> String {
    render(report, false, Paint::none(), width)
}

#[test]
fn columns_are_aligned_and_numbers_readable() {
    let mut irregular = topic("TRANSACTIONS_BLACKLISTED", 465);
    irregular.irregular = 3;
    let mut failed = topic("TRANSACTIONS_FULL", 0);
    failed.fail(&anyhow::anyhow!("the disk is full"));
    let report = lake(vec![
        irregular,
        topic("TRANSACTIONS_FLAT", 1_234_567),
        topic("QUIET", 0),
        failed,
    ]);
    let expected = "\
TOPIC                     KIND      RECORDS    WRITTEN  FILES  DAYS      SIZE
TRANSACTIONS_BLACKLISTED  stream        465        465     12     0  2.75 MiB  3 irregular
TRANSACTIONS_FLAT         stream  1,234,567  1,234,567     12     0  2.75 MiB
QUIET                     stream                                               nothing new
TRANSACTIONS_FULL         stream                                               failed: see below
lake read 1,235,032 records, wrote 1,235,032 in 1.4 s: failed
";
    assert_eq!(shown(&report, 100), expected);
}

#[test]
fn what_is_too_wide_gives_way() {
    let mut irregular = topic("TRANSACTIONS_BLACKLISTED", 465);
    irregular.irregular = 3;
    let report = lake(vec![irregular, topic("TRANSACTIONS_FLAT", 1_234_567)]);
    let expected = "\
TOPIC                     KIND      RECORDS    WRITTEN  FILES  DAYS      SIZE
TRANSACTIONS_BLACKLISTED  stream        465        465     12     0  2.75 MiB
  3 irregular
TRANSACTIONS_FLAT         stream  1,234,567  1,234,567     12     0  2.75 MiB
lake read 1,235,032 records, wrote 1,235,032 in 1.4 s: done
";
    assert_eq!(shown(&report, 80), expected);
    let expected = "\
TOPIC              RECORDS    WRITTEN  FILES
TRANSAC…KLISTED        465        465     12
  3 irregular
TRANSAC…NS_FLAT  1,234,567  1,234,567     12
";
    assert!(shown(&report, 44).starts_with(expected), "{}", shown(&report, 44));
}

#[test]
fn no_row_is_wider_than_the_terminal_and_no_letter_is_cut() {
    let mut report = lake(vec![
        topic(
            "wörter-mit-ümläuten-und-中文字符-und-😀-am-ende-noch-etwas-länger",
            1_234_567,
        ),
        topic("x", 7),
    ]);
    let table = WarehouseReport {
        rejected: 2,
        ..WarehouseReport::default()
    };
    report.topics.push(TopicReport {
        target: TargetReport::Warehouse(table),
        into: "中".repeat(40),
        ..topic("y", 9)
    });
    for width in 1..120 {
        let mut lines = Vec::new();
        Table::new(&report, true).lines(Paint::none(), width, &mut lines);
        for line in lines.iter().filter(|_| width >= 24) {
            assert!(line.width() <= width, "{width}: {line:?}");
        }
    }
}

#[test]
fn a_plan_names_where_it_leads() {
    let mut planned = topic("TRANSACTIONS_FLAT", 0);
    planned.remaining = 43;
    planned.into = "streams/TRANSACTIONS_FLAT".to_owned();
    planned.partitions = vec![PartitionReport {
        partition: 0,
        start: 1661,
        next: 1661,
        end: 1704,
    }];
    let mut report = lake(vec![planned, topic("QUIET", 0)]);
    report.dry_run = true;
    let expected = "\
TOPIC              KIND    OFFSETS
TRANSACTIONS_FLAT  stream       43  into streams/TRANSACTIONS_FLAT (0:1661..1704)
QUIET              stream           nothing new
dry run: lake would read up to 43 offsets; nothing was touched
";
    assert_eq!(shown(&report, 100), expected);
}

#[test]
fn words_are_wrapped_and_long_ones_broken() {
    assert_eq!(wrap("one two three", 7), ["one two", "three"]);
    assert_eq!(wrap("abcdefgh ij", 3), ["abc", "def", "gh", "ij"]);
    assert_eq!(wrap("中文", 1), ["中", "文"]);
    assert!(wrap("", 5).is_empty());
}

#[test]
fn a_compaction_names_its_days() {
    let mut compacted = CompactReport::default();
    for day in ["2026-11-25", "2026-11-26"] {
        compacted.add(CompactedDay {
            day: day.to_owned(),
            records: 4_000,
            files_before: 288,
            files_after: 2,
            bytes_before: 2_000_000,
            bytes_after: Some(1_048_576),
        });
    }
    let quiet = TopicReport::new(
        "QUIET",
        Kind::Stream,
        TargetReport::Compact(CompactReport::default()),
    );
    let topic = TopicReport::new("FLAT", Kind::Stream, TargetReport::Compact(compacted));
    let mut report = Report::new("compact", false);
    report.topics = vec![topic, quiet].into();
    report.finish(None);
    let days = "\
FLAT 2026-11-25: 288 files -> 2, 4000 records, 1.00 MiB
FLAT 2026-11-26: 288 files -> 2, 4000 records, 1.00 MiB
";
    let table = "\
TOPIC  KIND    RECORDS     FILES  DAYS      SIZE
FLAT   stream    8,000  576 -> 4     2  2.00 MiB
QUIET  stream                                     nothing to compact
";
    assert_eq!(shown(&report, 100), format!("{table}{days}compact: done\n"));
    report.dry_run = true;
    let last = "dry run: this would be compacted; nothing was touched\n";
    assert_eq!(shown(&report, 100), format!("{table}{days}{last}"));
}
