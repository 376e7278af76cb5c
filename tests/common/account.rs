//! MySQL accounts with the rights that README names, and no more: lakectl runs as one of them in the tests, too.

use mysql::Conn;
use mysql::prelude::Queryable;

/// What an account needs for loads and purges, for `init-db`, and for `warehouse --rebuild`.
const RIGHTS: [&str; 3] = [
    "SELECT, INSERT, UPDATE, DELETE",
    "CREATE, ALTER, INDEX",
    "CREATE TEMPORARY TABLES",
];
const README: &str = include_str!("../../README.md");

/// An account that may use one database.
pub struct Account {
    pub user: String,
    pub password: String,
}

impl Account {
    /// Makes an account of the database's name, which may be one that nobody has made yet.
    pub fn on(admin: &mut Conn, database: &str) -> Account {
        for rights in RIGHTS {
            assert!(
                README.contains(&format!("`{rights}`")),
                "README doesn't name {rights}"
            );
        }
        let account = Account {
            user: user_of(database),
            password: "canary-Pw-of-the-test".to_owned(),
        };
        let (user, password) = (&account.user, &account.password);
        let pattern = database.replace('_', "\\_");
        for sql in [
            format!("DROP USER IF EXISTS '{user}'@'%'"),
            format!("CREATE USER '{user}'@'%' IDENTIFIED BY '{password}'"),
            format!("GRANT {} ON `{pattern}`.* TO '{user}'@'%'", RIGHTS.join(", ")),
        ] {
            admin.query_drop(sql).unwrap();
        }
        account
    }
}

/// Drops a test's database and its account.
pub fn drop_database(admin: &mut Conn, database: &str) {
    let _ = admin.query_drop(format!("DROP DATABASE IF EXISTS `{database}`"));
    let _ = admin.query_drop(format!("DROP USER IF EXISTS '{}'@'%'", user_of(database)));
}

/// MySQL's names have at most 32 characters; what makes a test's name its own stands at its end.
fn user_of(database: &str) -> String {
    database[database.len().saturating_sub(32)..].to_owned()
}
