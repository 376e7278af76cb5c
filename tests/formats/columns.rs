//! Every logical type reaches the column that it means, exact; what doesn't fit is a reject with its reason.

use std::fmt::Write;

use crate::common::kafka::{Record, Topic, record};
use crate::common::service;
use crate::world::Warehouse;

/// One value of a format, for a column of a type of its own.
pub struct Given {
    /// The column's SQL type.
    pub column: &'static str,
    pub bytes: Vec<u8>,
    /// What the column then has, bytes as hexadecimal; or words of the reason why it can't.
    pub expected: Result<&'static str, &'static str>,
}

/// The values of one topic, each for the column `c0`, `c1`, … of its number; of `shared` ones all for `c0`.
pub struct Columns {
    pub name: &'static str,
    pub entry: String,
    pub shared: bool,
    pub given: Vec<Given>,
}

impl Columns {
    fn column(&self, number: usize) -> String {
        format!("c{}", if self.shared { 0 } else { number })
    }

    fn create(&self) -> String {
        let mut columns = String::new();
        let count = if self.shared { 1 } else { self.given.len() };
        for (number, given) in self.given.iter().take(count).enumerate() {
            write!(columns, ", c{number} {} NULL", given.column).unwrap();
        }
        format!(
            "CREATE TABLE {} (id INT PRIMARY KEY{columns}) ENGINE = InnoDB CHARACTER SET utf8mb4",
            self.name
        )
    }

    fn records(&self) -> Vec<Record> {
        let numbered = self.given.iter().enumerate();
        numbered
            .map(|(number, given)| record(&number.to_string(), "").bytes(&given.bytes))
            .collect()
    }

    /// What the row of a value has; bytes as hexadecimal.
    fn stored(&self, warehouse: &Warehouse, number: usize, given: &Given) -> Option<String> {
        let column = self.column(number);
        let shown = if given.column.contains("BINARY") || given.column == "BLOB" {
            format!("HEX({column})")
        } else if given.column.starts_with("BIT") {
            format!("{column} + 0")
        } else {
            column
        };
        let rows = warehouse.query(&format!("SELECT {shown} FROM {} WHERE id = {number}", self.name));
        rows.into_iter().next().and_then(|mut row| row.remove(0))
    }

    fn check(&self, warehouse: &Warehouse, topic: &Topic) {
        for (number, given) in self.given.iter().enumerate() {
            let stored = self.stored(warehouse, number, given);
            let rejects = warehouse.query(&format!(
                "SELECT reason, HEX(value) FROM lakectl_rejects WHERE topic = '{}' AND `offset` = {number}",
                topic.name
            ));
            let what = format!("{} {number} for {}: {rejects:?}", self.name, given.column);
            match given.expected {
                Ok(text) => assert_eq!(stored.as_deref(), Some(text), "{what}"),
                Err(words) => {
                    assert_eq!(stored, None, "{what}");
                    let reason = rejects[0][0].as_deref().unwrap();
                    assert!(reason.contains(words), "{what}");
                    let hex: String = given.bytes.iter().map(|byte| format!("{byte:02X}")).collect();
                    assert_eq!(rejects[0][1], Some(hex), "{what}");
                }
            }
        }
    }
}

/// Loads all of them in one run.
fn check(mut warehouse: Warehouse, all: &[Columns]) {
    let topics = Topic::many("columns", all.len());
    let mut entries = format!(
        "[schema_registry]\nurl = {:?}\n",
        service("LAKECTL_SCHEMA_REGISTRY_URL")
    );
    for (columns, topic) in all.iter().zip(&topics) {
        warehouse.execute(&columns.create());
        let (name, table, entry) = (&topic.name, columns.name, &columns.entry);
        writeln!(
            entries,
            "[topics.{name:?}]\nkind = \"table\"\nkey.columns = [\"id\"]\nwarehouse.table = {table:?}\n{entry}"
        )
        .unwrap();
    }
    Topic::send_to_each(
        topics
            .iter()
            .zip(all)
            .map(|(topic, columns)| (topic, columns.records())),
    );
    warehouse.set_topics(&entries);
    warehouse.run(&[]).expect(3);
    for (columns, topic) in all.iter().zip(&topics) {
        columns.check(&warehouse, topic);
    }
}

fn all() -> Vec<Columns> {
    let mut all = vec![avro_columns::columns(), protobuf_columns::columns()];
    all.extend(plain_columns::columns());
    all
}

#[test]
fn logical_types_on_mysql() {
    check(Warehouse::new(), &all());
}

#[test]
fn logical_types_on_mariadb() {
    check(Warehouse::on_mariadb(), &all());
}

mod avro_columns;
mod plain_columns;
mod protobuf_columns;
