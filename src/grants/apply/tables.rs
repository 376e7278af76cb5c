//! Grants SELECT on the warehouse's tables to the MySQL accounts with the users' names.

use anyhow::{Context, Result};
use mysql::prelude::Queryable;
use mysql::{Conn, MySqlError};
use std::collections::{BTreeMap, BTreeSet};

use super::{Apply, ApplyOutcome, ApplyTrail, Permission, Rules};
use crate::config::Kind;
use crate::grants::SqlChange;
use crate::lake::layout::paths::topic_folder;
use crate::warehouse::{Execution, Session, quote};

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Account {
    user: String,
    host: String,
}

impl Account {
    /// The account as information_schema spells it.
    fn grantee(&self) -> String {
        format!("'{}'@'{}'", self.user, self.host)
    }

    fn quoted(&self) -> String {
        format!("{}@{}", quote(&self.user), quote(&self.host))
    }
}

/// One account's right to read one table.
type Right = (String, Account);

/// The accounts and grants on the server.
struct ServerGrants {
    accounts: Vec<Account>,
    /// (grantee, table): SELECT on the table itself.
    on_tables: BTreeSet<(String, String)>,
    /// Grantees with SELECT on the whole database or on everything.
    on_all: BTreeSet<String>,
    /// The grants that lakectl itself has given.
    ours: BTreeSet<Right>,
}

/// The result of looking at the server.
enum Looked {
    Seen(ServerGrants),
    /// Why lakectl may not see the accounts.
    NotAllowed(String),
}

pub(super) fn apply(
    apply: &Apply<'_>,
    rules: &Rules,
    trail: &mut ApplyTrail<'_>,
    session: &mut Session,
    out: &mut ApplyOutcome,
) -> Result<()> {
    let tables = topics_by_table(apply, session)?;
    let server = match look(session)? {
        Looked::Seen(server) => server,
        Looked::NotAllowed(reason) => {
            out.could_not(None, "tables", reason);
            return Ok(());
        }
    };
    let wanted = wanted(rules, &tables, &server, out);
    tell_what_stays(rules, &tables, &server, &wanted, out);
    for right in server.ours.difference(&wanted) {
        revoke(apply, trail, session, &server, right, out)?;
    }
    for right in &wanted {
        let (table, account) = right;
        let has = server.on_tables.contains(&(account.grantee(), table.clone()));
        // A right that somebody else granted is not lakectl's to revoke.
        if !has {
            grant(apply, trail, session, right, out)?;
        }
    }
    Ok(())
}

/// The topics that fill a table.
#[derive(Default)]
struct Filled {
    topics: BTreeSet<String>,
    exists: bool,
}

/// By the server's spelling, so that each table occurs once.
type Tables = BTreeMap<String, Filled>;

/// The tables with the topics that fill them: configured ones, and others that were loaded earlier.
fn topics_by_table(apply: &Apply<'_>, session: &mut Session) -> Result<Tables> {
    let configured = &apply.settings.topics;
    let mut filled: Vec<(String, String)> = configured
        .values()
        .filter(|topic| topic.warehouse_enabled)
        .map(|topic| (topic.table.clone(), topic.name.clone()))
        .collect();
    let loaded: Vec<(String, String)> = session
        .conn
        .query("SELECT DISTINCT table_name, topic FROM lakectl_progress")
        .context("reading lakectl_progress")?;
    filled.extend(
        loaded
            .into_iter()
            .filter(|(_, topic)| !configured.contains_key(topic)),
    );
    let mut tables = Tables::new();
    for (table, topic) in filled {
        let spelled = session.spelled(&table)?;
        let exists = spelled.is_some();
        let entry = tables.entry(spelled.unwrap_or(table)).or_default();
        entry.topics.insert(topic);
        entry.exists = exists;
    }
    Ok(tables)
}

