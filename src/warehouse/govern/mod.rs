//! What must go: rows by retention, persons by request.

pub(super) mod erase;
pub(super) mod purge;
pub(super) mod retention;
pub(super) mod subject_sql;
