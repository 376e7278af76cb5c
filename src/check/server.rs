//! Checks MySQL: whether it answers, whether the connection is encrypted, lakectl's own tables, the account's rights.

use super::scope::CheckedTopic;
use super::{CheckScope, Checks, MYSQL};
use crate::target::TargetKind;
use crate::warehouse::Warehouse;

pub(super) fn look(
    scope: &CheckScope<'_>,
    topics: &[CheckedTopic],
    checks: &mut Checks,
) -> Option<Warehouse> {
    let wanted: Vec<&CheckedTopic> = topics
        .iter()
        .filter(|subject| subject.goes_to_warehouse(scope))
        .collect();
    if !scope.warehouse {
        return None;
    }
    let answer = (MYSQL, "answer");
    let Some(database) = &scope.settings.database else {
        let why = "no warehouse is configured";
        let how = "set warehouse.url, LAKECTL_WAREHOUSE_URL or --url (mysql://user@host:3306/database)";
        match scope.request.only {
            Some(TargetKind::Warehouse) => checks.wrong(answer, why, how),
            _ if wanted.is_empty() => {}
            _ => checks.unknown(answer, format!("{why}; {how}")),
        }
        return None;
    };
    let connected = Warehouse::connect(database).and_then(|warehouse| Ok((warehouse.facts()?, warehouse)));
    let (facts, warehouse) = match connected {
        Ok(connected) => connected,
        Err(error) => {
            checks.error(
                answer,
                &error,
                "look at the server, and at the address and the account in warehouse.url",
            );
            checks.unknown(
                (MYSQL, "tables"),
                "MySQL could not be asked for schema, rights and tables",
            );
            return None;
        }
    };
    let wire = match &facts.cipher {
        Some(cipher) => format!("TLS ({cipher})"),
        None => "no TLS".to_owned(),
    };
    let mode = (MYSQL, "sql_mode");
    checks.ok(
        answer,
        format!("{} answers, {}, {wire}", database.shown(), facts.version),
    );
    if facts.sql_mode.contains("STRICT_ALL_TABLES") {
        checks.ok(
            mode,
            "strict in lakectl's own sessions, whatever the server's default",
        )
    } else {
        checks.wrong(
            mode,
            format!(
                "lakectl's session asks for strict mode, and has {:?}",
                facts.sql_mode
            ),
            "look for what changes it between here and the server: a proxy, or its init_connect",
        )
    }
    schema(&warehouse, checks);
    rights(&warehouse, &wanted, checks);
    Some(warehouse.with_registry(scope.registry.clone()))
}

fn schema(warehouse: &Warehouse, checks: &mut Checks) {
    let place = (MYSQL, "schema");
    match warehouse.own_drift() {
        Err(error) => checks.error(place, &error, "run `lakectl init-db --check`"),
        Ok(drifts) if drifts.is_empty() => checks.ok(place, "lakectl's own tables are as they should be"),
        Ok(drifts) => checks.wrong(
            place,
            format!("lakectl's own tables differ: {}", drifts.join(", ")),
            "run `lakectl init-db`, as a user with CREATE, ALTER and INDEX; `lakectl init-db --check` tells what it \
             can't mend",
        ),
    }
}

fn rights(warehouse: &Warehouse, topics: &[&CheckedTopic], checks: &mut Checks) {
    let place = (MYSQL, "rights");
    let tables: Vec<&str> = topics
        .iter()
        .map(|subject| subject.topic.table.as_str())
        .collect();
    match warehouse.missing_rights(&tables) {
        Err(error) => checks.error(place, &error, "look at the account's rights: SHOW GRANTS"),
        Ok(rights) if rights.missing.is_empty() => checks.ok(
            place,
            format!("{} may read and write {} tables", rights.account, rights.tables),
        ),
        Ok(rights) => checks.wrong(
            place,
            format!("{} {}", rights.account, rights.missing.join(", ")),
            rights.fix,
        ),
    }
}
