//! Calls of librdkafka that the rdkafka crate doesn't offer: topic ids, offsets of many Kafka partitions at once, topic
//! settings, and writing a group's offsets with a deadline. They use the consumer's connections.
//!
//! Unsafe, as librdkafka is C. Guards (`native.rs`) free every pointer that it gives, and everything that leaves this
//! module is owned.
#![allow(unsafe_code)]

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::time::Duration;

use super::fault::KafkaFault;
use super::native::{AdminOptions, PartitionList, Queue, fault_of, fault_of_code, known_id, owned, slice};
use super::settings::TopicSettings;
use crate::stop::Stop;

/// The longest time that librdkafka takes for one question.
const PAST_THE_RUN: Duration = Duration::from_secs(3600);

/// A Kafka partition of a topic.
pub(in crate::kafka) type TopicPartition = (String, i32);

/// The answer to a question about many entries: it may fail as a whole, or for single entries.
pub(in crate::kafka) type EachEntry<K, V> = Result<BTreeMap<K, Result<V, KafkaFault>>, KafkaFault>;

/// Which offset of a Kafka partition is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kafka) enum OffsetSpec {
    /// The low watermark.
    Earliest,
    /// The last stable offset: where read_committed ends.
    LatestStable,
    /// The high watermark.
    Latest,
}

/// A client that outlives every call made through it.
#[derive(Debug, Clone, Copy)]
pub(in crate::kafka) struct Admin<'s> {
    pub(super) client: *mut rd::rd_kafka_t,
    pub(super) timeout: Duration,
    pub(super) stop: &'s Stop,
}

impl<'s> Admin<'s> {
    /// `client` must outlive this value, which is made from the consumer for each use.
    pub(in crate::kafka) fn new(client: *mut rd::rd_kafka_t, timeout: Duration, stop: &'s Stop) -> Self {
        Admin {
            client,
            timeout,
            stop,
        }
    }

    /// Topic name -> topic id in base64; None if the broker has no ids (before Kafka 2.8).
    pub(in crate::kafka) fn topic_ids(self, topics: &[String]) -> EachEntry<String, Option<String>> {
        let names: Vec<CString> = topics
            .iter()
            .map(|t| CString::new(t.as_str()))
            .collect::<Result<_, _>>()?;
        let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
        let queue = Queue::new(self.client);
        let options = AdminOptions::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS)?;
        // SAFETY: names and pointers outlive the call, which copies them; the collection is freed right after it.
        unsafe {
            let collection =
                rd::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len());
            rd::rd_kafka_DescribeTopics(self.client, collection, options.0, queue.0);
            rd::rd_kafka_TopicCollection_destroy(collection);
        }
        let event = queue.wait(self)?;
        let mut ids = BTreeMap::new();
        // SAFETY: all pointers below belong to the event, which lives to the end of this function.
        unsafe {
            let result = rd::rd_kafka_event_DescribeTopics_result(event.0);
            let mut count = 0;
            let described = rd::rd_kafka_DescribeTopics_result_topics(result, &mut count);
            for &topic in slice(described, count) {
                let name = owned(rd::rd_kafka_TopicDescription_name(topic));
                let id = match fault_of(rd::rd_kafka_TopicDescription_error(topic)) {
                    None => Ok(known_id(rd::rd_kafka_TopicDescription_topic_id(topic))),
                    Some(fault) => Err(fault),
                };
                ids.insert(name, id);
            }
        }
        Ok(ids)
    }

    /// One offset of each Kafka partition, or why there is none.
    pub(in crate::kafka) fn offsets(
        self,
        partitions: &[TopicPartition],
        spec: OffsetSpec,
    ) -> EachEntry<TopicPartition, i64> {
        if partitions.is_empty() {
            return Ok(BTreeMap::new());
        }
        let queue = Queue::new(self.client);
        let options = AdminOptions::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_LISTOFFSETS)?;
        options.isolation(spec != OffsetSpec::Latest);
        let list = PartitionList::new(partitions.len());
        let asked_for = match spec {
            OffsetSpec::Earliest => -2,
            OffsetSpec::LatestStable | OffsetSpec::Latest => -1,
        };
        for (topic, partition) in partitions {
            list.add(topic, *partition, asked_for)?;
        }
        // SAFETY: the list is copied by the call.
        unsafe { rd::rd_kafka_ListOffsets(self.client, list.0, options.0, queue.0) };
        let event = match queue.wait(self) {
            // librdkafka's words for it: none of them has a leader.
            Err(fault) if fault.is(RDKafkaErrorCode::NoEnt) => {
                let leaderless = KafkaFault::of(RDKafkaErrorCode::LeaderNotAvailable);
                return Ok(partitions
                    .iter()
                    .map(|at| (at.clone(), Err(leaderless.clone())))
                    .collect());
            }
            answer => answer?,
        };
        let mut found = BTreeMap::new();
        // SAFETY: all pointers below belong to the event, which lives to the end of this function.
        unsafe {
            let result = rd::rd_kafka_event_ListOffsets_result(event.0);
            let mut count = 0;
            let infos = rd::rd_kafka_ListOffsets_result_infos(result, &mut count);
            for &info in slice(infos, count) {
                let entry = &*rd::rd_kafka_ListOffsetsResultInfo_topic_partition(info);
                let (topic, partition) = (owned(entry.topic), entry.partition);
                let offset = match fault_of_code(entry.err) {
                    // librdkafka leaves it like this where the leader gave no answer.
                    None if entry.offset < 0 => Err(KafkaFault::new(
                        RDKafkaErrorCode::OperationTimedOut,
                        "its leader gives no answer",
                    )),
                    None => Ok(entry.offset),
                    Some(fault) => Err(fault),
                };
                found.insert((topic, partition), offset);
            }
        }
        Ok(found)
    }

    /// The settings of each topic, or the broker's error for it.
    pub(in crate::kafka) fn topic_settings(self, topics: &[String]) -> EachEntry<String, TopicSettings> {
        let names: Vec<CString> = topics
            .iter()
            .map(|topic| CString::new(topic.as_str()))
            .collect::<Result<_, _>>()?;
        let queue = Queue::new(self.client);
        let options = AdminOptions::new(self, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS)?;
        // SAFETY: the resources are copied by the call and freed right after it.
        unsafe {
            let kind = rd::rd_kafka_ResourceType_t::RD_KAFKA_RESOURCE_TOPIC;
            let mut resources: Vec<_> = names
                .iter()
                .map(|name| rd::rd_kafka_ConfigResource_new(kind, name.as_ptr()))
                .collect();
            rd::rd_kafka_DescribeConfigs(
                self.client,
                resources.as_mut_ptr(),
                resources.len(),
                options.0,
                queue.0,
            );
            rd::rd_kafka_ConfigResource_destroy_array(resources.as_mut_ptr(), resources.len());
        }
        let event = queue.wait(self)?;
        let mut found = BTreeMap::new();
        // SAFETY: all pointers below belong to the event, which lives to the end of this function.
        unsafe {
            let result = rd::rd_kafka_event_DescribeConfigs_result(event.0);
            let mut count = 0;
            let resources = rd::rd_kafka_DescribeConfigs_result_resources(result, &mut count);
            for &resource in slice(resources, count) {
                let name = owned(rd::rd_kafka_ConfigResource_name(resource));
                found.insert(name, settings_of(resource));
            }
        }
        Ok(found)
    }
}

