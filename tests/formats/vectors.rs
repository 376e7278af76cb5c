//! Each of ksqlDB's own cases, in its own formats and in those of a registry, through lake and warehouse.

use crate::cases::{Case, all};
use crate::scene::{Filled, check_lake, check_warehouse, fill};
use crate::variant::{FORMATS, encode};
use crate::world::Warehouse;

/// All cases that are wanted, in all formats that can have them.
fn filled(policy: &str, numbered: bool, wanted: impl Fn(&Case) -> bool) -> Vec<Filled> {
    let mut encoded = Vec::new();
    for case in all().iter().filter(|case| wanted(case)) {
        for format in FORMATS {
            let label = format!("{format:?}, {}", case.source);
            encoded.extend(encode(case, format, numbered).map(|encoded| (label, encoded)));
        }
    }
    fill(policy, encoded)
}

#[test]
fn every_case_reaches_lake_and_warehouse() {
    assert_eq!(all().len(), 25);
    let keyed = filled("compact", false, Case::has_keys);
    let keyless = filled("delete", false, |case| !case.has_keys());
    check_lake(&keyed.iter().chain(&keyless).collect::<Vec<_>>(), "stream");

    // Rows need keys.
    let numbered = filled("compact", true, |case| !case.has_keys());
    let tables: Vec<_> = keyed.iter().chain(&numbered).collect();
    assert_eq!(
        tables.len(),
        25 * FORMATS.len() - 2,
        "odd names are only in two of the formats"
    );
    check_lake(&tables, "table");
    check_warehouse(Warehouse::new(), &tables);
    check_warehouse(Warehouse::on_mariadb(), &tables);
}
