//! The warehouse: a database that lakectl has connected to, and what its server can do.

use anyhow::Result;

use super::server::connect::{self, Server};
use crate::config::Database;

/// A database that lakectl has connected to.
#[derive(Debug, Clone)]
pub struct Warehouse {
    pub(super) database: Database,
    pub(super) server: Server,
}

impl Warehouse {
    /// # Errors
    /// A server that can't be reached, refuses the login or is too old; a missing database is exit code 2.
    pub fn connect(database: &Database) -> Result<Warehouse> {
        let server = connect::probe(database)?;
        Ok(Warehouse {
            database: database.clone(),
            server,
        })
    }
}
