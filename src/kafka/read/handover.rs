//! Hands records from the thread that polls to the thread that takes them, so that neither waits for the other's work:
//! checking, compressing and writing go on while the next records arrive.

use anyhow::Result;
use rdkafka::message::{BorrowedMessage, Message};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use super::native_headers;
use crate::memory::prefetch::fetch;
use crate::problem::Problem;
use crate::record::{Coordinates, LastRecord, Record};

/// Bytes of records in one batch. One batch is filled while another is taken, and none waits between them, so that a topic
/// of very large records needs no more memory.
const BATCH_BYTES: usize = 1024 * 1024;
/// Records in one batch, so that batches of empty records end too.
const BATCH_RECORDS: usize = 4_000;
/// Records that are taken together: few enough to stay in the processor's cache.
const TOGETHER: usize = 16;

/// The side that polls.
pub(in crate::kafka) struct Giver<'m> {
    batch: Vec<BorrowedMessage<'m>>,
    bytes: usize,
    to: SyncSender<Vec<BorrowedMessage<'m>>>,
    done: Receiver<Vec<BorrowedMessage<'m>>>,
}

/// The side that takes.
pub(in crate::kafka) struct Taker<'m> {
    with_headers: bool,
    from: Receiver<Vec<BorrowedMessage<'m>>>,
    /// Taken messages go back to the side that polls, which has more time to free them.
    done: Sender<Vec<BorrowedMessage<'m>>>,
}

/// The side that takes has failed; joining it returns the error.
#[derive(Debug)]
pub(in crate::kafka) struct SinkEnded;

pub(in crate::kafka) fn pair<'m>(with_headers: bool) -> (Giver<'m>, Taker<'m>) {
    let (to, from) = sync_channel(0);
    let (give_back, done) = channel();
    let giver = Giver {
        batch: Vec::new(),
        bytes: 0,
        to,
        done,
    };
    let taker = Taker {
        with_headers,
        from,
        done: give_back,
    };
    (giver, taker)
}

impl<'m> Giver<'m> {
    pub(in crate::kafka) fn give(&mut self, message: BorrowedMessage<'m>) -> Result<(), SinkEnded> {
        self.bytes += message.payload_len() + message.key_len();
        self.batch.push(message);
        if self.bytes >= BATCH_BYTES || self.batch.len() >= BATCH_RECORDS {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Hands the batch over.
    pub(in crate::kafka) fn flush(&mut self) -> Result<(), SinkEnded> {
        self.bytes = 0;
        let handed_over = if self.batch.is_empty() {
            Ok(())
        } else {
            self.to.send(std::mem::take(&mut self.batch))
        };
        // The previous batch has come back: free it, so that it is not in memory beside the next.
        self.done.try_iter().for_each(drop);
        handed_over.map_err(|_| SinkEnded)
    }
}

impl Taker<'_> {
    /// Takes all records until the other side ends.
    ///
    /// # Errors
    /// The error of `take`; after it the other side can hand nothing over.
    pub(in crate::kafka) fn run(self, take: &mut dyn FnMut(&[Record<'_>]) -> Result<()>) -> Result<()> {
        for mut batch in self.from {
            let mut records = Vec::with_capacity(TOGETHER.min(batch.len()));
            for messages in batch.chunks(TOGETHER) {
                messages.iter().for_each(fetch_parts);
                records.extend(messages.iter().map(|message| record(message, self.with_headers)));
                take(&records)?;
                records.clear();
            }
            // Only the last message can be large, so it is freed here; so are all if the polling side has ended.
            batch.pop();
            let _ = self.done.send(batch);
        }
        Ok(())
    }
}

/// Fetches a message into the processor's cache. Its headers, which come last, are read first.
fn fetch_parts(message: &BorrowedMessage<'_>) {
    for part in message.key().into_iter().chain(message.payload()) {
        fetch(part);
        fetch(&part[part.len().saturating_sub(1)..]);
    }
}

fn record<'a>(message: &'a BorrowedMessage<'_>, with_headers: bool) -> Record<'a> {
    Record {
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: timestamp_ms(message),
        key: message.key(),
        value: message.payload(),
        headers: if with_headers {
            native_headers::of(message)
        } else {
            Vec::new()
        },
    }
}

/// A record as the last one of its Kafka partition.
pub(in crate::kafka) fn as_last(message: &BorrowedMessage<'_>) -> LastRecord {
    let at = Coordinates {
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: timestamp_ms(message),
    };
    LastRecord::of(at, message.key(), message.payload())
}

/// Milliseconds since 1970; -1 where the record has none.
pub(in crate::kafka) fn timestamp_ms(message: &BorrowedMessage<'_>) -> i64 {
    message.timestamp().to_millis().unwrap_or(-1)
}

/// The result of the thread, or an error if it panicked, which no input should cause.
pub(in crate::kafka) fn join(thread: std::thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    thread.join().unwrap_or_else(|_| {
        Problem::new("polling Kafka failed unexpectedly")
            .fix("please report it")
            .err()
    })
}
