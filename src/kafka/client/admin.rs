//! What librdkafka can do but the rdkafka crate doesn't pass on: topic ids, offsets of many Kafka partitions at once,
//! topic settings, and a group's offsets written with a deadline, over the consumer's own connections.
//!
//! The only unsafe code of the program. Every pointer taken from librdkafka is freed by a guard,
//! and everything that leaves this module is owned.
#![allow(unsafe_code)]

use rdkafka::bindings as rd;
use rdkafka::error::RDKafkaErrorCode;
use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char};
use std::time::{Duration, Instant};

use super::fault::KafkaFault;
use super::patience::HURRIED_TIMEOUT;
use super::settings::TopicSettings;
use crate::stop::Stop;

/// A Kafka partition of a topic.
pub(in crate::kafka) type TopicPartition = (String, i32);

/// What was asked of many at once: the question may fail as a whole, and for each of them.
pub(in crate::kafka) type EachEntry<K, V> = Result<BTreeMap<K, Result<V, KafkaFault>>, KafkaFault>;

/// How often a wait looks whether a signal came.
const TICK: Duration = Duration::from_millis(200);

/// Which end of a Kafka partition is asked for.
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
    client: *mut rd::rd_kafka_t,
    timeout: Duration,
    stop: &'s Stop,
}

impl<'s> Admin<'s> {
    /// `client` must stay alive as long as this value: it is made anew from the consumer for each use.
    pub(in crate::kafka) fn new(client: *mut rd::rd_kafka_t, timeout: Duration, stop: &'s Stop) -> Self {
        Admin {
            client,
            timeout,
            stop,
        }
    }

    /// Topic name -> topic id in base64; none where the broker has no ids to give (before Kafka 2.8).
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

