//! Deletions: rows beyond their retention are purged, and persons are erased on request.

pub(super) mod erase;
pub(super) mod purge;
mod reject_search;
pub(super) mod retention;
pub(super) mod subject_sql;
