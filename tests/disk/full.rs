//! Disks that are really full, break while they are written, or turn read-only: nothing is claimed that isn't there.

use std::collections::BTreeSet;
use std::path::Path;

use super::scene::{Kind, Scene};
use super::tree;
use super::volume::{self, Volume};
use crate::common::inject;
use crate::common::kafka::{Topic, record};
use crate::common::lake::Lake;
use crate::common::program::Run;

/// What a failed run says, in whichever place of its report.
fn errors(run: &Run) -> String {
    let report = run.report();
    let topics = report["topics"].as_array().unwrap().iter();
    let errors = [&report]
        .into_iter()
        .chain(topics)
        .filter_map(|place| place["error"].as_str());
    errors.collect::<Vec<_>>().join("\n")
}

/// First runs on disks of every size that is too small: what fits no more, fails and is told.
fn too_small(option: fn(u32) -> String, first: u32, step: usize) {
    let scene = Scene::new(Kind::First);
    let mut places = BTreeSet::new();
    for size in (first..500).step_by(step) {
        let world = scene.world_in_memory(&option(size));
        let run = world.lake.run(&[]);
        if run.code == 0 {
            assert!(places.len() > 2, "full at {places:?} only");
            return;
        }
        let said = errors(&run.expect(1));
        for part in ["No space left on device", "the disk is full", "disk/lake"] {
            assert!(said.contains(part), "no {part:?} in {said}");
        }
        let kinds = [
            ".lakectl/staging",
            "/state",
            "/days",
            ".lakectl/lake",
            "streams",
            "tables",
            "current",
        ];
        places.extend(kinds.into_iter().filter(|kind| said.contains(kind)));
        scene.check_readers(&world.lake);
        world.volume.remount("size=8M,nr_inodes=0");
        scene.check_next(&world.lake);
    }
    panic!("no disk was large enough");
}

#[test]
fn a_disk_without_room_takes_all_once_there_is_some() {
    // In pages: of each file the last is taken whole.
    too_small(|pages| format!("size={}k", pages * 4), 1, 2);
}

#[test]
fn a_disk_without_inodes_takes_all_once_there_are_some() {
    too_small(|inodes| format!("nr_inodes={inodes}"), 2, 4);
}

/// Rows of a table that exceed its memory wait on disk for their merge.
#[test]
fn a_table_that_finds_no_room_for_its_spill_is_taken_later() {
    let topic = Topic::new("table");
    let filling = "x".repeat(950_000);
    for ten in 0..11 {
        let rows = (0..9).map(|n| record(&format!("k{ten}{n}"), &format!("{{\"T\":\"{filling}\"}}")));
        topic.send(&rows.collect::<Vec<_>>());
    }
    let mut lake = Lake::of_table(&topic);
    lake.place = "disk/lake";
    let volume = Volume::tmpfs(&lake.folder().join("disk"), "size=30M");
    let said = errors(&lake.run(&[]).expect(1));
    assert!(said.contains("/run-0: No space left"), "{said}");
    assert!(tree::visible(&lake.root()).is_empty());
    volume.remount("size=600M");
    lake.drain();
    crate::common::compare::assert_table(&lake, &topic);
}

/// A purge on a full disk deletes nothing by halves and damages no trail.
#[test]
fn a_purge_without_room_is_made_good() {
    let scene = Scene::new(Kind::Purge);
    let mut failed = 0;
    for leave in [0, 1 << 10, 2 << 10, 4 << 10, 8 << 10, 64 << 10] {
        let world = scene.world();
        let ballast = world.volume.fill(leave);
        let run = inject::run(&world.lake, &scene.arguments, &[]).run;
        if run.code != 0 {
            failed += 1;
            let report = run.report();
            assert!(errors(&run.expect(1)).contains("the disk is full"));
            assert_eq!(report["folders"].as_array().map(Vec::len), Some(0), "{report}");
        }
        scene.check_readers(&world.lake);
        std::fs::remove_file(ballast).unwrap();
        scene.check_next(&world.lake);
        let history = inject::run(&world.lake, &["purge", "--history", "--only=lake"], &[])
            .run
            .expect(0);
        assert!(history.stderr.is_empty(), "{history:?}");
    }
    assert!(failed > 0);
}

/// A thinly provisioned disk: write() succeeds, and only fsync learns that there is no room.
#[test]
fn a_late_writeback_error_is_told_and_made_good() {
    let scene = Scene::new(Kind::First);
    let mut failed = 0;
    for leave in [8 << 10, 32 << 10, 64 << 10, 128 << 10] {
        let lake = scene.lake();
        let thin = Volume::tmpfs(&lake.folder().join("thin"), "size=24M");
        let image = thin.at.join("image");
        volume::make_image(&image, 64);
        let disk = Volume::of_image(&lake.folder().join("disk"), image);
        let ballast = thin.fill(leave);
        let run = lake.run(&[]);
        if run.code != 0 {
            failed += 1;
            let said = errors(&run.expect(1));
            assert!(
                ["reports an error", "read-only"]
                    .iter()
                    .any(|word| said.contains(word)),
                "{said}"
            );
        }
        std::fs::remove_file(ballast).unwrap();
        disk.cut();
        scene.check_readers(&lake);
        scene.check_next(&lake);
    }
    assert!(failed > 1, "{failed} failed");
}

#[test]
fn a_read_only_disk_is_told() {
    let scene = Scene::new(Kind::Later);
    let world = scene.world();
    let before = tree::durable(&world.lake.root());
    world.volume.remount("ro");
    let said = errors(&world.lake.run(&[]).expect(1));
    assert!(
        said.contains("disk/lake") && said.contains("mounted read-only"),
        "{said}"
    );
    tree::assert_same(&tree::durable(&world.lake.root()), &before, "on a read-only disk");
    world.volume.remount("rw");
    scene.check_next(&world.lake);
}

#[test]
fn a_disk_that_turns_read_only_in_the_middle_is_told_and_made_good() {
    let scene = Scene::new(Kind::Later);
    for nth in [1, 4, 8, 12] {
        let world = scene.world();
        let stopped = inject::stop_at(&world.lake, &scene.arguments, "renameat2", nth);
        world.volume.turn_read_only();
        let run = stopped.go_on();
        let said = errors(&run.expect(1));
        assert!(said.contains("disk/lake") && said.contains("read-only"), "{said}");
        scene.check_readers(&world.lake);
        world.volume.cut();
        scene.check_readers(&world.lake);
        scene.check_next(&world.lake);
    }
}

/// After a successful fsync a failed close has lost nothing, and Rust doesn't tell of it.
#[test]
fn a_failed_close_loses_nothing() {
    let scene = Scene::new(Kind::First);
    let closes = &scene.closes;
    for close in closes.iter().step_by(closes.len() / 4) {
        let world = scene.world();
        let traced = scene.run(&world, &[format!("close:error=EIO:when={}", close.nth)]);
        assert!(
            traced
                .injected()
                .iter()
                .any(|call| is_in(&call.path, &world.lake)),
            "{close:?}"
        );
        traced.run.expect(0);
        let promised = tree::durable(&world.lake.root());
        world.volume.cut();
        scene.check_done(&world.lake, &promised);
    }
}

fn is_in(path: &Path, lake: &Lake) -> bool {
    path.starts_with(lake.root())
}
