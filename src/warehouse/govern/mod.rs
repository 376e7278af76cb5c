//! What must go: rows by retention, persons by request.

pub(super) mod cutoffs;
pub(super) mod erase;
pub(super) mod erased_list;
pub(super) mod purge;
pub(super) mod retention;
pub(super) mod subject_sql;
