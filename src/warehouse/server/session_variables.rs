//! The variables that every session sets, whatever the server, the account or a proxy set before. They are set last when a
//! session begins, and read back once.

use anyhow::{Result, anyhow};
use mysql::prelude::Queryable;
use mysql::{Conn, MySqlError, Row, Value};

use crate::problem::Problem;

/// Which servers have the variable.
#[derive(Clone, Copy)]
enum On {
    Both,
    MySql,
    MariaDb,
}

/// How long one statement waits for a lock. It is less than half the read timeout, so that the server's error comes before
/// the timeout does; and it is short, because sessions that come after a waiting ALTER wait as well. Longer waits are retries.
const LOCK_WAIT_SECONDS: &str = "10";

/// The server then cuts or zeroes nothing silently, and a key 0 stays 0 in an AUTO_INCREMENT column too.
macro_rules! strict {
    () => {
        "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,\
         NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO"
    };
}

const DEFAULT: &str = "DEFAULT";

/// The order matters: setting a character set also sets its default collation.
const VARIABLES: &[(On, &str, &str)] = &[
    // lakectl sends and reads UTF-8 of up to four bytes. The server's init_connect may have set something else.
    (On::Both, "character_set_client", "utf8mb4"),
    (On::Both, "character_set_connection", "utf8mb4"),
    (On::Both, "character_set_results", "utf8mb4"),
    (On::Both, "collation_connection", "utf8mb4_general_ci"),
    (On::Both, "time_zone", "+00:00"),
    (On::MySql, "sql_mode", strict!()),
    // Otherwise GRANT would create an account again that was just dropped, without a password.
    (
        On::MariaDb,
        "sql_mode",
        concat!(strict!(), ",NO_AUTO_CREATE_USER"),
    ),
    // Results are complete, because a limit would cut them silently, and `IS NULL` finds no last inserted row.
    (On::Both, "sql_select_limit", "18446744073709551615"),
    (On::Both, "sql_big_selects", "1"),
    (On::Both, "sql_auto_is_null", "0"),
    (On::Both, "sql_safe_updates", "0"),
    // COMMIT only commits, a statement outside of a transaction is its own, and a transaction reads one snapshot.
    (On::Both, "autocommit", "1"),
    (On::Both, "completion_type", "NO_CHAIN"),
    (On::MySql, "transaction_isolation", "REPEATABLE-READ"),
    (On::MariaDb, "tx_isolation", "REPEATABLE-READ"),
    (On::MySql, "transaction_read_only", "0"),
    (On::MariaDb, "tx_read_only", "0"),
    // Rows are those of now, and not of a time in a table's history.
    (On::MariaDb, "system_versioning_asof", DEFAULT),
    (On::Both, "foreign_key_checks", "1"),
    (On::Both, "unique_checks", "1"),
    (On::MariaDb, "check_constraint_checks", "1"),
    // For rows and for whole tables, whose default is a year.
    (On::Both, "innodb_lock_wait_timeout", LOCK_WAIT_SECONDS),
    (On::Both, "lock_wait_timeout", LOCK_WAIT_SECONDS),
    // A session, also with a transaction open, must outlive a slow read from Kafka, and a rebuild's statements take long.
    (On::Both, "wait_timeout", "28800"),
    (On::MariaDb, "idle_transaction_timeout", "0"),
    (On::MariaDb, "idle_readonly_transaction_timeout", "0"),
    (On::MariaDb, "idle_write_transaction_timeout", "0"),
    // A packet must outlive a slow network.
    (On::Both, "net_read_timeout", "60"),
    (On::Both, "net_write_timeout", "60"),
    (On::MySql, "max_execution_time", "0"),
    (On::MariaDb, "max_statement_time", "0"),
];

/// Sets them all.
pub(in crate::warehouse) fn set(conn: &mut Conn) -> mysql::Result<()> {
    conn.query_drop(set_statement())
}

fn set_statement() -> String {
    let assignment = |_, name: &str, value: &str| match value.parse::<u64>() {
        Ok(_) => format!("{name} = {value}"),
        // The server's own value, of which no name exists.
        Err(_) if value == DEFAULT => format!("{name} = {value}"),
        Err(_) => format!("{name} = '{value}'"),
    };
    format!("SET SESSION {}", list(&assignment))
}

/// The error if the server does not let them be set; its message names the variable.
pub(in crate::warehouse) fn refused(refusal: &MySqlError) -> anyhow::Error {
    Problem::new(format!(
        "a session can't have lakectl's settings: MySQL's error {}: {}",
        refusal.code, refusal.message
    ))
    .fix("see whether a proxy in between refuses it, and connect to the server itself")
    .into()
}

