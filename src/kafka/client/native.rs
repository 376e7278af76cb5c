//! Guards around librdkafka's pointers: each frees what it holds once. Texts and errors leave this file as owned values.
#![allow(unsafe_code)]

use rdkafka::bindings as rd;
use std::ffi::{CStr, CString, c_char};

use super::admin::Admin;
use super::fault::KafkaFault;
use super::patience::deadline;

pub(super) struct Queue(pub(super) *mut rd::rd_kafka_queue_t);

impl Queue {
    pub(super) fn new(client: *mut rd::rd_kafka_t) -> Self {
        // SAFETY: the client is alive; the queue is freed on drop.
        Queue(unsafe { rd::rd_kafka_queue_new(client) })
    }

    /// Waits for the answer; after a signal only a short time.
    pub(super) fn wait(&self, admin: Admin<'_>) -> Result<Event, KafkaFault> {
        let mut deadline = deadline(admin.timeout);
        loop {
            let step = deadline.step(admin.stop);
            let millis = i32::try_from(step.as_millis()).unwrap_or(i32::MAX);
            // SAFETY: the queue is alive; the event is freed on drop.
            let event = Event(unsafe { rd::rd_kafka_queue_poll(self.0, millis) });
            if event.0.is_null() {
                if step.is_zero() {
                    return Err(KafkaFault::no_answer());
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

pub(super) struct Event(pub(super) *mut rd::rd_kafka_event_t);

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: from rd_kafka_queue_poll (or null, which is allowed), destroyed once.
        unsafe { rd::rd_kafka_event_destroy(self.0) }
    }
}

pub(super) struct AdminOptions(pub(super) *mut rd::rd_kafka_AdminOptions_t);

impl AdminOptions {
    pub(super) fn new(admin: Admin<'_>, operation: rd::rd_kafka_admin_op_t) -> Result<Self, KafkaFault> {
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

    pub(super) fn isolation(&self, committed: bool) {
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

pub(super) struct PartitionList(pub(super) *mut rd::rd_kafka_topic_partition_list_t);

impl PartitionList {
    pub(super) fn new(size: usize) -> Self {
        // SAFETY: freed on drop.
        PartitionList(unsafe { rd::rd_kafka_topic_partition_list_new(i32::try_from(size).unwrap_or(0)) })
    }

    pub(super) fn add(&self, topic: &str, partition: i32, offset: i64) -> Result<(), KafkaFault> {
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
pub(super) unsafe fn fault_of(error: *const rd::rd_kafka_error_t) -> Option<KafkaFault> {
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

pub(super) fn fault_of_code(code: rd::rd_kafka_resp_err_t) -> Option<KafkaFault> {
    match code {
        rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR => None,
        // SAFETY: its texts are static.
        code => Some(KafkaFault::new(code.into(), unsafe {
            owned(rd::rd_kafka_err2str(code))
        })),
    }
}

/// The id in base64; None for the zero id, with which brokers without ids answer.
///
/// # Safety
/// `id` is null or one that lives through the call.
pub(super) unsafe fn known_id(id: *const rd::rd_kafka_Uuid_t) -> Option<String> {
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
pub(super) unsafe fn owned(text: *const c_char) -> String {
    if text.is_null() {
        String::new()
    } else {
        unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
    }
}

/// # Safety
/// `first` is null or points to `count` elements that live as long as the result is used.
pub(super) unsafe fn slice<'a, T>(first: *mut T, count: usize) -> &'a [T] {
    if first.is_null() {
        &[]
    } else {
        unsafe { std::slice::from_raw_parts(first, count) }
    }
}
