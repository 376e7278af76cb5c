//! `lakectl init-db`, killed between one statement and the next, and between a migration and its record.

use std::process::Command;

use super::database::{fill, server};
use super::sweep::{Sweep, World};
use super::world::Warehouse;

impl World for Warehouse {
    /// How the server would make each table again, and the record of the migrations.
    type Picture = Vec<Vec<Option<String>>>;

    fn fill(&self, command: &mut Command) {
        fill(self, command);
    }

    fn server(&self) -> Option<String> {
        Some(server(self))
    }

    fn picture(&self) -> Self::Picture {
        let tables = self.query("SHOW TABLES").into_iter().flatten().flatten();
        let made = tables.flat_map(|table| self.query(&format!("SHOW CREATE TABLE `{table}`")));
        let recorded = self.query("SELECT version, name FROM lakectl_migrations ORDER BY version");
        made.chain(recorded).collect()
    }
}

#[test]
fn the_schema() {
    let init_db: &[&str] = &["init-db", "-q"];
    Sweep {
        name: "init-db",
        command: init_db,
        after: &[init_db],
        fresh: &|| {
            let warehouse = Warehouse::without_database();
            warehouse.configure();
            warehouse
        },
        at_any_time: &|_: &Warehouse| {},
        at_the_end: &|warehouse: &Warehouse| drop(warehouse.lakectl(&["init-db", "--check"]).expect(0)),
    }
    .run();
}
