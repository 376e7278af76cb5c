//! Power cuts: after a run that said it was done, and at each step of one that never came to say so.

use super::rounds::Rounds;
use super::scene::{Kind, Scene, World};
use super::tree;
use crate::common::inject::Call;

/// Cuts the power when the run makes this call, and checks what readers and the next run find.
fn cut_at(scene: &Scene, call: &Call) {
    let world = scene.world();
    let kill = format!("{}:signal=KILL:when={}", call.name, call.nth);
    let run = scene.run(&world, &[kill]).run;
    assert_eq!(run.code, 137, "the run was over before its {call:?}: {run:?}");
    world.volume.cut();
    scene.check_readers(&world.lake);
    scene.check_next(&world.lake);
}

fn cut_when_done(scene: &Scene, world: &World) {
    let promised = tree::durable(&world.lake.root());
    world.volume.cut();
    scene.check_done(&world.lake, &promised);
}

/// The steps by which an undisturbed run changes the disk.
fn steps(scene: &Scene) -> Vec<Call> {
    let world = scene.world();
    let traced = scene.run(&world, &[]);
    assert_eq!(traced.run.code, 0, "{:?}", traced.run);
    cut_when_done(scene, &world);
    traced.under(&world.lake.root())
}

/// Power cuts all over a run, each on a disk of its own.
fn sweep(kind: Kind, short: usize) {
    let scene = Scene::new(kind);
    let steps = steps(&scene);
    let test = format!("{:?}", std::thread::current().name().unwrap_or_default());
    let mut rounds = Rounds::new(&test, short);
    while let Some(place) = rounds.next(steps.len()) {
        let call = &steps[place];
        eprintln!(
            "{kind:?}: power cut at {} {} of {}",
            call.name,
            call.nth,
            call.path.display()
        );
        cut_at(&scene, call);
    }
    rounds.done(&format!("{kind:?}: power cuts at one of {} steps", steps.len()));
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
    sweep(Kind::Messages, 3);
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
fn a_power_cut_in_a_purge_leaves_whole_days() {
    sweep(Kind::Purge, 4);
}
