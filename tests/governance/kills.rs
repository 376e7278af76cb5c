//! A purge that is killed while it has somebody else's file in its hands. (tests/crash kills it everywhere.)

use std::process::{Command, Stdio};

use crate::common::files::data_files;
use crate::common::kafka::{DAY_MS, NOON_MS, Topic, numbered};
use crate::common::lake::Lake;

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
