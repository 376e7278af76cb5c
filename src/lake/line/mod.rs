//! A record as a line of JSON, written and read back.

pub(super) mod decode;
pub mod encode;
pub(super) mod head;
