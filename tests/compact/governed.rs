//! Compacted days are governed as all others: persons are erased from them, they are purged, and rebuilt.

use super::{drain_often, files, lines, of_day, one};
use crate::common::compare::assert_stream;
use crate::common::files::Line;
use crate::common::kafka::{Topic, record};
use crate::common::lake::{Lake, number};
use crate::common::program::{self, Run};

fn purge(lake: &Lake, arguments: &[&str]) -> Run {
    let all = [&["purge", "--json", "--only", "lake", "--yes"], arguments].concat();
    program::start(lake.folder(), &all, &[]).wait().expect(0)
}

fn compacted(label: &str) -> (Topic, Lake) {
    let topic = Topic::with(label, 2, &[]);
    let lake = Lake::of_stream(&topic);
    drain_often(&lake, &topic, 4);
    one(&lake, &[], 0);
    (topic, lake)
}

#[test]
fn a_person_is_erased_from_compacted_files_and_stays_away() {
    let (topic, lake) = compacted("compact-erase");
    let before = lines(&lake, &topic);
    purge(&lake, &["--where", "ID=r1-0-2"]);
    let kept: Vec<_> = before
        .iter()
        .filter(|line| !line.contains("r1-0-2"))
        .cloned()
        .collect();
    assert_eq!(kept.len() + 1, before.len());
    assert_eq!(lines(&lake, &topic), kept);
    lake.verify(0);
    // And files from which somebody was erased are compacted.
    for n in 0..16 {
        topic.send(&[record("late", &format!("{{\"ID\":\"late-{n}\"}}"))]);
        lake.drain();
    }
    purge(&lake, &["--where", "ID=late-3"]);
    let before = lines(&lake, &topic);
    let done = one(&lake, &[], 0);
    assert_eq!(number(&done, "records"), 16 - 1 + 16 - 1, "{done}");
    assert_eq!(lines(&lake, &topic), before);
    lake.verify(0);
}

#[test]
fn a_compacted_day_is_purged_as_a_whole() {
    let (topic, lake) = compacted("compact-purge");
    let report = purge(&lake, &["--older-than", "1mo", "--max-fraction", "1"]).report();
    assert_eq!(report["folders"].as_array().unwrap().len(), 2, "{report}");
    assert_eq!(files(&lake, &topic).len(), 0);
    // What is older than the cutoff stays away, and a compaction finds nothing.
    topic.send(&of_day("old", 2, 2, 0));
    let report = lake.one(&[], 0);
    assert_eq!(number(&report, "below_retention"), 2);
    one(&lake, &[], 0);
    lake.verify(0);
}

#[test]
fn a_compacted_day_is_rebuilt_and_compacted_again() {
    let (topic, lake) = compacted("compact-rebuild");
    let before = lines(&lake, &topic);
    lake.one(&["--rebuild", "2025-10-30..2025-10-30"], 0);
    assert_stream(&lake, &topic);
    assert_eq!(lines(&lake, &topic), before);
    topic.send(&of_day("late", 2, 2, 0));
    lake.drain();
    let done = one(&lake, &[], 0);
    assert_eq!(number(&done, "files_before"), 4);
    let lines = lines(&lake, &topic);
    let offsets: Vec<_> = lines.iter().map(|line| Line::parse(line, "_").offset).collect();
    assert_eq!(offsets.len(), before.len() + 2);
    assert_stream(&lake, &topic);
    lake.verify(0);
}
