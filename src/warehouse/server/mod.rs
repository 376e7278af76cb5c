//! The MySQL or MariaDB server: connections, sessions, locks, and what its errors call for.

pub(super) mod connect;
pub(super) mod error_class;
pub(super) mod identifier;
pub(super) mod locked_session;
pub(super) mod replayed_session;
pub(super) mod session_variables;
pub(super) mod statement;
pub(super) mod table_name;
