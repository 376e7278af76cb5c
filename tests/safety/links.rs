//! Every folder and file of a lake, moved elsewhere and replaced by a symlink to it: no command follows it, so that
//! nothing outside of the root is read into the lake, written or deleted.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

use crate::common::kafka::{DAY_MS, NOON_MS, Topic, numbered};
use crate::common::lake::Lake;
use crate::common::program::{self, Run};
use crate::each;

/// What stands outside: mode, bytes, inode, and the nanosecond of its last change.
type Outside = BTreeMap<PathBuf, (u32, u64, u64, i64, i64)>;

fn look(folder: &Path) -> Outside {
    let entry = |found: walkdir::DirEntry| {
        let at = std::fs::symlink_metadata(found.path()).unwrap();
        let facts = (at.mode(), at.len(), at.ino(), at.mtime(), at.mtime_nsec());
        (found.into_path(), facts)
    };
    let walk = walkdir::WalkDir::new(folder).into_iter();
    walk.map(|found| entry(found.unwrap())).collect()
}

/// A stream of two days and a table that keeps its history, drained twice, with an erasure; records wait for the next run.
fn world() -> (Lake, [Topic; 2]) {
    let topics = ["linked", "linked-table"].map(|name| Topic::with(name, 1, &[]));
    let send = |label: &str| {
        for topic in &topics {
            let day = |day: i64| {
                let records = numbered(label, 3, 1).into_iter();
                records.map(move |record| record.at(NOON_MS + day * DAY_MS))
            };
            topic.send(&day(0).chain(day(1)).collect::<Vec<_>>());
        }
    };
    let lake = Lake::new()
        .stream(&topics[0], "")
        .table(&topics[1], "lake.history = true");
    send("first");
    lake.drain();
    let erase = format!("{}=first-2", topics[0].name);
    command(
        &lake,
        &["purge", "-q", "--only", "lake", "--key", &erase, "--yes"],
    )
    .expect(0);
    send("second");
    lake.drain();
    send("third");
    (lake, topics)
}

fn command(lake: &Lake, arguments: &[&str]) -> Run {
    std::fs::write(lake.folder().join("lakectl.toml"), lake.config()).unwrap();
    program::start(lake.folder(), arguments, &[]).wait()
}

#[test]
fn no_command_follows_a_link_out_of_the_lake() {
    let (lake, topics) = world();
    let planted: Vec<PathBuf> = lake
        .listing()
        .into_keys()
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    assert!(planted.len() > 35, "{planted:?}");
    let erase = ["first-1", "first-0"].map(|key| format!("{}={key}", topics[0].name));
    let erase_row = format!("{}=first-1", topics[1].name);
    let purge = ["purge", "--only", "lake", "--yes"];
    let commands: Vec<Vec<&str>> = vec![
        vec!["lake"],
        vec!["lake", "--rebuild", "2025-10-30..2025-10-31"],
        vec!["lake", "--rebuild"],
        vec!["compact", "--older-than", "0s"],
        [&purge[..], &["--key", &erase[0]]].concat(),
        [&purge[..], &["--key", &erase_row]].concat(),
        [&purge[..], &["--older-than", "1d", "--max-fraction", "1"]].concat(),
    ];
    each(&planted, |_, path| {
        let lake = lake.copied_from(&lake.root());
        let (inside, outside) = (lake.root().join(path), lake.folder().join("outside"));
        std::fs::create_dir(&outside).unwrap();
        let target = outside.join("moved");
        std::fs::rename(&inside, &target).unwrap();
        symlink(&target, &inside).unwrap();
        let before = look(&outside);
        for arguments in &commands {
            let run = command(&lake, arguments);
            let what = format!("{} and {arguments:?}: {run:?}", path.display());
            assert_eq!(look(&outside), before, "{what}");
            // Where it is in the way it is told; where nobody goes it does no harm.
            let told = run.stderr.contains("symlink")
                || run.stderr.contains("not a regular file")
                || run.stderr.contains("is where a committed file belongs");
            assert!(
                matches!(run.code, 0 | 3) || told || run.stderr.contains("is gone"),
                "{what}"
            );
        }
    });
}

/// The same where a run would make the first folder or file.
#[test]
fn nothing_is_begun_beyond_a_link() {
    let (lake, [stream, table]) = world();
    let base = lake.folder().join("begun");
    std::fs::create_dir_all(base.join(".lakectl")).unwrap();
    std::fs::copy(lake.root().join(".lakectl/lake"), base.join(".lakectl/lake")).unwrap();
    let folders = [
        "streams",
        "tables",
        "current",
        ".lakectl",
        ".lakectl/topics",
        ".lakectl/locks",
        ".lakectl/staging",
    ];
    let folders_of_topic = [
        ".lakectl/topics/TOPIC",
        ".lakectl/topics/TOPIC/days",
        ".lakectl/staging/TOPIC",
        "streams/TOPIC",
        "streams/TOPIC/year=2025",
        "streams/TOPIC/year=2025/month=10",
        "streams/TOPIC/year=2025/month=10/day=30",
    ];
    let files = [
        ".lakectl/lake",
        ".lakectl/locks/TOPIC",
        ".lakectl/topics/TOPIC/state",
        ".lakectl/topics/TOPIC/state.new",
        ".lakectl/topics/TOPIC/days/2025-10-30",
        "current/TABLE.json",
    ];
    let all = folders
        .iter()
        .chain(&folders_of_topic)
        .map(|place| (place, ""))
        .chain(files.iter().map(|place| (place, "file")));
    let cases: Vec<(String, &str)> = all
        .map(|(place, target)| {
            (
                place.replace("TOPIC", &stream.name).replace("TABLE", &table.name),
                target,
            )
        })
        .collect();
    each(&cases, |_, (place, target)| {
        let lake = lake.copied_from(&base);
        let outside = lake.folder().join("outside");
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(outside.join("file"), "kept").unwrap();
        let inside = lake.root().join(place);
        let _ = std::fs::remove_file(&inside).or_else(|_| std::fs::remove_dir_all(&inside));
        std::fs::create_dir_all(inside.parent().unwrap()).unwrap();
        symlink(outside.join(target), &inside).unwrap();
        let before = look(&outside);
        let run = command(&lake, &["lake", "--new-lake"]);
        assert_eq!(look(&outside), before, "{place}: {run:?}");
        assert_eq!(std::fs::read_to_string(outside.join("file")).unwrap(), "kept");
        let told = ["symlink", "is gone"]
            .iter()
            .any(|word| run.stderr.contains(word));
        assert!(run.code == 0 || told, "{place}: {run:?}");
    });
}
