//! The lake, read and not changed: verify, status, list.

pub(super) mod listing;
pub(super) mod status;
pub(super) mod verify;
