//! A definition as SQL.

use super::column_type::ProposedType;
use super::definition::{ColumnDefinition, TableDefinition};
use crate::warehouse::server::connect::Flavor;
use crate::warehouse::server::identifier::quote;

/// `CREATE TABLE` for a server of this flavor.
pub(super) fn create(table: &TableDefinition, flavor: Flavor) -> String {
    let mut lines: Vec<String> = table
        .columns
        .iter()
        .map(|column| defined(column, flavor))
        .collect();
    let key = table.columns.iter().filter(|column| column.in_key);
    let key: Vec<String> = key.map(|column| quote(&column.name)).collect();
    lines.push(format!("PRIMARY KEY ({})", key.join(", ")));
    if let Some(column) = &table.retention {
        lines.push(format!("INDEX {} ({})", quote("retention"), quote(column)));
    }
    format!(
        "CREATE TABLE {} (\n    {}\n) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4",
        quote(&table.name),
        lines.join(",\n    ")
    )
}

/// `ALTER TABLE … ADD COLUMN` for these columns, which take NULL.
pub(super) fn add(table: &str, columns: &[&ColumnDefinition], flavor: Flavor) -> String {
    let lines = columns
        .iter()
        .map(|column| format!("ADD COLUMN {}", defined(column, flavor)));
    let lines: Vec<String> = lines.collect();
    format!("ALTER TABLE {}\n    {}", quote(table), lines.join(",\n    "))
}

/// Keys are compared byte for byte, trailing blanks included: two keys in Kafka are two rows.
fn defined(column: &ColumnDefinition, flavor: Flavor) -> String {
    let collation = match column.kind {
        ProposedType::Varchar(_) if column.in_key => {
            format!(" CHARACTER SET utf8mb4 COLLATE {}", flavor.key_collation())
        }
        _ => String::new(),
    };
    let null = if column.in_key { "NOT NULL" } else { "NULL" };
    format!("{} {}{collation} {null}", quote(&column.name), column.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TableDefinition {
        let column = |name: &str, kind, in_key| ColumnDefinition {
            name: name.to_owned(),
            kind,
            in_key,
        };
        TableDefinition {
            name: "t`x".to_owned(),
            columns: vec![
                column("ID", ProposedType::Varchar(255), true),
                column("window_start", ProposedType::Datetime { places: 3 }, true),
                column("note", ProposedType::Varchar(255), false),
                column("at", ProposedType::Datetime { places: 6 }, false),
            ],
            retention: Some("at".to_owned()),
            notes: Vec::new(),
        }
    }

    #[test]
    fn a_table_is_created_for_its_server() {
        let mysql = create(&table(), Flavor::MySql);
        assert_eq!(
            mysql,
            "CREATE TABLE `t``x` (\n    `ID` VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,\n    \
             `window_start` DATETIME(3) NOT NULL,\n    `note` VARCHAR(255) NULL,\n    `at` DATETIME(6) NULL,\n    \
             PRIMARY KEY (`ID`, `window_start`),\n    INDEX `retention` (`at`)\n\
             ) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4"
        );
        let mariadb = create(&table(), Flavor::MariaDb);
        assert_eq!(mariadb, mysql.replace("utf8mb4_0900_bin", "utf8mb4_nopad_bin"));
    }

    #[test]
    fn new_columns_take_null() {
        let table = table();
        let columns: Vec<_> = table.columns[2..].iter().collect();
        assert_eq!(
            add("t", &columns, Flavor::MySql),
            "ALTER TABLE `t`\n    ADD COLUMN `note` VARCHAR(255) NULL,\n    ADD COLUMN `at` DATETIME(6) NULL"
        );
    }
}
