//! The warehouse's schema, the account's rights, the order of loads, and dry loads.

pub(super) mod alter_column;
pub(super) mod drift;
pub(super) mod dry_load;
pub(super) mod init_db;
pub(super) mod load_order;
pub(super) mod migrations;
pub(super) mod propose;
pub(super) mod rights;
pub(super) mod schema_files;
pub(super) mod width;
