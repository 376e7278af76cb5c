//! A SIGKILL at every call of a command that changes something, and at every call of the run that makes good.

use rand::seq::SliceRandom;
use std::fmt::Debug;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::torture::Torture;
use crate::common::program::Run;
use crate::common::strace::{self, Call, Traced};

/// Runs wait for Kafka most of their time.
const WORKERS: usize = 6;
/// Of the long form's minutes: there are a dozen sweeps, and two of them run at a time.
const PART: f64 = 0.1;
/// How often a kill is tried again that came elsewhere.
const TRIES: usize = 20;
/// More calls of one name than differ from run to run.
const PAST: u32 = 50;
/// Kills of two runs in a row, in the short form.
const PAIRS: usize = 8;

/// Where a command runs, and what it may find there.
pub trait World {
    /// What lakectl's result is, in all that an undisturbed run decides.
    type Picture: PartialEq + Debug + Send + Sync;

    /// Sets folder and environment.
    fn fill(&self, command: &mut Command);

    fn picture(&self) -> Self::Picture;

    /// What a socket to MySQL looks like, where words to it are changes.
    fn server(&self) -> Option<String> {
        None
    }
}

pub struct Sweep<'a, W: World> {
    pub name: &'static str,
    /// What is killed.
    pub command: &'a [&'a str],
    /// The plain runs that follow, the first of which is killed as well.
    pub after: &'a [&'a [&'a str]],
    /// The world as the command shall find it.
    pub fresh: &'a (dyn Fn() -> W + Sync),
    /// What holds for readers at any moment: between a kill and the next run, too.
    pub at_any_time: &'a (dyn Fn(&W) + Sync),
    /// What holds at the end, told by somebody who does not know lakectl.
    pub at_the_end: &'a (dyn Fn(&W) + Sync),
}

