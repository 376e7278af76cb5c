//! A purge that is killed, and a foreign file that comes before another run finishes it. (tests/crash kills it everywhere.)

use crate::common::files::data_files;
use crate::common::inject;
use crate::common::kafka::{DAY_MS, NOON_MS, Topic, numbered};
use crate::common::lake::Lake;

fn days(label: &str) -> (Topic, Lake) {
    let topic = Topic::new(label);
    for day in 0..3 {
        let records = numbered(&format!("d{day}"), 5, 1).into_iter();
        topic.send(&records.map(|r| r.at(NOON_MS + day * DAY_MS)).collect::<Vec<_>>());
    }
    let lake = Lake::of_stream(&topic);
    lake.drain();
    (topic, lake)
}

/// It goes to the trash with its day, stays there, and is named by whichever run finishes the purge.
#[test]
fn a_foreign_file_that_comes_before_a_killed_purge_is_finished() {
    let (topic, lake) = days("kill");
    let limits = ["--older-than", "1d", "--max-fraction", "1"];
    let purge = [&["purge", "-q", "--only", "lake", "--yes"][..], &limits].concat();
    let mut named = 0;
    // The first one is the commit.
    for nth in 2.. {
        let lake = lake.twin();
        let folder = lake.root().join("streams");
        let days: Vec<_> = data_files(&folder)
            .into_iter()
            .map(|file| folder.join(file.path))
            .collect();
        let kill = [format!("renameat2:signal=KILL:when={nth}")];
        let killed = inject::run(&lake, &purge, &kill).run;
        let there: Vec<_> = days.iter().filter(|file| file.exists()).collect();
        for file in &there {
            std::fs::write(file.with_file_name("notes.txt"), "mine").unwrap();
        }
        let warnings = lake.drain()["warnings"].to_string();
        assert!(days.iter().all(|file| !file.exists()));
        assert_eq!(warnings.matches("notes.txt").count(), there.len(), "{warnings}");
        let trash = lake.root().join(".lakectl/trash").join(&topic.name);
        let kept = walkdir::WalkDir::new(trash).into_iter().map(Result::unwrap);
        let kept = kept.filter(|entry| entry.file_type().is_file());
        let kept: Vec<_> = kept
            .map(|entry| std::fs::read_to_string(entry.path()).unwrap())
            .collect();
        assert_eq!(kept, vec!["mine"; there.len()]);
        named += there.len();
        if killed.code == 0 {
            break;
        }
    }
    assert!(named > 3);
}
