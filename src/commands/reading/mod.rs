//! What readers of the lake ask: how a topic is read, and which files it has.

pub(super) mod files;
pub(super) mod schema;
