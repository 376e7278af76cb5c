//! Power cuts at the steps of a run that never comes to say that it's done. (After one that did, each scene begins
//! with a power cut.)

use super::rounds::Rounds;
use super::scene::{Kind, Scene};
use super::{controls, tree};
use crate::common::inject::Call;

/// Cuts the power when the run makes this call, and checks what readers and the next run find. False: the run was over
/// before it came to that, as the main thread's writes to Kafka's threads come in no fixed number.
fn cut_at(scene: &Scene, call: &Call) -> bool {
    let world = scene.world();
    let kill = format!("{}:signal=KILL:when={}", call.name, call.nth);
    let run = scene.run(&world, &[kill]).run;
    if run.code == 0 && call.name == "write" {
        let promised = tree::durable(&world.lake.root());
        world.volume.cut();
        scene.check_done(&world.lake, &promised);
        return false;
    }
    assert_eq!(run.code, 137, "the run was over before its {call:?}: {run:?}");
    world.volume.cut();
    scene.check_readers(&world.lake);
    scene.check_next(&world.lake);
    true
}

/// Power cuts all over a run, each on a disk of its own.
fn sweep(kind: Kind, short: usize) -> Scene {
    let scene = Scene::new(kind);
    controls::assert_names_are_synced(&scene);
    let steps = &scene.steps;
    let test = std::thread::current().name().unwrap_or_default().to_owned();
    let mut rounds = Rounds::new(&test, short);
    let (mut hits, mut played) = (0, 0);
    while let Some(place) = rounds.next(steps.len()) {
        let call = &steps[place];
        eprintln!(
            "{kind:?}: power cut at {} {} of {}",
            call.name,
            call.nth,
            call.path.display()
        );
        hits += usize::from(cut_at(&scene, call));
        played += 1;
    }
    assert!(hits * 10 >= played * 7, "only {hits} of {played} runs were cut");
    rounds.done(&format!("{kind:?}: power cuts at one of {} steps", steps.len()));
    scene
}

#[test]
fn a_power_cut_in_the_first_run_loses_nothing() {
    sweep(Kind::First, 6);
}

#[test]
fn a_power_cut_in_a_later_run_loses_nothing() {
    sweep(Kind::Later, 6);
}

#[test]
fn a_power_cut_with_a_file_per_record_loses_nothing() {
    let scene = sweep(Kind::Messages, 2);
    // One sync stands for all files, and is missed where it's left out.
    let sync = scene.steps.iter().find(|call| call.name == "syncfs").unwrap();
    controls::assert_missed(&scene, sync);
}

#[test]
fn a_power_cut_in_a_rebuild_loses_nothing() {
    sweep(Kind::Rebuild, 4);
}

#[test]
fn a_power_cut_while_a_table_is_folded_again_loses_nothing() {
    sweep(Kind::Refold, 4);
}

#[test]
fn a_power_cut_in_a_compaction_leaves_whole_days() {
    sweep(Kind::Compact, 4);
}

#[test]
fn a_power_cut_in_a_purge_leaves_whole_days() {
    sweep(Kind::Purge, 4);
}