impl<W: World> Sweep<'_, W> {
    pub fn run(&self) {
        let (began, torture) = (Instant::now(), Torture::from_env(PART));
        let world = (self.fresh)();
        let reference = strace::list_all(world.server().as_deref(), |command| {
            world.fill(command);
            command.args(self.command);
        });
        assert_done(&reference.run);
        let reference = reference.changes;
        (self.at_the_end)(&world);
        let undisturbed = world.picture();
        self.has_an_end(&reference);

        let points: Vec<usize> = (0..reference.len())
            .filter(|&at| torture.is_long() || matters(&reference, at))
            .collect();
        // What the run after each kill changes.
        let recoveries = Mutex::new(Vec::new());
        self.each(&points, &|&at| {
            let recovery = self.kill_once(&reference, at, &undisturbed);
            let own = (0..recovery.len()).filter(|&second| matters(&recovery, second));
            let pairs: Vec<_> = own.map(|second| (at, second)).collect();
            recoveries.lock().unwrap().push((at, recovery, pairs));
        });
        let mut recoveries = recoveries.into_inner().unwrap();
        recoveries.sort_by_key(|(at, ..)| *at);

        let mut pairs: Vec<_> = recoveries.iter().flat_map(|(.., pairs)| pairs.clone()).collect();
        pairs.shuffle(&mut torture.random());
        if !torture.is_long() {
            pairs.truncate(PAIRS);
        }
        let killed_twice = AtomicUsize::new(0);
        self.each(&pairs, &|&(first, second)| {
            // The long form tries as many as its time allows, but no fewer than the short one.
            if torture.is_over() && killed_twice.load(Ordering::Relaxed) >= PAIRS {
                return;
            }
            let (_, recovery, _) = recoveries.iter().find(|(at, ..)| *at == first).unwrap();
            self.kill_twice((&reference, first), (recovery, second), &undisturbed);
            killed_twice.fetch_add(1, Ordering::Relaxed);
        });
        println!(
            "{}: {} changing calls, killed at {}; killed twice at {} of {} pairs; {:.0?}",
            self.name,
            reference.len(),
            points.len(),
            killed_twice.into_inner(),
            recoveries.iter().map(|(.., pairs)| pairs.len()).sum::<usize>(),
            began.elapsed()
        );
    }

    /// A plain run, and what it changes.
    fn list(&self, world: &W, arguments: &[&str]) -> Vec<Call> {
        let server = world.server();
        let Traced { run, changes } = strace::list(server.as_deref(), |command| {
            world.fill(command);
            command.args(arguments);
        });
        assert_done(&run);
        changes
    }

    /// A kill past the last call of a kind hits nothing: the list has them all.
    fn has_an_end(&self, reference: &[Call]) {
        let last = reference
            .last()
            .unwrap_or_else(|| panic!("{} changes nothing", self.name));
        let world = (self.fresh)();
        let past = self.kill(&world, self.command, &last.name, last.nth + PAST);
        assert_done(&past.run);
    }

    fn kill(&self, world: &W, arguments: &[&str], name: &str, nth: u32) -> Traced {
        strace::kill_at(name, nth, world.server().as_deref(), |command| {
            world.fill(command);
            command.args(arguments);
        })
    }

    /// A world in which a command was killed at one of these calls, and nowhere else.
    fn killed(&self, arguments: &[&str], calls: &[Call], at: usize, prepared: &dyn Fn() -> W) -> W {
        let (call, wanted) = (&calls[at], &calls[..=at]);
        let mut nth = call.nth;
        let mut misses = Vec::new();
        for _ in 0..TRIES {
            let world = prepared();
            let killed = self.kill(&world, arguments, &call.name, nth);
            if killed.run.code == 137 && names(&killed.changes) == names(wanted) {
                return world;
            }
            // librdkafka writes to pipes of its own in between, a few times more or less.
            let met = |calls: &[Call]| calls.iter().filter(|met| met.name == call.name).count();
            let (met, wanted) = (met(&killed.changes), met(wanted));
            misses.push(format!("{nth}: {:?} at {met} of {wanted}", killed.run));
            nth = match u32::try_from(wanted.abs_diff(met)).unwrap() {
                short if met < wanted => nth + short,
                // It was past the call, if only by one of librdkafka's.
                past => nth.saturating_sub(past.max(1)).max(1),
            };
        }
        panic!(
            "{}: no kill at {call} in {TRIES} tries\n{misses:#?}\n{:?}",
            self.name,
            names(wanted)
        )
    }

    /// Kills the command at one call, and lists what the plain run after it changes.
    fn kill_once(&self, reference: &[Call], at: usize, undisturbed: &W::Picture) -> Vec<Call> {
        let _told = Told(|| format!("{}: killed at {}", self.name, reference[at]));
        let world = self.killed(self.command, reference, at, self.fresh);
        (self.at_any_time)(&world);
        let recovery = self.list(&world, self.after[0]);
        (self.at_any_time)(&world);
        self.make_good(&world, &self.after[1..], undisturbed);
        recovery
    }

    /// The same, and kills the run after it as well.
    fn kill_twice(&self, first: (&[Call], usize), second: (&[Call], usize), undisturbed: &W::Picture) {
        let _told = Told(|| {
            let (first, second) = (&first.0[first.1], &second.0[second.1]);
            format!("{}: killed at {first}\nand its recovery at {second}", self.name)
        });
        let killed = || self.killed(self.command, first.0, first.1, self.fresh);
        let world = self.killed(self.after[0], second.0, second.1, &killed);
        (self.at_any_time)(&world);
        self.make_good(&world, self.after, undisturbed);
    }

    /// After the plain runs all is as if there had been no kill.
    fn make_good(&self, world: &W, runs: &[&[&str]], undisturbed: &W::Picture) {
        for arguments in runs {
            let mut command = crate::common::program::command();
            world.fill(&mut command);
            command.args(*arguments);
            assert_done(&crate::common::program::spawn(command).wait());
            (self.at_any_time)(world);
        }
        (self.at_the_end)(world);
        let (now, then) = (world.picture(), undisturbed);
        let lines = |picture: &W::Picture| format!("{picture:#?}").lines().map(str::to_owned).collect();
        let (own, wanted): (Vec<_>, Vec<_>) = (lines(&now), lines(then));
        let only = |these: &[String], those: &[String]| -> Vec<String> {
            these
                .iter()
                .filter(|line| !those.contains(line))
                .cloned()
                .collect()
        };
        assert!(
            now == *then,
            "only after the kill: {:#?}\nonly where nothing was killed: {:#?}",
            only(&own, &wanted),
            only(&wanted, &own)
        );
    }

    /// Does something for each of these, several at a time.
    fn each<T: Sync>(&self, these: &[T], one: &(dyn Fn(&T) + Sync)) {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let work = || {
                while let Some(this) = these.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Where one fails the others need not go on.
                    let all = Told(|| {
                        next.store(these.len(), Ordering::Relaxed);
                        Torture::from_env(PART).again()
                    });
                    one(this);
                    drop(all);
                }
            };
            let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(work)).collect();
            assert!(
                workers.into_iter().all(|worker| worker.join().is_ok()),
                "{} failed",
                self.name
            );
        });
    }
}

/// 3: a record was rejected, which is as it should be.
fn assert_done(run: &Run) {
    assert!(matches!(run.code, 0 | 3), "{run:?}");
}

/// Whether a kill here leaves another state than a kill at the call before it: what follows a mere fsync, a call that
/// failed or a question to MySQL does not. The long form kills there all the same.
fn matters(calls: &[Call], at: usize) -> bool {
    at == 0 || calls[at - 1].has_effect()
}

fn names(calls: &[Call]) -> Vec<&str> {
    calls.iter().map(|call| &*call.name).collect()
}

/// Says where it was, if there is a panic.
struct Told<F: Fn() -> String>(F);

impl<F: Fn() -> String> Drop for Told<F> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", (self.0)());
        }
    }
}
