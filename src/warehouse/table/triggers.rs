//! Triggers that run when rows of a table are deleted.

use mysql::Conn;
use mysql::prelude::Queryable;

use crate::problem::Problem;

/// Why the server refuses a deletion although no foreign key does: a trigger says so, or fails itself.
pub(in crate::warehouse) fn refused_by_trigger(conn: &mut Conn, table: &str) -> Problem {
    // A server that does not answer here only leaves the names out.
    let names: Vec<String> = conn
        .exec(
            "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE() \
             AND EVENT_OBJECT_TABLE = ? AND EVENT_MANIPULATION = 'DELETE' ORDER BY ACTION_ORDER",
            (table,),
        )
        .unwrap_or_default();
    let who = match &names[..] {
        [] => "a trigger that the account may not see".to_owned(),
        names => format!("trigger {}", names.join(" or ")),
    };
    Problem::new(format!("{who} refuses that rows of table `{table}` are deleted"))
        .fix("let it pass these rows, or drop it while they are deleted, and run again")
}
