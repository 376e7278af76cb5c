//! The example's own topics, filled by examples/programs/produce_transactions under names of the test's.

use std::path::Path;
use std::process::Command;

use super::kafka::brokers;

/// The topics of examples/lakectl.toml that are tables; each has a MySQL table of its name in lower case.
pub const TABLES: [&str; 5] = [
    "PRODUCT_PURCHASE_COUNTS",
    "TOTAL_DEPENSE_PAR_USER_TYPE",
    "TOTAL_PAR_TRANSACTION_TYPE",
    "TOTAL_PAR_TYPE_5MIN_SLIDING",
    "TRANSACTION_LIFECYCLE",
];
/// What the generator makes beside them.
pub const OTHERS: [&str; 7] = [
    "transaction_log",
    "TRANSACTIONS_FULL",
    "TRANSACTIONS_FLAT",
    "TRANSACTIONS_PROCESSED",
    "TRANSACTIONS_BLACKLISTED",
    "TRANSACTIONS_COMPLETED",
    "TRANSACTIONS_HORS_UE",
];

pub fn produce(prefix: &str, seed: &str) {
    produce_with(prefix, seed, &[]);
}

/// With more arguments of the generator.
pub fn produce_with(prefix: &str, seed: &str, more: &[&str]) {
    let generator = Path::new(env!("CARGO_BIN_EXE_lakectl")).with_file_name("examples/produce_transactions");
    assert!(generator.exists(), "run `cargo build --examples` first");
    let output = Command::new(generator)
        .args(["--brokers", brokers(), "--prefix", prefix, "--seed", seed])
        .args(["--topic", &format!("{prefix}transaction_log")])
        .args(["--threads", "4", "--messages", "100", "--sleep", "0"])
        .args(more)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The example's own entries, with `prefix` before each topic's name, and the tables' own names.
pub fn entries(prefix: &str) -> String {
    entries_of("examples/lakectl.toml", prefix)
}

/// The same of another example.
pub fn entries_of(example: &str, prefix: &str) -> String {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join(example);
    let text = std::fs::read_to_string(example).unwrap();
    let mut entries = String::new();
    for line in text.lines().skip_while(|line| !line.starts_with("[topics.")) {
        match line
            .strip_prefix("[topics.")
            .and_then(|rest| rest.strip_suffix(']'))
        {
            Some(name) => {
                entries += &format!("[topics.\"{prefix}{name}\"]\n");
                if TABLES.contains(&name) {
                    entries += &format!("warehouse.table = {:?}\n", name.to_lowercase());
                }
            }
            None => entries += &format!("{line}\n"),
        }
    }
    entries
}
