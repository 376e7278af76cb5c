//! The target table: its columns, and the fields of a record that fill them.

pub(super) mod column;
pub(super) mod dependents;
pub(super) mod key_fields;
pub(super) mod mapping;
pub(super) mod target;
pub(super) mod triggers;
