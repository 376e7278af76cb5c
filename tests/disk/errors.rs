//! System calls that fail: the run says so and exits with 1, readers see nothing of it, and the next run on a healthy
//! disk completes.

use super::rounds::Rounds;
use super::scene::{Kind, Scene};
use crate::common::inject::{Call, Traced};
use crate::common::lake::{Lake, check_report};

/// What fails, and how.
const FAULTS: [(&str, &str); 15] = [
    ("write", "ENOSPC"),
    ("write", "EDQUOT"),
    ("write", "EIO"),
    ("fsync", "EIO"),
    ("fsync", "ENOSPC"),
    ("renameat2", "EIO"),
    ("renameat2", "ENOSPC"),
    ("mkdirat", "ENOSPC"),
    ("mkdirat", "EIO"),
    ("openat", "ENOSPC"),
    ("openat", "EMFILE"),
    ("unlinkat", "EIO"),
    ("symlinkat", "EIO"),
    ("symlinkat", "ENOSPC"),
    ("fchmod", "EIO"),
];

/// The words that each error must be told with, beside the path.
fn words(errno: &str) -> [&'static str; 2] {
    match errno {
        "ENOSPC" => ["No space left on device", "the disk is full"],
        "EDQUOT" => ["quota", "quota"],
        "EMFILE" => ["Too many open files", "ulimit -n"],
        _ => ["Input/output error", "the disk reports an error"],
    }
}

/// Lets one call of a run fail. False: strace hit another, that has nothing to do with the disk.
fn fail_at(scene: &Scene, call: &Call, errno: &str) -> bool {
    let world = scene.world();
    let traced = scene.run(
        &world,
        &[format!("{}:error={errno}:when={}", call.name, call.nth)],
    );
    // strace counts in each thread, and Kafka's have pipes that they write to.
    let mut hits = traced.injected();
    hits.retain(|hit| hit.path.starts_with(&world.volume.at));
    if let Some(hit) = hits.first() {
        check_failure(&world.lake, &traced, hit, errno);
        // A folder may hold another topic's names, too.
        if call.name == "fsync" && !call.on_folder {
            check_no_retry(&traced);
        }
    }
    scene.check_readers(&world.lake);
    scene.check_next(&world.lake);
    !hits.is_empty()
}

fn check_failure(lake: &Lake, traced: &Traced, call: &Call, errno: &str) {
    let run = &traced.run;
    let report = run.report();
    check_report(&report, report["command"].as_str().unwrap(), run.code);
    // The name of the holder in a lock is for people who wonder.
    if call.name == "write" && call.path.starts_with(lake.root().join(".lakectl/locks")) {
        assert_eq!(run.code, 0, "{run:?}");
        return;
    }
    assert_eq!(run.code, 1, "{call:?} {errno}: {run:?}");
    let topics = report["topics"].as_array().unwrap().iter();
    let errors: Vec<&str> = [&report]
        .into_iter()
        .chain(topics)
        .filter_map(|place| place["error"].as_str())
        .collect();
    let [text, advice] = words(errno);
    assert!(
        errors.iter().any(|error| ["disk/lake", text, advice]
            .iter()
            .all(|word| error.contains(word))),
        "{call:?} {errno}: {errors:?}"
    );
}

/// What a failed fsync did not write may be thought clean by the kernel: a second one that succeeds proves nothing.
fn check_no_retry(traced: &Traced) {
    let Some(at) = traced.calls.iter().position(|call| call.injected) else {
        return;
    };
    let again = |call: &Call| call.name == "fsync" && call.path == traced.calls[at].path;
    assert!(!traced.calls[at + 1..].iter().any(again), "{:?}", traced.calls);
}

fn sweep(kind: Kind, short: usize) {
    let scene = Scene::new(kind);
    let mut places = Vec::new();
    for (name, errno) in FAULTS {
        places.extend(
            scene
                .steps
                .iter()
                .filter(|call| call.name == name)
                .map(|call| (call, errno)),
        );
    }
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let mut rounds = Rounds::new(&test, short);
    let (mut hits, mut played) = (0, 0);
    while let Some(place) = rounds.next(places.len()) {
        let (call, errno) = places[place];
        eprintln!(
            "{kind:?}: {errno} at {} {} of {}",
            call.name,
            call.nth,
            call.path.display()
        );
        hits += u32::from(fail_at(&scene, call, errno));
        played += 1;
    }
    assert!(
        hits * 10 >= played * 8,
        "only {hits} of {played} faults met the lake"
    );
    rounds.done(&format!("{kind:?}: errors at one of {} places", places.len()));
}

#[test]
fn a_call_that_fails_in_the_first_run_is_told_and_made_good() {
    sweep(Kind::First, 15);
}

#[test]
fn a_call_that_fails_in_a_later_run_is_told_and_made_good() {
    sweep(Kind::Later, 15);
}

#[test]
fn a_call_that_fails_in_a_compaction_is_told_and_made_good() {
    sweep(Kind::Compact, 8);
}
