//! Negative controls: with one sync left out, the power cuts of this suite must find that something is lost. Were they
//! blind, or the disk kinder than disks are, these tests fail.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::scene::{Kind, Scene};
use super::tree;
use crate::common::inject::Call;

/// The kernel may write by itself what was not synced, when others on this machine ask it to: then it is tried again.
const TRIES: u32 = 5;

/// What the check of a run finds when it ends well but for one sync left out, and the power is cut then.
fn without(scene: &Scene, call: &Call) -> Option<String> {
    let world = scene.world();
    let traced = scene.run(&world, &[left_out(call)]);
    assert_eq!(traced.injected().len(), 1, "{:?}", traced.calls);
    assert_eq!(traced.run.code, 0, "the run can't know: {:?}", traced.run);
    let promised = tree::durable(&world.lake.root());
    world.volume.cut();
    found_by(|| scene.check_done(&world.lake, &promised))
}

fn left_out(call: &Call) -> String {
    format!("{}:retval=0:when={}", call.name, call.nth)
}

fn found_by(check: impl FnOnce()) -> Option<String> {
    let found = catch_unwind(AssertUnwindSafe(check)).err()?;
    Some(found.downcast_ref::<String>().cloned().unwrap_or_default())
}

fn assert_found(what: &Call, mut attempt: impl FnMut() -> Option<String>) {
    let found = (0..TRIES).find_map(|_| attempt());
    let found = found.unwrap_or_else(|| panic!("nobody noticed that {} was not synced", what.path.display()));
    eprintln!("without the sync of {}: {found}", what.path.display());
}

/// Fails unless the sync, left out, is found to be missing.
pub fn assert_missed(scene: &Scene, sync: &Call) {
    assert_found(sync, || without(scene, sync));
}

fn is_sync(call: &Call) -> bool {
    ["fsync", "fdatasync", "syncfs"].contains(&call.name.as_str())
}

#[test]
fn a_file_that_was_not_synced_is_missed() {
    let scene = Scene::new(Kind::Later);
    let files = scene.steps.iter().filter(|call| is_sync(call) && !call.on_folder);
    let mut last: std::collections::BTreeMap<String, &Call> = std::collections::BTreeMap::new();
    // A file of each sort. Of states the last: what the others held is replaced by the end of the run.
    for call in files {
        let name = call.path.file_name().unwrap().to_string_lossy().into_owned();
        let sort = if name.starts_with("2025") {
            "manifest".to_owned()
        } else {
            name
        };
        last.insert(sort, call);
    }
    let sorts: Vec<&str> = last.keys().map(String::as_str).collect();
    assert_eq!(
        sorts,
        [
            "00000001",
            "00000002",
            "00000003",
            "00000004",
            "manifest",
            "sidecar",
            "snapshot",
            "state.new"
        ]
    );
    for call in last.values() {
        assert_missed(&scene, call);
    }
}

/// The journal of ext4 carries folders along with any later sync, so it's the last one that can be missed.
#[test]
fn a_folder_that_was_not_synced_is_missed() {
    for kind in [Kind::First, Kind::Later] {
        let scene = Scene::new(kind);
        let last = scene.steps.iter().rfind(|call| is_sync(call)).unwrap();
        assert!(last.on_folder, "{last:?}");
        assert_missed(&scene, last);
    }
}

/// The commit itself: a ledger that was renamed but not written, when the power goes right after.
#[test]
fn a_ledger_that_was_not_synced_before_its_rename_is_missed() {
    let scene = Scene::new(Kind::Later);
    let steps = &scene.steps;
    let at = steps
        .iter()
        .position(|call| is_sync(call) && call.path.ends_with("state.new"))
        .unwrap();
    let after = steps[at..].iter().find(|call| call.name == "mkdirat").unwrap();
    assert_found(&steps[at], || {
        let world = scene.world();
        let kill = format!("mkdirat:signal=KILL:when={}", after.nth);
        assert_eq!(scene.run(&world, &[left_out(&steps[at]), kill]).run.code, 137);
        world.volume.cut();
        found_by(|| scene.check_next(&world.lake))
    });
}

/// What a journal hides, a trace shows: every new name is synced in its folder before the run says that it's done.
pub fn assert_names_are_synced(scene: &Scene) {
    let names = ["mkdir", "mkdirat", "symlinkat", "rename", "renameat", "renameat2"];
    for (at, call) in scene.steps.iter().enumerate() {
        let new = names.contains(&call.name.as_str()) || call.creates;
        if !new || call.failed || is_passing(&call.path) {
            continue;
        }
        let folder = call.path.parent().unwrap();
        let synced = |later: &Call| is_sync(later) && later.path == folder;
        assert!(scene.steps[at..].iter().any(synced), "{call:?} is not synced");
    }
}

/// What may be gone after a power cut: locks, and what is on its way in or out.
fn is_passing(path: &Path) -> bool {
    let text = path.to_string_lossy();
    [
        "/.lakectl/locks/",
        "/.lakectl/lake.lock",
        "/.lakectl/staging/",
        "/.lakectl/trash/",
    ]
    .iter()
    .any(|place| text.contains(place))
}