fn look(session: &mut Session) -> Result<Looked> {
    let accounts = if session.is_mariadb {
        "SELECT User, Host FROM mysql.user WHERE is_role <> 'Y'"
    } else {
        "SELECT User, Host FROM mysql.user"
    };
    let accounts: Vec<(String, String)> = match session.conn.query(accounts) {
        Ok(accounts) => accounts,
        Err(mysql::Error::MySqlError(error)) => {
            return Ok(Looked::NotAllowed(format!(
                "lakectl's account can't look accounts up (GRANT SELECT ON mysql.* would let it): {}",
                error.message
            )));
        }
        Err(error) => return Err(error).context("reading mysql.user"),
    };
    let on_tables = session.conn.query(
        "SELECT GRANTEE, TABLE_NAME FROM information_schema.TABLE_PRIVILEGES \
         WHERE TABLE_SCHEMA = DATABASE() AND PRIVILEGE_TYPE = 'SELECT'",
    );
    let on_all = session.conn.query(
        "SELECT GRANTEE FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE = 'SELECT' UNION \
         SELECT GRANTEE FROM information_schema.SCHEMA_PRIVILEGES \
         WHERE PRIVILEGE_TYPE = 'SELECT' AND DATABASE() LIKE TABLE_SCHEMA",
    );
    let ours: Vec<(String, String, String)> = session
        .conn
        .query("SELECT table_name, account_user, account_host FROM lakectl_applied_grants")
        .context("reading lakectl_applied_grants")?;
    let on_tables: Vec<(String, String)> = on_tables.context("reading information_schema")?;
    let on_all: Vec<String> = on_all.context("reading information_schema")?;
    Ok(Looked::Seen(ServerGrants {
        accounts: accounts
            .into_iter()
            .map(|(user, host)| Account { user, host })
            .collect(),
        on_tables: on_tables.into_iter().collect(),
        on_all: on_all.into_iter().collect(),
        ours: ours
            .into_iter()
            .map(|(table, user, host)| (table, Account { user, host }))
            .collect(),
    }))
}

/// Every right that the rows give to an account. For a table of several topics, all of them must be readable.
fn wanted(rules: &Rules, tables: &Tables, server: &ServerGrants, out: &mut ApplyOutcome) -> BTreeSet<Right> {
    let mut wanted = BTreeSet::new();
    for user in rules.users() {
        let may = tables
            .iter()
            .filter(|(_, filled)| allowed(rules, user, &filled.topics));
        let accounts: Vec<&Account> = server
            .accounts
            .iter()
            .filter(|account| account.user == user)
            .collect();
        for (table, filled) in may {
            if !filled.exists {
                out.could_not(
                    Some(user),
                    table.as_str(),
                    "the warehouse has no such table; apply again once it has",
                );
            } else if accounts.is_empty() {
                out.could_not(Some(user), "tables", "MySQL has no account of that name");
                break;
            } else {
                wanted.extend(accounts.iter().map(|&account| (table.clone(), account.clone())));
            }
        }
    }
    wanted
}

fn allowed(rules: &Rules, user: &str, topics: &BTreeSet<String>) -> bool {
    topics
        .iter()
        .all(|topic| rules.permission(user, &topic_folder(Kind::Table, topic)) > Permission::None)
}

/// Warns of accounts that can read tables although no row allows it, by rights that are not lakectl's to revoke.
fn tell_what_stays(
    rules: &Rules,
    tables: &Tables,
    server: &ServerGrants,
    wanted: &BTreeSet<Right>,
    out: &mut ApplyOutcome,
) {
    for user in rules.users() {
        for account in server.accounts.iter().filter(|account| account.user == user) {
            let grantee = account.grantee();
            for (table, filled) in tables {
                let right = (table.clone(), account.clone());
                let given = server.on_tables.contains(&(grantee.clone(), table.clone()));
                let stays = server.on_all.contains(&grantee) || (given && !server.ours.contains(&right));
                if !stays || wanted.contains(&right) {
                    continue;
                }
                let reason =
                    format!("{grantee} can still SELECT from it, by a right that lakectl did not give");
                let denied = filled.topics.iter().any(|topic| {
                    let decision = rules.decide(user, &topic_folder(Kind::Table, topic));
                    matches!(decision, crate::grants::Decision::By(_))
                });
                if denied {
                    out.could_not(Some(user), table.as_str(), reason);
                } else {
                    out.warnings.insert(format!("table {table}: {reason}"));
                }
            }
        }
    }
}