/// # Safety
/// `resource` is one of a result that lives through the call.
unsafe fn settings_of(resource: *const rd::rd_kafka_ConfigResource_t) -> Result<TopicSettings, KafkaFault> {
    let mut told = BTreeMap::new();
    // SAFETY: entries and their texts belong to the resource.
    unsafe {
        if let Some(fault) = fault_of_code(rd::rd_kafka_ConfigResource_error(resource)) {
            return Err(fault.at(&owned(rd::rd_kafka_ConfigResource_error_string(resource))));
        }
        let mut count = 0;
        let entries = rd::rd_kafka_ConfigResource_configs(resource, &mut count);
        for &entry in slice(entries, count) {
            let value = rd::rd_kafka_ConfigEntry_value(entry);
            if !value.is_null() {
                told.insert(owned(rd::rd_kafka_ConfigEntry_name(entry)), owned(value));
            }
        }
    }
    TopicSettings::of(&told).map_err(KafkaFault::lasting)
}

impl Admin<'_> {
    /// Writes the offsets of a group that has no members. Unlike the consumer's own commit, this ends in time even if the
    /// broker never answers, and closing the consumer does not wait for it.
    pub(in crate::kafka) fn commit(
        self,
        group: &str,
        offsets: &[(String, i32, i64)],
    ) -> Result<(), KafkaFault> {
        let group = CString::new(group)?;
        let queue = Queue::new(self.client);
        // If librdkafka gives up before the coordinator is found, it aborts the process once that is (librdkafka #4605).
        let patient = Admin {
            timeout: PAST_THE_RUN,
            ..self
        };
        let options = AdminOptions::new(
            patient,
            rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS,
        )?;
        let list = PartitionList::new(offsets.len());
        for (topic, partition, offset) in offsets {
            list.add(topic, *partition, *offset)?;
        }
        // SAFETY: group and list are copied into the request, which is copied by the call and freed right after it.
        unsafe {
            let mut request = rd::rd_kafka_AlterConsumerGroupOffsets_new(group.as_ptr(), list.0);
            rd::rd_kafka_AlterConsumerGroupOffsets(self.client, &mut request, 1, options.0, queue.0);
            rd::rd_kafka_AlterConsumerGroupOffsets_destroy(request);
        }
        let event = queue.wait(self)?;
        // SAFETY: all pointers below belong to the event, which lives to the end of this function.
        unsafe {
            let result = rd::rd_kafka_event_AlterConsumerGroupOffsets_result(event.0);
            let mut count = 0;
            let groups = rd::rd_kafka_AlterConsumerGroupOffsets_result_groups(result, &mut count);
            for &group in slice(groups, count) {
                if let Some(fault) = fault_of(rd::rd_kafka_group_result_error(group)) {
                    return Err(fault);
                }
                let Some(list) = rd::rd_kafka_group_result_partitions(group).as_ref() else {
                    continue;
                };
                for entry in slice(list.elems, usize::try_from(list.cnt).unwrap_or(0)) {
                    if let Some(fault) = fault_of_code(entry.err) {
                        let place =
                            format!("topic {} Kafka partition {}", owned(entry.topic), entry.partition);
                        return Err(fault.at(&place));
                    }
                }
            }
        }
        Ok(())
    }
}
