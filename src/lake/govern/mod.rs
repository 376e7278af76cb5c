//! Removing data: purging whole days by retention, erasing persons on request.

pub(super) mod erase;
pub(super) mod erased_list;
pub(super) mod found;
pub(super) mod purge;
