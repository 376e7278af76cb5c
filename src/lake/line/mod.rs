//! One record as one line of JSON, written and read back.

pub(super) mod decode;
pub mod encode;
pub(super) mod head;
