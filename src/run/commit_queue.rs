//! The commits of a run. Few topics, or large ones, are committed one after the other; many small ones some at a time, so
//! that the file system writes its journal once for several.

use anyhow::{Context, Result};
use std::collections::VecDeque;
use std::thread::{Builder, Scope, ScopedJoinHandle};

use super::{Turn, before_gap};
use crate::kafka::ReadOutcome;
use crate::problem::Problem;
use crate::record::Drained;
use crate::report::{PartitionReport, TopicReport};
use crate::target::Sink;

/// With at least this many topics, several are committed at a time.
pub(super) const TOPICS_MIN: usize = 8;
/// Commits at a time.
const AT_ONCE: usize = 4;
/// A topic with more bytes of records is committed alone, as uncommitted records may be in memory.
const BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The result of a topic.
pub(super) struct Ended {
    pub line: TopicReport,
    pub warnings: Vec<Problem>,
    /// Topic, Kafka partition and offset where the next run begins; empty if the topic failed.
    pub next: Vec<(String, i32, i64)>,
}

/// Commits that are under way, the oldest first. Their results come in this order.
pub(super) struct Commits<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    under_way: VecDeque<UnderWay<'scope>>,
}

struct UnderWay<'scope> {
    thread: Result<ScopedJoinHandle<'scope, Ended>>,
    /// The report if the thread panics.
    line: TopicReport,
}

impl<'scope, 'env> Commits<'scope, 'env> {
    pub(super) fn new(scope: &'scope Scope<'scope, 'env>) -> Self {
        Commits {
            scope,
            under_way: VecDeque::new(),
        }
    }

    /// Begins the commit of a topic, and returns those that have ended. `beside`: others may be under way meanwhile.
    pub(super) fn add<'t: 'scope, S: Sink + 'scope>(
        &mut self,
        turn: Turn<'t, S>,
        outcome: Result<ReadOutcome>,
        beside: bool,
    ) -> Vec<Ended> {
        let small = outcome.as_ref().is_ok_and(|outcome| outcome.bytes <= BYTES_MAX);
        if !(beside && small) {
            let mut ended = self.rest();
            ended.push(turn.commit(outcome));
            return ended;
        }
        let oldest = (self.under_way.len() >= AT_ONCE).then(|| self.under_way.pop_front());
        let ended = oldest.flatten().map(UnderWay::wait);
        let line = turn.line.clone();
        let thread = Builder::new()
            .name("commit".to_owned())
            .spawn_scoped(self.scope, move || turn.commit(outcome))
            .context("starting a thread");
        self.under_way.push_back(UnderWay { thread, line });
        ended.into_iter().collect()
    }

    /// Waits for all commits that are under way.
    pub(super) fn rest(&mut self) -> Vec<Ended> {
        self.under_way.drain(..).map(UnderWay::wait).collect()
    }
}

impl UnderWay<'_> {
    fn wait(self) -> Ended {
        let mut line = self.line;
        let unexpected = |_| {
            Problem::new("committing failed unexpectedly")
                .fix("please report it")
                .into()
        };
        let ended = self.thread.and_then(|thread| thread.join().map_err(unexpected));
        ended.unwrap_or_else(|error| {
            line.fail(&error);
            Ended {
                line,
                warnings: Vec::new(),
                next: Vec::new(),
            }
        })
    }
}

impl<S: Sink> Turn<'_, S> {
    /// Commits the topic's records, and releases its lock.
    fn commit(mut self, outcome: Result<ReadOutcome>) -> Ended {
        let committed = outcome.and_then(|outcome| {
            self.sink.commit(&outcome.drained, &mut self.line)?;
            account(&mut self.line, &outcome.drained, outcome.before_from);
            Ok(outcome.drained.partitions)
        });
        let mut next = Vec::new();
        match committed {
            Ok(partitions) => {
                let at = partitions
                    .iter()
                    .map(|at| (self.topic.name.clone(), at.partition, at.next));
                next.extend(at);
            }
            Err(error) => self.line.fail(&error),
        }
        Ended {
            warnings: self.sink.warnings(),
            line: self.line,
            next,
        }
    }
}

