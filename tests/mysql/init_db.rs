//! `init-db` against a real MySQL: made, repeated, compared.

use crate::service::*;
use lakectl::exit;
use lakectl::warehouse::{InitDbMode, InitDbOutcome, Warehouse, init_db};
use mysql::Conn;
use mysql::prelude::Queryable;
use std::sync::Barrier;

fn run(test: &TestDatabase, mode: InitDbMode) -> InitDbOutcome {
    init_db(test.settings.database.as_ref(), mode).unwrap()
}

fn services() -> [Service; 2] {
    [mysql_service(), mariadb_service()]
}

/// The files of schema/, in order.
fn migrations() -> Vec<String> {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/schema")).unwrap();
    let mut names: Vec<String> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".sql").map(str::to_owned))
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn twice_at_once_and_once_more() {
    for service in services() {
        let test = TestDatabase::empty(&service, "");
        let start = Barrier::new(4);
        let outcomes: Vec<InitDbOutcome> = std::thread::scope(|scope| {
            let one = || {
                start.wait();
                run(&test, InitDbMode::Apply)
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(one)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|outcome| outcome.created).count(), 1);
        assert_eq!(
            outcomes
                .iter()
                .filter(|outcome| !outcome.applied.is_empty())
                .count(),
            1
        );
        assert_eq!(run(&test, InitDbMode::Check).drifts, [""; 0]);
        let again = run(&test, InitDbMode::Apply);
        assert!(
            again.applied.is_empty() && again.lines[0].contains("nothing to do"),
            "{again:?}"
        );
    }
}

/// DDL commits by itself: a kill may leave a table without its record.
#[test]
fn a_kill_between_ddl_and_record_repeats_well() {
    let test = TestDatabase::new(&mysql_service(), "");
    test.execute("DELETE FROM lakectl_migrations WHERE version >= 1");
    test.execute("DROP TABLE total_par_transaction_type");
    test.execute("INSERT INTO product_purchase_counts (product_id, purchase_count) VALUES ('kept', 1)");
    assert_eq!(run(&test, InitDbMode::Apply).applied, migrations()[1..]);
    assert_eq!(run(&test, InitDbMode::Check).drifts, [""; 0]);
    assert_eq!(
        test.one("SELECT purchase_count FROM product_purchase_counts"),
        "1"
    );
}

#[test]
fn drift_is_named() {
    for service in services() {
        let test = TestDatabase::new(&service, "");
        for ddl in [
            "ALTER TABLE total_depense_par_user_type MODIFY total_depense_usd DECIMAL(10,2) NULL",
            "ALTER TABLE transaction_lifecycle DROP INDEX retention_last_update_time",
            "ALTER TABLE product_purchase_counts MODIFY purchase_count BIGINT NOT NULL",
            "ALTER TABLE product_purchase_counts MODIFY product_id VARCHAR(255) COLLATE utf8mb4_general_ci NOT NULL",
            "ALTER TABLE user_permissions DROP PRIMARY KEY, ADD PRIMARY KEY (user_id)",
            "ALTER TABLE total_par_type_5min_sliding DROP COLUMN total_amount_5min, ADD COLUMN extra INT, ADD UNIQUE u (extra)",
            "DROP TABLE total_par_transaction_type",
            "DELETE FROM lakectl_migrations WHERE version = 3",
        ] {
            test.execute(ddl);
        }
        let outcome = run(&test, InitDbMode::Check);
        assert_eq!(outcome.exit_code, exit::ATTENTION);
        let expected = [
            "migration 003_user_permissions is not applied",
            "product_purchase_counts.product_id: collation is utf8mb4_general_ci",
            "product_purchase_counts.purchase_count: is NOT NULL, not NULL",
            "total_depense_par_user_type.total_depense_usd: type is decimal(10,2), not decimal(15,2)",
            "total_par_transaction_type: the table is missing",
            "total_par_type_5min_sliding.total_amount_5min: the column is missing",
            "total_par_type_5min_sliding.extra: the column is not of this schema",
            "total_par_type_5min_sliding: a second unique index, `u`",
            "transaction_lifecycle: no index on (last_update_time); run: CREATE INDEX",
            "user_permissions: the primary key is (user_id), not (user_id, folder_path)",
        ];
        assert_eq!(outcome.drifts.len(), expected.len(), "{:#?}", outcome.drifts);
        for (found, expected) in outcome.drifts.iter().zip(expected) {
            assert!(found.starts_with(expected), "{found}");
        }
    }
}

#[test]
fn a_missing_database_is_drift_and_a_dry_run_makes_none() {
    let test = TestDatabase::empty(&mysql_service(), "");
    let outcome = run(&test, InitDbMode::Check);
    assert_eq!(outcome.exit_code, exit::ATTENTION);
    assert!(outcome.drifts[0].contains("does not exist"));
    let dry = init_db(test.settings.database.as_ref(), InitDbMode::Preview).unwrap();
    assert!(dry.created && dry.applied == migrations() && dry.sql.unwrap().contains("CREATE TABLE"));
    let error = Warehouse::connect(test.settings.database.as_ref().unwrap()).unwrap_err();
    assert_eq!(exit::code_of(&error), exit::USAGE);
    assert!(format!("{error:#}").contains("lakectl init-db"), "{error:#}");
}

/// Printed without any database configured; what is printed makes the same schema.
#[test]
fn printed_sql_runs_as_it_is() {
    let sql = init_db(None, InitDbMode::Print).unwrap().sql.unwrap();
    let error = init_db(None, InitDbMode::Apply).unwrap_err();
    assert_eq!(exit::code_of(&error), exit::USAGE);
    let test = TestDatabase::new(&mysql_service(), "");
    for table in test.rows("SHOW TABLES") {
        test.execute(&format!("DROP TABLE `{table}`"));
    }
    let mut session: Conn = test.session();
    for statement in sql.split(";\n") {
        let text: Vec<&str> = statement.lines().filter(|line| !line.starts_with("--")).collect();
        if !text.concat().trim().is_empty() {
            session.query_drop(text.join("\n")).unwrap();
        }
    }
    assert_eq!(run(&test, InitDbMode::Check).drifts, [""; 0]);
    assert!(run(&test, InitDbMode::Apply).applied.is_empty());
}

#[test]
fn a_later_schema_is_left_alone() {
    let test = TestDatabase::new(&mysql_service(), "");
    test.execute("INSERT INTO lakectl_migrations (version, name) VALUES (900, '900_future')");
    let error = init_db(test.settings.database.as_ref(), InitDbMode::Apply).unwrap_err();
    assert!(format!("{error:#}").contains("upgrade lakectl"), "{error:#}");
}

#[test]
fn a_user_who_may_not_create_it_is_told_what_an_administrator_can_do() {
    let test = TestDatabase::empty(&mysql_service(), "");
    let admin = TestDatabase::new(&mysql_service(), "");
    let user = test.name.replace("lakectl_test", "u");
    admin.execute(&format!("CREATE USER '{user}'@'%' IDENTIFIED BY 'canary-Pw1'"));
    let settings = test.settings_as(&user, "canary-Pw1");
    let error = format!(
        "{:#}",
        init_db(settings.database.as_ref(), InitDbMode::Apply).unwrap_err()
    );
    admin.execute(&format!("DROP USER '{user}'@'%'"));
    assert!(
        error.contains("GRANT ALL ON") && !error.contains("canary"),
        "{error}"
    );
}

#[test]
fn what_somebody_dropped_is_made_again() {
    for service in services() {
        let test = TestDatabase::empty(&service, "");
        run(&test, InitDbMode::Apply);
        test.execute("DROP TABLE user_permissions");
        assert_eq!(run(&test, InitDbMode::Apply).applied, ["003_user_permissions"]);
        assert_eq!(run(&test, InitDbMode::Check).exit_code, exit::DONE);
        assert!(run(&test, InitDbMode::Apply).applied.is_empty());
    }
}