    /// One end of many Kafka partitions; those that the broker gives an error for come with it.
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
        // Where it finds no leader for any of them, librdkafka has no more to say than that there is no such entry.
        let event = queue.wait(self).map_err(|fault| {
            if fault.is(RDKafkaErrorCode::NoEnt) {
                fault.with_code(RDKafkaErrorCode::LeaderNotAvailable)
            } else {
                fault
            }
        })?;
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
                    None => Ok(entry.offset),
                    Some(fault) => Err(fault),
                };
                found.insert((topic, partition), offset);
            }
        }
        Ok(found)
    }

    /// The settings of topics; those that the broker gives an error for come with it.
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
    /// Writes the offsets of a group that has no members. Unlike the consumer's own commit it ends in time, also where
    /// the broker never answers, and leaves nothing that closing the consumer would wait for.
    pub(in crate::kafka) fn commit(
        self,
        group: &str,
        offsets: &[(String, i32, i64)],
    ) -> Result<(), KafkaFault> {
        let group = CString::new(group)?;
        let queue = Queue::new(self.client);
        let options = AdminOptions::new(
            self,
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

struct Queue(*mut rd::rd_kafka_queue_t);

impl Queue {
    fn new(client: *mut rd::rd_kafka_t) -> Self {
        // SAFETY: the client is alive; the queue is freed on drop.
        Queue(unsafe { rd::rd_kafka_queue_new(client) })
    }

    /// Once a signal has come, an answer is not waited for long.
    fn wait(&self, admin: Admin<'_>) -> Result<Event, KafkaFault> {
        let mut deadline = Instant::now() + admin.timeout;
        let mut is_hurried = false;
        loop {
            if !is_hurried && admin.stop.signal().is_some() {
                is_hurried = true;
                deadline = deadline.min(Instant::now() + HURRIED_TIMEOUT);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let millis = i32::try_from(left.min(TICK).as_millis()).unwrap_or(i32::MAX);
            // SAFETY: the queue is alive; the event is freed on drop.
            let event = Event(unsafe { rd::rd_kafka_queue_poll(self.0, millis) });
            if event.0.is_null() {
                if left.is_zero() {
                    return Err(KafkaFault::new(
                        RDKafkaErrorCode::OperationTimedOut,
                        "no answer in time",
                    ));
                }
                continue;
            }
            // SAFETY: the event is alive; its error string belongs to it.
            return unsafe {
                match rd::rd_kafka_event_error(event.0) {
                    rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(event),
                    code => Err(KafkaFault::new(
                        code.into(),
                        owned(rd::rd_kafka_event_error_string(event.0)),
                    )),
                }
            };
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: made by rd_kafka_queue_new, destroyed once.
        unsafe { rd::rd_kafka_queue_destroy(self.0) }
    }
}

struct Event(*mut rd::rd_kafka_event_t);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: from rd_kafka_queue_poll (or null, which is allowed), destroyed once.
        unsafe { rd::rd_kafka_event_destroy(self.0) }
    }
}

struct AdminOptions(*mut rd::rd_kafka_AdminOptions_t);

impl AdminOptions {
    fn new(admin: Admin<'_>, operation: rd::rd_kafka_admin_op_t) -> Result<Self, KafkaFault> {
        // SAFETY: the client is alive; the options are freed on drop; the buffer is as long as it says.
        unsafe {
            let options = AdminOptions(rd::rd_kafka_AdminOptions_new(admin.client, operation));
            let millis = i32::try_from(admin.timeout.as_millis()).unwrap_or(i32::MAX);
            let mut text = [0 as c_char; 256];
            match rd::rd_kafka_AdminOptions_set_request_timeout(
                options.0,
                millis,
                text.as_mut_ptr(),
                text.len(),
            ) {
                rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => Ok(options),
                _ => Err(KafkaFault::lasting(owned(text.as_ptr()))),
            }
        }
    }

    fn isolation(&self, committed: bool) {
        let level = if committed {
            rd::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_COMMITTED
        } else {
            rd::rd_kafka_IsolationLevel_t::RD_KAFKA_ISOLATION_LEVEL_READ_UNCOMMITTED
        };
        // SAFETY: the options are alive; an error (or null, which is allowed) is freed at once.
        unsafe { rd::rd_kafka_error_destroy(rd::rd_kafka_AdminOptions_set_isolation_level(self.0, level)) }
    }
}

impl Drop for AdminOptions {
    fn drop(&mut self) {
        // SAFETY: made by rd_kafka_AdminOptions_new, destroyed once.
        unsafe { rd::rd_kafka_AdminOptions_destroy(self.0) }
    }
}

struct PartitionList(*mut rd::rd_kafka_topic_partition_list_t);

impl PartitionList {
    fn new(size: usize) -> Self {
        // SAFETY: freed on drop.
        PartitionList(unsafe { rd::rd_kafka_topic_partition_list_new(i32::try_from(size).unwrap_or(0)) })
    }

    fn add(&self, topic: &str, partition: i32, offset: i64) -> Result<(), KafkaFault> {
        let topic = CString::new(topic)?;
        // SAFETY: the name is copied; the entry that is returned belongs to the list.
        unsafe {
            let entry = rd::rd_kafka_topic_partition_list_add(self.0, topic.as_ptr(), partition);
            (*entry).offset = offset;
        }
        Ok(())
    }
}

impl Drop for PartitionList {
    fn drop(&mut self) {
        // SAFETY: made by rd_kafka_topic_partition_list_new, destroyed once.
        unsafe { rd::rd_kafka_topic_partition_list_destroy(self.0) }
    }
}

/// # Safety
/// `error` is null or one that lives through the call.
unsafe fn fault_of(error: *const rd::rd_kafka_error_t) -> Option<KafkaFault> {
    if error.is_null() {
        return None;
    }
    // SAFETY: the caller's.
    let (code, text) = unsafe {
        (
            rd::rd_kafka_error_code(error),
            owned(rd::rd_kafka_error_string(error)),
        )
    };
    match code {
        rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => None,
        code => Some(KafkaFault::new(code.into(), text)),
    }
}

fn fault_of_code(code: rd::rd_kafka_resp_err_t) -> Option<KafkaFault> {
    match code {
        rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => None,
        // SAFETY: its texts are static.
        code => Some(KafkaFault::new(code.into(), unsafe {
            owned(rd::rd_kafka_err2str(code))
        })),
    }
}

/// A broker that knows no ids answers with the zero id.
///
/// # Safety
/// `id` is null or one that lives through the call.
unsafe fn known_id(id: *const rd::rd_kafka_Uuid_t) -> Option<String> {
    // SAFETY: the caller's; the text belongs to the id.
    unsafe {
        let is_zero = id.is_null()
            || (rd::rd_kafka_Uuid_most_significant_bits(id) == 0
                && rd::rd_kafka_Uuid_least_significant_bits(id) == 0);
        (!is_zero).then(|| owned(rd::rd_kafka_Uuid_base64str(id)))
    }
}

/// # Safety
/// `text` is null or a C string that lives through the call.
unsafe fn owned(text: *const c_char) -> String {
    if text.is_null() {
        String::new()
    } else {
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

/// # Safety
/// `first` is null or points to `count` elements that live as long as the result is used.
unsafe fn slice<'a, T>(first: *mut T, count: usize) -> &'a [T] {
    if first.is_null() {
        &[]
    } else {
        unsafe { std::slice::from_raw_parts(first, count) }
    }
}
