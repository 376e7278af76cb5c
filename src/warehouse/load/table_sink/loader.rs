//! The loader writes batches: in its caller's thread, or in one of its own while the next records are taken.

use anyhow::{Context, Result};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::problem::unexpected;
use crate::record::Progress;
use crate::warehouse::load::batch::Batch;
use crate::warehouse::load::cutoffs::Cutoffs;
use crate::warehouse::load::read_record::RowReader;
use crate::warehouse::load::rebuild::TableRebuild;
use crate::warehouse::load::transaction::{Landed, Work, Written};
use crate::warehouse::server::locked_session::Link;
use crate::warehouse::table::target::TargetTable;

/// The session of a load, and what fills its statements.
pub(in crate::warehouse::load::table_sink) struct Loader {
    pub(in crate::warehouse::load::table_sink) topic: String,
    pub(in crate::warehouse::load::table_sink) table: Arc<TargetTable>,
    pub(in crate::warehouse::load::table_sink) link: Link,
    /// The loader's own: the sink's reader reads new records at the same time.
    pub(in crate::warehouse::load::table_sink) reader: RowReader,
    pub(in crate::warehouse::load::table_sink) patience: Duration,
}

/// What one transaction is to write: a batch, and the progress before and after it.
pub(in crate::warehouse::load::table_sink) struct Parcel {
    pub(in crate::warehouse::load::table_sink) batch: Batch,
    pub(in crate::warehouse::load::table_sink) before: Progress,
    pub(in crate::warehouse::load::table_sink) after: Progress,
    pub(in crate::warehouse::load::table_sink) cutoffs: Cutoffs,
    pub(in crate::warehouse::load::table_sink) persons_listed: usize,
    pub(in crate::warehouse::load::table_sink) notes_keys: bool,
}

impl Loader {
    /// Runs the transaction and commits it.
    pub(in crate::warehouse::load::table_sink) fn load(
        &mut self,
        parcel: &Parcel,
        rebuild: Option<&mut TableRebuild>,
    ) -> Result<Written> {
        let table = Arc::clone(&self.table);
        let work = parcel.work(&table, &self.topic, self.patience);
        work.run(&mut self.link, &mut self.reader, rebuild)
    }

    /// Writes into a rebuild's transaction and leaves it open.
    pub(in crate::warehouse::load::table_sink) fn spill(
        &mut self,
        parcel: &Parcel,
        rebuild: &mut TableRebuild,
    ) -> Result<Landed> {
        let table = Arc::clone(&self.table);
        let work = parcel.work(&table, &self.topic, self.patience);
        work.spill(&mut self.link, &mut self.reader, rebuild)
    }
}

impl Parcel {
    fn work<'a>(&'a self, table: &'a TargetTable, topic: &'a str, patience: Duration) -> Work<'a> {
        Work {
            table,
            topic,
            batch: &self.batch,
            before: &self.before,
            after: &self.after,
            cutoffs: &self.cutoffs,
            persons_listed: self.persons_listed,
            notes_keys: self.notes_keys,
            patience,
        }
    }
}

/// What a transaction committed, and the progress it recorded.
type Loaded = Result<(Landed, Progress)>;

/// Where the loader is: here, or in a thread that writes.
pub(in crate::warehouse::load::table_sink) enum Seat {
    Here(Box<Loader>),
    Away {
        thread: JoinHandle<(Box<Loader>, Loaded)>,
        /// Memory of the batch that it writes.
        bytes: usize,
    },
    /// Its thread panicked or could not be started.
    Lost,
}

impl Seat {
    /// Memory of the batch that the thread writes, in bytes.
    pub(in crate::warehouse::load::table_sink) fn bytes_away(&self) -> usize {
        match self {
            Seat::Away { bytes, .. } => *bytes,
            Seat::Here(_) | Seat::Lost => 0,
        }
    }

    pub(in crate::warehouse::load::table_sink) fn here(&mut self) -> Result<&mut Loader> {
        match self {
            Seat::Here(loader) => Ok(loader),
            Seat::Away { .. } | Seat::Lost => Err(unexpected("the loader is away")),
        }
    }

    /// Starts a thread that runs the transaction.
    pub(in crate::warehouse::load::table_sink) fn send(&mut self, parcel: Parcel) -> Result<()> {
        let Seat::Here(mut loader) = std::mem::replace(self, Seat::Lost) else {
            return self.here().map(drop);
        };
        let bytes = parcel.batch.bytes();
        let load = move || {
            let written = loader.load(&parcel, None);
            (loader, written.map(|written| (written.landed, parcel.after)))
        };
        let thread = std::thread::Builder::new()
            .name("load".to_owned())
            .spawn(load)
            .context("starting a thread")?;
        *self = Seat::Away { thread, bytes };
        Ok(())
    }

    /// Waits for the thread's transaction, if there is one. Returns what it committed and the progress it recorded.
    pub(in crate::warehouse::load::table_sink) fn wait(&mut self) -> Result<Option<(Landed, Progress)>> {
        match std::mem::replace(self, Seat::Lost) {
            Seat::Away { thread, .. } => {
                let (loader, landed) = thread
                    .join()
                    .map_err(|_| unexpected("writing failed unexpectedly"))?;
                *self = Seat::Here(loader);
                landed.map(Some)
            }
            seat => {
                *self = seat;
                Ok(None)
            }
        }
    }
}
