use super::*;
use crate::config::{Compression, FileFormat};
use crate::lake::layout::paths::{batch_name, compacted_name};
use chrono::NaiveDate;
use proptest::prelude::*;

const MAX: u64 = 1_000;

fn file(partition: i32, first: i64, records: u64, bytes: u64) -> FileEntry {
    let last = first + records as i64 - 1;
    FileEntry {
        name: batch_name(partition, first, last, 1, FileFormat::Json(Compression::None)),
        records,
        bytes,
        checksum: String::new(),
        partition,
        first,
        last,
        made: 1,
        changed: 1,
        columns: None,
        replaces: Vec::new(),
    }
}

fn compacted(file: FileEntry) -> FileEntry {
    let name = compacted_name(
        file.partition,
        (file.first, file.last),
        9,
        1,
        FileFormat::Json(Compression::None),
    );
    FileEntry { name, ..file }
}

fn is_due(files: &[FileEntry]) -> bool {
    of_day(files.to_vec(), MAX, |_| false).unwrap().is_some()
}

#[test]
fn a_day_is_closed_once_it_and_its_newest_commit_are_old_enough() {
    let zone = Tz::Europe__Paris;
    let day = HivePartition::Day(NaiveDate::from_ymd_opt(2025, 10, 30).unwrap());
    let end = units::midnight_ms(NaiveDate::from_ymd_opt(2025, 10, 31).unwrap(), zone);
    let age = Duration::from_secs(60);
    let closed = |day, newest, now| is_closed(day, zone, newest, now, age);
    assert!(!closed(day, 0, end + 59_999) && closed(day, 0, end + 60_000));
    assert!(!closed(day, end + 1, end + 60_000) && closed(day, end, end + 60_000));
    // Records without a day have no end: only the commit counts.
    assert!(closed(HivePartition::Null, 0, 60_000) && !closed(HivePartition::Null, 1, 60_000));
    assert!(!is_closed(day, zone, 0, end, Duration::MAX));
}

#[test]
fn a_day_that_would_have_as_many_files_is_left_alone() {
    assert!(!is_due(&[]));
    assert!(!is_due(&[file(0, 0, 9, 100), file(1, 0, 9, 100)]));
    assert!(is_due(&[file(0, 0, 9, 100), file(0, 9, 9, 100)]));
    // Two full files stay two.
    assert!(!is_due(&[file(0, 0, 9, 600), file(0, 9, 9, 600)]));
    assert!(is_due(&[
        file(0, 0, 9, 600),
        file(0, 9, 9, 300),
        file(0, 18, 9, 300)
    ]));
    // A topic that was created again begins at offset 0 again.
    let mut again = file(0, 0, 9, 100);
    again.name = batch_name(0, 0, 8, 2, FileFormat::Json(Compression::None));
    assert!(!is_due(&[file(0, 0, 9, 100), again]));
}

#[test]
fn late_files_are_worth_it_from_a_number_or_a_part_of_the_records_on() {
    let old = compacted(file(0, 0, 1_000, 500));
    let late = |count: i64, records: u64| -> Vec<FileEntry> {
        let files = (0..count).map(|n| file(0, 1_000 + n * records as i64, records, 1));
        std::iter::once(old.clone()).chain(files).collect()
    };
    assert!(!is_due(&late(0, 1)));
    assert!(!is_due(&late(15, 1)) && is_due(&late(16, 1)));
    assert!(!is_due(&late(1, 99)) && is_due(&late(1, 100)));
    // Two compacted files that would fit together were made when files were smaller.
    assert!(!is_due(&[old.clone(), compacted(file(0, 2_000, 9, 100))]));
}

#[test]
fn offsets_that_overlap_have_no_order() {
    let error = of_day(vec![file(0, 0, 9, 1), file(0, 8, 9, 1)], MAX, |_| false).unwrap_err();
    assert!(error.to_string().contains("begin within those of"), "{error}");
}

#[test]
fn compressed_files_are_expected_to_hold_as_much_as_those_before_them() {
    let mut room = Room::default();
    assert!(room.has(u64::MAX, MAX), "a file has one old file at least");
    room.take(10, 300);
    assert!(room.has(23, MAX) && !room.has(24, MAX));
    room.take(0, 1_000);
    assert!(!room.has(1, MAX));
}

fn days() -> impl Strategy<Value = Vec<FileEntry>> {
    let part = (0..3_i32, 1..40_u64, 1..400_u64, any::<bool>());
    proptest::collection::vec(part, 0..60).prop_map(|parts| {
        let mut next = [0_i64; 3];
        let file_of = |(partition, records, bytes, was_compacted): (i32, u64, u64, bool)| {
            let next = &mut next[partition as usize];
            let made = file(partition, *next, records, bytes);
            // Offsets without a record lie between.
            *next = made.last + 1 + bytes as i64 % 3;
            if was_compacted && bytes % 5 == 0 {
                compacted(made)
            } else {
                made
            }
        };
        parts.into_iter().map(file_of).collect()
    })
}

proptest! {
    /// Whatever a day holds: a plan has each file once, in the order of offsets, and makes fewer files, none of them too large if
    /// more than one old file is in it.
    #[test]
    fn a_plan_loses_nothing_and_mixes_nothing(mut files in days().prop_shuffle(), max in 1..2_000_u64) {
        let Some(plan) = of_day(files.clone(), max, |_| false).unwrap() else { return Ok(()) };
        for source in &plan.sources {
            prop_assert!(source.iter().all(|file| file.source() == source[0].source()));
            prop_assert!(source.windows(2).all(|pair| pair[0].last < pair[1].first));
        }
        let sources: std::collections::BTreeSet<_> = files.iter().map(FileEntry::source).collect();
        prop_assert_eq!(sources.len(), plan.sources.len());
        let mut planned: Vec<_> = plan.files().cloned().collect();
        planned.sort_by(|one, other| one.name.cmp(&other.name));
        files.sort_by(|one, other| one.name.cmp(&other.name));
        prop_assert_eq!(&planned, &files);
        let after = plan.files_after(max);
        prop_assert!(after < files.len() as u64 && after >= sources.len() as u64);
        let bytes: u64 = files.iter().map(|file| file.bytes).sum();
        prop_assert!(after >= bytes.div_ceil(max.max(400)), "{} files for {} bytes", after, bytes);
    }
}
