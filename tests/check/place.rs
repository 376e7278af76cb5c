//! Where the lake lies: mounts, permissions, disks that are full.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::answer::{Answer, check};
use crate::common::kafka::{Topic, numbered};
use crate::common::program;
use crate::volume::Volume;
use crate::world::Warehouse;

const LAKE: [&str; 2] = ["--only", "lake"];

fn world(topic: &Topic) -> Warehouse {
    topic.send(&numbered("a", 10, 1));
    Warehouse::without_database().stream(topic)
}

#[test]
fn disks_that_take_nothing() {
    let topic = Topic::new("check-disks");
    let world = world(&topic);
    let at = world.folder().join("disk");
    let root = at.join("deep/down/lake");
    let arguments = [&LAKE[..], &["--lake-root", root.to_str().unwrap()]].concat();
    let disk = Volume::tmpfs(&at, "size=8m,nr_inodes=100");
    // Little for anybody, and yet enough for this topic.
    check(&world, &arguments, 0).ok("lake", "root", &["will be created in", "disk"]);
    assert!(!at.join("deep").exists());
    world
        .lakectl(&["lake", "--lake-root", root.to_str().unwrap()])
        .expect(0);
    check(&world, &arguments, 0).ok("lake", "root", &["can be written: 1 topic"]);
    disk.remount("ro");
    check(&world, &arguments, 3).is_wrong("lake", "root", &["Read-only", "mount it for writing"]);
    disk.remount("rw");
    let ballast = disk.fill(4 * 4_096);
    let answer = check(&world, &arguments, 3);
    answer.is_wrong("lake", "root", &["No space left", "df -h"]);
    answer.is_wrong("lake", "room", &["of 8.00 MiB free", "make room"]);
    std::fs::remove_file(ballast).unwrap();
    let files = (0..100).take_while(|n| std::fs::write(at.join(n.to_string()), "").is_ok());
    assert!(files.count() > 50);
    let answer = check(&world, &arguments, 3);
    answer.is_wrong("lake", "root", &["No space left", "df -i"]);
    answer.is_wrong("lake", "room", &["0 more files", "df -i"]);
    assert_eq!(answer.wrong().len(), 2, "{:?}", answer.wrong());
}

/// What the next run would write has to fit, not only a little.
#[test]
fn a_disk_that_is_too_small_for_what_is_to_come() {
    let topic = Topic::new("check-small");
    let world = world(&topic);
    let large: Vec<_> = (0..40)
        .map(|n| {
            crate::common::kafka::record(&n.to_string(), &format!("{{\"A\":\"{}\"}}", "x".repeat(100_000)))
        })
        .collect();
    topic.send(&large);
    let at = world.folder().join("disk");
    let _disk = Volume::tmpfs(&at, "size=3m");
    let arguments = [&LAKE[..], &["--lake-root", at.to_str().unwrap()]].concat();
    let answer = check(&world, &arguments, 3);
    answer.is_wrong(
        "lake",
        "room",
        &[
            "3.00 MiB of 3.00 MiB free",
            "for the next run",
            "purge what is old",
        ],
    );
    assert_eq!(answer.wrong(), [("lake", "room")]);
}

/// As a user of this system that is neither root nor the lake's owner.
fn check_as_nobody(world: &Warehouse, program: &Path, code: i32) -> Answer {
    let mut command = std::process::Command::new(program);
    command
        .args(["check", "--json", "--only", "lake"])
        .current_dir(world.folder())
        .env_remove("LAKECTL_BROKERS")
        .env_remove("LAKECTL_WAREHOUSE_URL")
        .uid(65_534)
        .gid(65_534);
    Answer::of(program::spawn(command).wait(), code)
}

#[test]
fn folders_of_somebody_else() {
    let topic = Topic::new("check-owner");
    let world = world(&topic);
    world.configure();
    world.lakectl(&["lake"]).expect(0);
    let open =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    // The program's own folder may be closed to others.
    let program = world.folder().join("lakectl");
    std::fs::copy(env!("CARGO_BIN_EXE_lakectl"), &program).unwrap();
    open(world.folder(), 0o755);
    let root = world.folder().join("data_lake");
    let answer = check_as_nobody(&world, &program, 3);
    // Its folders are somebody else's too.
    let recursively = format!("chown -R nobody {}", root.canonicalize().unwrap().display());
    answer.is_wrong("lake", "root", &["Permission denied", &recursively]);
    let all = walkdir::WalkDir::new(&root)
        .into_iter()
        .map(|found| found.unwrap().into_path());
    for path in all {
        std::os::unix::fs::lchown(path, Some(65_534), Some(65_534)).unwrap();
    }
    check_as_nobody(&world, &program, 0).ok("lake", "root", &["can be written"]);
    // One folder that root has made is enough.
    let streams = root.join("streams").join(&topic.name);
    std::os::unix::fs::lchown(&streams, Some(0), Some(0)).unwrap();
    let answer = check_as_nobody(&world, &program, 3);
    let shown = format!("data_lake/streams/{} can't be written", topic.name);
    answer.is_wrong("lake", "root", &[&shown, &recursively]);
}

#[test]
fn roots_that_are_no_lakes() {
    let topic = Topic::new("check-roots");
    let mut world = world(&topic);
    std::fs::write(world.folder().join("data_lake"), "a file").unwrap();
    check(&world, &LAKE, 3).is_wrong("lake", "root", &["data_lake", "folder"]);
    std::fs::remove_file(world.folder().join("data_lake")).unwrap();
    symlink("nowhere", world.folder().join("data_lake")).unwrap();
    check(&world, &LAKE, 3).is_wrong("lake", "root", &["symlink", "nowhere"]);
    std::fs::remove_file(world.folder().join("data_lake")).unwrap();
    world.lakectl(&["lake"]).expect(0);
    let entry = format!("[topics.{:?}]\nkind = \"stream\"\n", topic.name);
    world.set_topics(&format!("[lake]\ntimezone = \"Europe/Paris\"\n{entry}"));
    let answer = check(&world, &LAKE, 3);
    answer.is_wrong(
        "lake",
        "root",
        &["were made in UTC", "set lake.timezone = \\\"UTC\\\""],
    );
    answer.unknown("lake", "room", &["not checked"]);
    world.set_topics(&format!("[topics.{:?}]\nkind = \"table\"\n", topic.name));
    check(&world, &LAKE, 3).is_wrong(&topic.name, "lake", &["taken into the lake as a stream"]);
}
