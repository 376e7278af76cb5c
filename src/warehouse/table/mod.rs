//! The target table: its columns, and which of a record's fields fill them.

pub(super) mod column;
pub(super) mod key_fields;
pub(super) mod mapping;
pub(super) mod target;