/// Fills in the numbers of the report that follow from offsets.
fn account(line: &mut TopicReport, drained: &Drained, before_from: u64) {
    line.before_from = before_from;
    for part in &drained.partitions {
        line.read += part.read;
        line.skipped_offsets += (part.next - part.start).unsigned_abs() - part.read;
        line.remaining += (part.end - part.next).max(0).unsigned_abs();
        line.partitions.push(PartitionReport {
            partition: part.partition,
            start: before_gap(&line.gaps, part.partition, part.start),
            next: part.next,
            end: part.end,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Kind, Topic};
    use crate::decode::{Decoded, Decoder};
    use crate::record::{DrainPlan, Progress, Record};
    use crate::report::{Status, TargetReport};
    use crate::target::Rebuild;
    use anyhow::anyhow;
    use std::sync::Barrier;

    enum End<'b> {
        Well,
        /// Ends once all others that wait here have begun.
        With(&'b Barrier),
        Fails,
        Panics,
    }

    impl Sink for End<'_> {
        fn progress(&self) -> Progress {
            Progress::default()
        }

        fn begin(&mut self, _: &DrainPlan, _: Option<Rebuild>) -> Result<()> {
            Ok(())
        }

        fn decoder(&self) -> Decoder {
            Decoder::default()
        }

        fn take_all(&mut self, _: &[Record<'_>], _: &[Decoded<'_>]) -> Result<()> {
            Ok(())
        }

        fn commit(&mut self, _: &Drained, _: &mut TopicReport) -> Result<()> {
            match self {
                End::Well => Ok(()),
                End::With(others) => {
                    others.wait();
                    Ok(())
                }
                End::Fails => Err(anyhow!("no")),
                End::Panics => panic!("a commit that panics, on purpose"),
            }
        }
    }

    fn read(bytes: u64) -> Result<ReadOutcome> {
        Ok(ReadOutcome {
            bytes,
            ..ReadOutcome::default()
        })
    }

    fn topic(number: usize) -> Topic {
        Topic::ad_hoc(&format!("topic-{number}"), Kind::Stream, None).unwrap()
    }

    #[test]
    fn each_ends_for_itself_and_in_its_turn() {
        let together = Barrier::new(AT_ONCE);
        let mut ends: Vec<_> = (0..AT_ONCE).map(|_| (End::With(&together), read(1))).collect();
        ends.extend([(End::Panics, read(1)), (End::Fails, read(1))]);
        ends.push((End::Well, Err(anyhow!("not read"))));
        ends.extend([(End::Well, read(BYTES_MAX + 1)), (End::Well, read(1))]);
        let topics: Vec<_> = (0..ends.len()).map(topic).collect();
        let ended = std::thread::scope(|scope| {
            let mut commits = Commits::new(scope);
            let mut ended = Vec::new();
            for (topic, (sink, outcome)) in topics.iter().zip(ends) {
                let line = TopicReport::new(&topic.name, Kind::Stream, TargetReport::None {});
                ended.extend(commits.add(Turn { topic, sink, line }, outcome, true));
                assert!(commits.under_way.len() <= AT_ONCE);
            }
            ended.extend(commits.rest());
            ended
        });
        let names: Vec<_> = ended.iter().map(|ended| ended.line.topic.clone()).collect();
        let wanted: Vec<_> = topics.iter().map(|topic| topic.name.clone()).collect();
        assert_eq!(names, wanted);
        let errors: Vec<_> = ended
            .iter()
            .filter_map(|ended| ended.line.error.as_ref().map(|error| error.what.as_str()))
            .collect();
        assert_eq!(errors, ["committing failed unexpectedly", "no", "not read"]);
        assert_eq!(ended[AT_ONCE].line.status, Status::Failed);
    }
}
