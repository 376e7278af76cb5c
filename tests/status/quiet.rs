//! It looks, and leaves no trace: no file, no row, no lock, no offset. And what it sees is whole while runs commit.

use rustix::fs::{FlockOperation, flock};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::common::kafka::Topic;
use crate::common::lake::number;
use crate::scene::{Scene, checked, on_day, partitions};
use crate::world::Warehouse;

/// Every file with its content and times, access times left out.
fn tree(root: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let walk = walkdir::WalkDir::new(root).into_iter().map(Result::unwrap);
    walk.map(|found| {
        let content = if found.file_type().is_file() {
            std::fs::read(found.path()).unwrap()
        } else {
            Vec::new()
        };
        let modified = found.metadata().unwrap().modified().unwrap();
        (found.path().to_owned(), (content, modified))
    })
    .collect()
}

/// All rows of all tables.
fn rows(world: &Warehouse) -> Vec<String> {
    let tables = world
        .query("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1");
    let names = tables.into_iter().map(|row| row[0].clone().unwrap());
    names
        .map(|name| format!("{name}: {:?}", world.query(&format!("CHECKSUM TABLE `{name}`"))))
        .collect()
}

#[test]
fn nothing_is_written_anywhere() {
    let (scene, ..) = Scene::drained();
    scene.stream.send(&on_day(1, 0, 7));
    let everything = || {
        let offsets = scene.stream.committed(&format!("{}.lake", scene.world.group));
        (tree(scene.world.folder()), rows(&scene.world), offsets)
    };
    let before = everything();
    // Somebody else's run is not an obstacle either.
    let lock = scene.root().join(".lakectl/locks").join(&scene.stream.name);
    let lock = std::fs::File::open(lock).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    for arguments in [
        &[][..],
        &["-v"],
        &["--json"],
        &["--html", "-"],
        &["-n", "--html", "page.html"],
    ] {
        scene.run(arguments).expect(0);
    }
    assert!(before == everything());
    // The page is all that it ever writes, and nothing is left beside it.
    scene.run(&["-q", "--html", "page.html"]).expect(0);
    let mut after = tree(scene.world.folder());
    assert!(after.remove(&scene.world.folder().join("page.html")).is_some());
    let but_the_folder = |mut tree: BTreeMap<PathBuf, _>| {
        tree.remove(scene.world.folder());
        tree
    };
    assert!(but_the_folder(before.0) == but_the_folder(after));
}

/// A stream without markers or compaction: what lies in the lake is what the progress has passed, at any moment.
#[test]
fn what_is_seen_while_runs_commit_is_one_state() {
    let topic = Topic::with("moving", 2, &[]);
    let records = (0..12).flat_map(|day| on_day(day, (day % 2) as i32, 30));
    topic.send(&records.collect::<Vec<_>>());
    let world = Warehouse::without_database().stream(&topic);
    let done = std::sync::atomic::AtomicBool::new(false);
    let look = || {
        let run = world
            .start_with(&["status", "--json"], &[("LAKECTL_WAREHOUSE_URL", "")])
            .wait();
        let status = checked(run, 0);
        let lake = &status["topics"][0]["lake"];
        let reached: i64 = partitions(lake).iter().filter_map(|part| part[1]).sum();
        assert_eq!(number(lake, "records"), reached, "{status}");
        assert_eq!(number(lake, "lag"), 360 - reached, "{status}");
        reached
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..12 {
                world.lakectl(&["lake", "--max-messages", "31"]).expect(0);
            }
            done.store(true, std::sync::atomic::Ordering::SeqCst);
        });
        while !done.load(std::sync::atomic::Ordering::SeqCst) {
            look();
        }
    });
    assert_eq!(look(), 360);
}
