//! What must go: whole days by retention, persons by request.

pub(super) mod erase;
pub(super) mod erased_list;
pub(super) mod found;
pub(super) mod purge;