fn grant(
    apply: &Apply<'_>,
    trail: &mut ApplyTrail<'_>,
    session: &mut Session,
    (table, account): &Right,
    out: &mut ApplyOutcome,
) -> Result<()> {
    if !apply.dry_run {
        trail.begin(session)?;
        // Recorded first: a right that was granted but not recorded could never be revoked.
        note(
            session,
            "INSERT INTO lakectl_applied_grants (table_name, account_user, account_host) VALUES (?, ?, ?) \
             ON DUPLICATE KEY UPDATE granted_at = granted_at",
            (table, account),
        )
        .context("writing to lakectl_applied_grants")?;
        let sql = format!("GRANT SELECT ON {} TO {}", quote(table), account.quoted());
        let granted = session
            .execute(&sql, &|conn| has(conn, table, account))
            .with_context(|| sql.clone())?;
        if let Execution::Refused(refusal) = granted {
            forget(session, table, account)?;
            out.could_not(Some(&account.user), table.as_str(), refused("GRANT", &refusal));
            return Ok(());
        }
    }
    list_change(table, account, "granted", out);
    Ok(())
}

fn revoke(
    apply: &Apply<'_>,
    trail: &mut ApplyTrail<'_>,
    session: &mut Session,
    server: &ServerGrants,
    (table, account): &Right,
    out: &mut ApplyOutcome,
) -> Result<()> {
    let there = server.on_tables.contains(&(account.grantee(), table.clone()));
    if apply.dry_run {
        if there {
            list_change(table, account, "revoked", out);
        }
        return Ok(());
    }
    if there {
        trail.begin(session)?;
        let sql = format!("REVOKE SELECT ON {} FROM {}", quote(table), account.quoted());
        let revoked = session
            .execute(&sql, &|conn| Ok(!has(conn, table, account)?))
            .with_context(|| sql.clone())?;
        if let Execution::Refused(refusal) = revoked {
            out.could_not(Some(&account.user), table.as_str(), refused("REVOKE", &refusal));
            return Ok(());
        }
        list_change(table, account, "revoked", out);
    }
    forget(session, table, account)
}

fn forget(session: &mut Session, table: &str, account: &Account) -> Result<()> {
    note(
        session,
        "DELETE FROM lakectl_applied_grants WHERE table_name = ? AND account_user = ? AND account_host = ?",
        (table, account),
    )
    .context("deleting from lakectl_applied_grants")
}

/// GRANT and REVOKE can be repeated: doing it twice changes nothing more.
fn note(session: &mut Session, sql: &str, (table, account): (&str, &Account)) -> Result<()> {
    session.transact(
        |transaction| Ok(transaction.exec_drop(sql, (table, &account.user, &account.host))?),
        |_, ()| Ok(false),
    )
}

/// Whether the account has SELECT on the table itself.
fn has(conn: &mut Conn, table: &str, account: &Account) -> Result<bool> {
    let found: Option<u8> = conn
        .exec_first(
            "SELECT 1 FROM information_schema.TABLE_PRIVILEGES WHERE TABLE_SCHEMA = DATABASE() \
             AND PRIVILEGE_TYPE = 'SELECT' AND GRANTEE = ? AND TABLE_NAME = ?",
            (account.grantee(), table),
        )
        .context("reading information_schema")?;
    Ok(found.is_some())
}

/// The server's refusal, in its own words.
fn refused(what: &str, refusal: &MySqlError) -> String {
    format!("{what} was refused: {}", refusal.message)
}

fn list_change(table: &str, account: &Account, action: &'static str, out: &mut ApplyOutcome) {
    out.changed = true;
    out.mysql.push(SqlChange {
        user_id: account.user.clone(),
        account: account.grantee(),
        table: table.to_owned(),
        action,
    });
}
