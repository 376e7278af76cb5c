//! A record as a line of JSON.

pub mod encode;
pub(super) mod head;