/// Reads the variables back; None: the server does not show them.
pub(in crate::warehouse) fn read_back(conn: &mut Conn) -> mysql::Result<Option<Row>> {
    let asked = |number, name: &str, _: &str| format!("@@SESSION.{name} AS {}", column(number));
    conn.query_first(format!("SELECT {}, VERSION() AS version", list(&asked)))
}

/// Compares what was read back with what was set.
///
/// # Errors
/// Names a variable that differs.
pub(in crate::warehouse) fn check(read_back: Option<Row>) -> Result<()> {
    match read_back {
        Some(row) => compare(&|name| text(&row, name)),
        None => Err(anyhow!("the server does not show the session's variables")),
    }
}

fn compare(shown: &dyn Fn(&str) -> Option<String>) -> Result<()> {
    let is_mariadb = shown("version").is_some_and(|version| version.contains("MariaDB"));
    for (number, (on, name, value)) in VARIABLES.iter().enumerate() {
        let found = match on {
            On::MySql if is_mariadb => continue,
            On::MariaDb if !is_mariadb => continue,
            _ => shown(&column(number)),
        };
        if !found.as_ref().is_some_and(|found| is_same(value, found)) {
            let found = found.unwrap_or_else(|| "not shown".to_owned());
            return Problem::new(format!(
                "the session's {name} is {found}, although lakectl has just set it to {value}: what was written or read \
                 would not be what was meant"
            ))
            .fix("see whether a proxy in between answers SET by itself, and connect to the server itself")
            .err();
        }
    }
    Ok(())
}

fn column(number: usize) -> String {
    format!("variable_{number}")
}

/// Each statement is in a comment that only MySQL, or only MariaDB, executes.
fn list(item: &dyn Fn(usize, &str, &str) -> String) -> String {
    let mut list = String::new();
    for (number, (on, name, value)) in VARIABLES.iter().enumerate() {
        let item = item(number, name, value);
        list += &match on {
            On::Both if list.is_empty() => item,
            On::Both => format!(", {item}"),
            On::MySql => format!(" /*!80000 , {item} */"),
            On::MariaDb => format!(" /*M! , {item} */"),
        };
    }
    list
}

/// None if the server has left the column out.
fn text(row: &Row, name: &str) -> Option<String> {
    let at = row
        .columns_ref()
        .iter()
        .position(|column| column.name_str() == name)?;
    Some(match row.as_ref(at)? {
        Value::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        other => other.as_sql(true),
    })
}

/// Compares values: the server may return a number as `0.000000`, and a set in another order.
fn is_same(set: &str, found: &str) -> bool {
    let parts = |list: &str| {
        let mut parts: Vec<String> = list.split(',').map(str::to_ascii_lowercase).collect();
        parts.sort_unstable();
        parts
    };
    match (set.parse::<f64>(), found.parse::<f64>()) {
        (Ok(set), Ok(found)) => set == found,
        _ => parts(set) == parts(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_in_the_server_s_words_are_the_same() {
        assert!(is_same("0", "0.000000") && is_same("18446744073709551615", "18446744073709551615"));
        assert!(is_same("a,B,c", "C,A,b") && !is_same("a,b", "a,b,c"));
        assert!(!is_same("utf8mb4", "latin1") && !is_same("10", "31536000"));
    }

    #[test]
    fn each_server_reads_its_own() {
        let set = set_statement();
        assert!(set.starts_with("SET SESSION character_set_client = 'utf8mb4', "));
        assert!(set.contains(", autocommit = 1, "));
        assert!(set.contains(" /*M! , max_statement_time = 0 */"));
        assert!(set.contains(" /*!80000 , max_execution_time = 0 */"));
    }

    #[test]
    fn a_variable_that_differs_or_is_left_out_is_named() {
        let (at, (_, name, _)) = VARIABLES
            .iter()
            .enumerate()
            .find(|(_, (on, ..))| matches!(on, On::MariaDb))
            .unwrap();
        let on = |version: &'static str, found: Option<&'static str>| {
            move |asked: &str| match asked {
                "version" => Some(version.to_owned()),
                _ if asked == column(at) => found.map(str::to_owned),
                _ => (0..VARIABLES.len())
                    .find(|&number| asked == column(number))
                    .map(|number| VARIABLES[number].2.to_owned()),
            }
        };
        assert!(compare(&on("10.11.6-MariaDB", Some(VARIABLES[at].2))).is_ok());
        assert!(compare(&on("9.7.0", None)).is_ok());
        for found in [Some("else"), None] {
            let told = compare(&on("10.11.6-MariaDB", found)).unwrap_err().to_string();
            assert!(told.contains(&format!("the session's {name} is ")), "{told}");
        }
    }
}
