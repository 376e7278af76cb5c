//! The warehouse: a database that lakectl has connected to, and what its server can do.

use anyhow::Result;

use super::server::connect::{self, Server};
use crate::config::Database;
use crate::decode::registry::Registry;

/// A database that lakectl has connected to.
#[derive(Debug, Clone)]
pub struct Warehouse {
    pub(super) database: Database,
    pub(super) server: Server,
    /// For topics whose schemas are there.
    pub(super) registry: Registry,
}

impl Warehouse {
    /// # Errors
    /// A server that can't be reached, refuses the login or is too old; a missing database is exit code 2.
    pub fn connect(database: &Database) -> Result<Warehouse> {
        let server = connect::probe(database)?;
        Ok(Warehouse {
            database: database.clone(),
            server,
            registry: Registry::default(),
        })
    }

    #[must_use]
    pub fn with_registry(self, registry: Registry) -> Warehouse {
        Warehouse { registry, ..self }
    }
}
