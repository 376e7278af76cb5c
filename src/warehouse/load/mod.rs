//! Records become rows: batches keep the newest change per key, and a transaction loads them.

pub(super) mod apply_changes;
pub(super) mod batch;
pub(super) mod cutoffs;
pub(super) mod erased_list;
pub(super) mod first_drain;
pub(super) mod own_tables;
pub(super) mod progress;
pub(super) mod read_record;
pub(super) mod rebuild;
pub(super) mod rejects;
pub(super) mod table_sink;
pub(super) mod transaction;
pub(super) mod unfilled;
