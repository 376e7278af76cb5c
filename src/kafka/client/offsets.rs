//! Where Kafka partitions begin and end.

use anyhow::{Context as _, Result};
use rdkafka::error::RDKafkaErrorCode;
use std::collections::{BTreeMap, BTreeSet};

use super::admin::{EachEntry, OffsetSpec, TopicPartition};
use super::fault::KafkaFault;
use super::patience::Wait;
use super::{Client, TopicList};
use crate::kafka::plan::PartitionOffsets;
use crate::problem::{Problem, ProblemSubject, regarding};

/// Topic name -> the offsets of its Kafka partitions, or why Kafka doesn't give all of them.
pub type TopicOffsets = BTreeMap<String, Result<Vec<PartitionOffsets>, Problem>>;

impl Client {
    /// Where the Kafka partitions of these topics begin and end now.
    ///
    /// # Errors
    /// Kafka answers nothing at all. What it doesn't say of one topic is that topic's problem.
    pub fn offsets(&self, topics: &TopicList) -> Result<TopicOffsets> {
        let unknown = |&partition: &i32| PartitionOffsets {
            partition,
            low: 0,
            stable_end: 0,
            high: 0,
        };
        let entries = topics.iter();
        let mut found: TopicOffsets = entries
            .map(|(topic, ids)| (topic.clone(), Ok(ids.iter().map(unknown).collect())))
            .collect();
        // A cluster that is not ready is waited for once, not with each question.
        let mut wait = self.patience.wait();
        self.ask_of_each(&mut found, &mut wait, OffsetSpec::Latest, |at, offset| {
            at.high = offset
        })?;
        self.ask_of_each(&mut found, &mut wait, OffsetSpec::LatestStable, |at, offset| {
            at.stable_end = offset;
        })?;
        // The low watermark comes last: then the plan, not the read, notices records that were deleted meanwhile.
        self.ask_of_each(&mut found, &mut wait, OffsetSpec::Earliest, |at, offset| {
            at.low = offset;
            // The high watermark was asked for before the stable end, and may lie below it.
            at.stable_end = at.stable_end.max(offset);
            at.high = at.high.max(at.stable_end);
        })?;
        Ok(found)
    }

    /// Asks for one end of all topics that have no problem yet, and puts it in place.
    fn ask_of_each(
        &self,
        topics: &mut TopicOffsets,
        wait: &mut Wait<'_>,
        spec: OffsetSpec,
        put: fn(&mut PartitionOffsets, i64),
    ) -> Result<()> {
        let well = topics
            .iter()
            .filter_map(|(topic, offsets)| Some((topic, offsets.as_ref().ok()?)));
        let asked: Vec<TopicPartition> = well
            .flat_map(|(topic, offsets)| offsets.iter().map(|at| (topic.clone(), at.partition)))
            .collect();
        let found = self
            .ask_leaders(&asked, spec, wait)
            .map_err(|fault| self.explain(&fault))
            .with_context(|| format!("asking {} for offsets", self.brokers))?;
        for (topic, offsets) in topics {
            let Ok(all) = offsets else { continue };
            let each = all.iter_mut().try_for_each(|at| {
                let place = (topic.clone(), at.partition);
                put(at, self.offset_at(&place, found.get(&place))?);
                anyhow::Ok(())
            });
            if let Err(error) = each {
                *offsets = Err(Problem::of(&error));
            }
        }
        Ok(())
    }

    /// Where read_committed ends in a Kafka partition now.
    pub(in crate::kafka) fn stable_end(&self, at: &TopicPartition) -> Result<i64> {
        let one = std::slice::from_ref(at);
        let ends = self
            .ask_leaders(one, OffsetSpec::LatestStable, &mut self.patience.wait())
            .map_err(|fault| self.explain(&fault))?;
        self.offset_at(at, ends.get(at))
    }

    fn ask_leaders(
        &self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
        wait: &mut Wait<'_>,
    ) -> EachEntry<TopicPartition, i64> {
        let mut leaderless = BTreeSet::<String>::new();
        wait.ask_each(|left| {
            // librdkafka would take them for leaderless for minutes: only this shows it a new leader.
            for topic in &leaderless {
                self.metadata(Some(topic), left)?;
            }
            let found = self.admin(left).offsets(partitions, spec)?;
            let faults = found
                .iter()
                .filter_map(|(at, offset)| Some((at, offset.as_ref().err()?)));
            leaderless = faults
                .filter(|(_, fault)| fault.is(RDKafkaErrorCode::LeaderNotAvailable))
                .map(|((topic, _), _)| topic.clone())
                .collect();
            Ok(found)
        })
    }

    fn offset_at(
        &self,
        (topic, partition): &TopicPartition,
        answer: Option<&Result<i64, KafkaFault>>,
    ) -> Result<i64> {
        match answer {
            Some(Ok(offset)) => Ok(*offset),
            Some(Err(fault)) => Err(self.explain(fault)),
            None => Problem::new("the broker gave no offset").err(),
        }
        .map_err(|error| regarding(ProblemSubject::partition(topic, *partition), error))
    }
}
