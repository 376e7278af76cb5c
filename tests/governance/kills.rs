//! Rebuild and purge, killed at every step that changes the lake: the next run finishes them or undoes them.

use std::process::{Command, Stdio};

use crate::common::compare::assert_stream;
use crate::common::files::data_files;
use crate::common::kafka::{DAY_MS, NOON_MS, Topic, numbered};
use crate::common::lake::Lake;

/// The system calls by which lakectl changes what others see.
const CALLS: [&str; 4] = ["renameat2", "renameat", "mkdirat", "unlinkat"];

/// Runs lakectl and kills it when it makes a system call for the `nth` time. True: it never came to that.
fn kill_at(lake: &Lake, arguments: &[&str], call: &str, nth: u32) -> bool {
    std::fs::write(lake.folder().join("lakectl.toml"), lake.config()).unwrap();
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e"])
        .arg(format!("inject={call}:signal=KILL:when={nth}"))
        .arg(env!("CARGO_BIN_EXE_lakectl"))
        .args(arguments)
        .current_dir(lake.folder())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("strace: {error}; scripts/test installs it"));
    status.success()
}

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

#[test]
fn a_killed_rebuild_is_finished_or_undone() {
    let (topic, lake) = days("kill");
    for call in CALLS {
        for nth in 1.. {
            let over = kill_at(
                &lake,
                &["lake", "-q", "--rebuild", "2025-10-30..2025-10-31"],
                call,
                nth,
            );
            // Readers never see half a day, not even before the next run.
            assert_stream(&lake, &topic);
            lake.drain();
            assert_stream(&lake, &topic);
            if over {
                break;
            }
        }
    }
}

#[test]
fn a_killed_purge_is_finished_or_never_began() {
    let arguments = [
        "purge",
        "-q",
        "--only",
        "lake",
        "--yes",
        "--older-than",
        "1d",
        "--max-fraction",
        "1",
    ];
    for call in CALLS {
        for nth in 1.. {
            let (_topic, lake) = days("kill");
            let over = kill_at(&lake, &arguments, call, nth);
            lake.drain();
            let left = data_files(&lake.root().join("streams")).len();
            assert!(left == 0 || left == 3, "{call} {nth}: {left} files");
            let trash = walkdir::WalkDir::new(lake.root().join(".lakectl/trash")).into_iter();
            assert_eq!(
                trash
                    .filter_map(Result::ok)
                    .filter(|f| f.file_type().is_file())
                    .count(),
                0
            );
            if over {
                assert_eq!(left, 0);
                break;
            }
        }
    }
}

/// A file of somebody else's goes with its folder for a moment, and comes back: by whichever run finishes the purge.
#[test]
fn what_a_killed_purge_took_along_is_put_back_and_named() {
    let mut named = 0;
    for nth in 1.. {
        let (_topic, lake) = days("kill");
        let folder = lake.root().join("streams");
        let notes = folder
            .join(&data_files(&folder)[0].path)
            .with_file_name("notes.txt");
        std::fs::write(&notes, "mine").unwrap();
        let limits = ["--older-than", "1d", "--max-fraction", "1"];
        let purge = [&["purge", "-q", "--only", "lake", "--yes"][..], &limits].concat();
        let over = kill_at(&lake, &purge, "unlinkat", nth);
        let taken = !notes.exists();
        let report = lake.drain();
        assert_eq!(std::fs::read_to_string(&notes).unwrap(), "mine", "{nth}");
        if taken {
            assert!(report["warnings"].to_string().contains("notes.txt"), "{report}");
            named += 1;
        }
        if over {
            break;
        }
    }
    assert!(named > 0);
}
