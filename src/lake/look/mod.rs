//! The lake looked at, and not touched: verified, counted, listed.

pub(super) mod listing;
pub(super) mod status;
pub(super) mod verify;
