//! Databases to sweep over: each put back as the base is before a kill, and a picture of what stands in one.

use mysql::prelude::Queryable;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;

use super::sweep::World;
use super::world::{Row, Warehouse, query};
use crate::common::poll;

/// When and by whom, which differs from run to run.
const PASSING: &[&str] = &[
    "last_updated_at",
    "updated_at",
    "complete_ms",
    "rejected_at",
    "applied_at",
    "erased_at",
    "run_id",
    "cutoff",
];
/// What was asked for, and the token of the last change: a run that is killed and run again was asked for twice.
const OF_RUNS: [&str; 2] = ["lakectl_audit", "lakectl_last_change"];

/// Copies of a database, used again and again: making the schema takes longer than all the rest.
pub struct Pool<'a> {
    base: String,
    make: Box<dyn Fn() -> Warehouse + Sync + 'a>,
    free: Mutex<Vec<Warehouse>>,
}

impl<'a> Pool<'a> {
    /// `make` gives a warehouse with the schema and the topics of the base, and no rows.
    pub fn new(base: &Warehouse, make: impl Fn() -> Warehouse + Sync + 'a) -> Self {
        Pool {
            base: base.database.clone(),
            make: Box::new(make),
            free: Mutex::default(),
        }
    }

    /// A warehouse with just the rows of the base.
    pub fn fresh(&self) -> Copy<'_> {
        let free = self.free.lock().unwrap().pop();
        let warehouse = free.unwrap_or_else(&self.make);
        warehouse.configure();
        wait_for_the_killed(&warehouse);
        let mut session = warehouse.session();
        session.query_drop("START TRANSACTION").unwrap();
        for table in tables(&warehouse) {
            session.query_drop(format!("DELETE FROM `{table}`")).unwrap();
            let base = &self.base;
            let copy = format!("INSERT INTO `{table}` SELECT * FROM `{base}`.`{table}`");
            session.query_drop(copy).unwrap();
        }
        session.query_drop("COMMIT").unwrap();
        Copy {
            pool: self,
            warehouse: Some(warehouse),
        }
    }
}

/// The server may still be ending the session of a run that was killed, and even its COMMIT.
fn wait_for_the_killed(warehouse: &Warehouse) {
    let mut session = warehouse.session();
    poll("sessions of killed runs to end", || {
        let others: Option<u64> = session
            .query_first(
                "SELECT COUNT(*) FROM performance_schema.threads \
                 WHERE PROCESSLIST_DB = DATABASE() AND PROCESSLIST_ID <> CONNECTION_ID()",
            )
            .unwrap();
        (others == Some(0)).then_some(())
    });
}

fn tables(warehouse: &Warehouse) -> Vec<String> {
    let tables = warehouse.query("SHOW TABLES").into_iter().flatten().flatten();
    tables.filter(|table| !OF_RUNS.contains(&&**table)).collect()
}

/// A warehouse that goes back to the pool.
pub struct Copy<'p> {
    pool: &'p Pool<'p>,
    warehouse: Option<Warehouse>,
}

impl std::ops::Deref for Copy<'_> {
    type Target = Warehouse;

    fn deref(&self) -> &Warehouse {
        // Taken only when it is dropped.
        self.warehouse.as_ref().unwrap()
    }
}

impl Drop for Copy<'_> {
    fn drop(&mut self) {
        self.pool.free.lock().unwrap().extend(self.warehouse.take());
    }
}

impl World for Copy<'_> {
    type Picture = BTreeMap<String, Vec<Row>>;

    fn fill(&self, command: &mut Command) {
        fill(self, command);
    }

    fn server(&self) -> Option<String> {
        Some(server(self))
    }

    fn picture(&self) -> Self::Picture {
        wait_for_the_killed(self);
        let rows = |table: String| {
            let columns = self.query(&format!("SHOW COLUMNS FROM `{table}`"));
            let names = columns.into_iter().map(|row| row[0].clone().unwrap());
            let own: Vec<String> = names
                .filter(|name| !PASSING.contains(&&**name))
                .map(|name| format!("HEX(`{name}`)"))
                .collect();
            let sql = format!("SELECT {} FROM `{table}`", own.join(", "));
            let mut rows = query(&mut self.session(), &sql);
            rows.sort_unstable();
            (table, rows)
        };
        tables(self).into_iter().map(rows).collect()
    }
}

pub fn fill(warehouse: &Warehouse, command: &mut Command) {
    command
        .current_dir(warehouse.folder())
        .env("LAKECTL_WAREHOUSE_URL", warehouse.url())
        .env("LAKECTL_WAREHOUSE_PASSWORD", &warehouse.password);
}

/// A session's socket, as strace shows it.
pub fn server(warehouse: &Warehouse) -> String {
    format!("->{}]", warehouse.address)
}
