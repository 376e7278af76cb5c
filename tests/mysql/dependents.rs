//! Rows of other tables that a deletion takes along, by ON DELETE CASCADE and SET NULL: counted before and after, or refused.

use crate::TOPICS;
use crate::service::*;
use chrono_tz::UTC;
use lakectl::config::Database;
use lakectl::exit;
use lakectl::stop::Stop;
use lakectl::subjects::subject::Subject;
use lakectl::warehouse::{DependentRows, OnDelete, RowsPurged, TablePlan, Warehouse};
use std::time::Duration;

const TOPIC: &str = "CUSTOM";

/// `custom` with three old rows and a new one; `order` and, in another database, `line` go with them, and `note` stays.
fn family(service: &Service) -> (TestDatabase, Beside) {
    let test = TestDatabase::new(service, TOPICS);
    let beside = Beside(test.session(), format!("{}_b", test.name));
    for sql in [
        "CREATE TABLE custom (id VARCHAR(9) PRIMARY KEY, at DATETIME, INDEX (at))",
        "CREATE TABLE `order` (id INT PRIMARY KEY, `of` VARCHAR(9), CONSTRAINT o FOREIGN KEY (`of`) REFERENCES custom (id) \
         ON DELETE CASCADE)",
        &format!("CREATE DATABASE {}", beside.1),
        // Otherwise the server doesn't show it the foreign key.
        &format!("GRANT SELECT ON `{}`.* TO '{}'@'%'", beside.1, test.account.user),
        &format!(
            "CREATE TABLE {}.line (n INT PRIMARY KEY, ord INT, CONSTRAINT l FOREIGN KEY (ord) REFERENCES {}.`order` (id) \
             ON DELETE CASCADE)",
            beside.1, test.name
        ),
        "CREATE TABLE note (n INT PRIMARY KEY, about VARCHAR(9), CONSTRAINT n FOREIGN KEY (about) REFERENCES custom (id) \
         ON DELETE SET NULL)",
        "CREATE TABLE strict_one (n INT PRIMARY KEY, about VARCHAR(9), FOREIGN KEY (about) REFERENCES custom (id))",
        "INSERT INTO custom VALUES ('a', '2020-01-01'), ('b', '2020-01-02'), ('c', '2020-01-03'), ('new', '2025-01-01')",
        "INSERT INTO `order` VALUES (1, 'a'), (2, 'a'), (3, 'b'), (4, 'new'), (5, NULL)",
        &format!(
            "INSERT INTO {}.line VALUES (1, 1), (2, 1), (3, 3), (4, 4)",
            beside.1
        ),
        "INSERT INTO note VALUES (1, 'a'), (2, 'new'), (3, NULL)",
    ] {
        test.execute(sql);
    }
    (test, beside)
}

/// A second database, dropped at the end.
struct Beside(mysql::Conn, String);

impl Drop for Beside {
    fn drop(&mut self) {
        let sql = format!("DROP DATABASE IF EXISTS `{}`", self.1);
        mysql::prelude::Queryable::query_drop(&mut self.0, sql).unwrap();
    }
}

fn services() -> [Service; 2] {
    [mysql_service(), mariadb_service()]
}

fn along(test: &TestDatabase, beside: &Beside, orders: u64, notes: u64, lines: u64) -> Vec<DependentRows> {
    let rows = |table: String, key: &str, on_delete, rows| DependentRows {
        table,
        foreign_key: key.to_owned(),
        on_delete,
        rows: Some(rows),
    };
    vec![
        rows(format!("{}.note", test.name), "n", OnDelete::SetNull, notes),
        rows(format!("{}.order", test.name), "o", OnDelete::Cascade, orders),
        rows(format!("{}.line", beside.1), "l", OnDelete::Cascade, lines),
    ]
}

fn survey(warehouse: &Warehouse, test: &TestDatabase) -> anyhow::Result<TablePlan> {
    warehouse.survey_rows(test.topic(TOPIC), "at", "2021-01-01".parse().unwrap(), UTC)
}

fn purge(test: &TestDatabase, plan: &TablePlan) -> anyhow::Result<RowsPurged> {
    let purged = test
        .warehouse()
        .purge_rows(plan, Duration::ZERO, None, &Stop::default(), &mut |_| {});
    purged.map(|purged| purged.ours().expect("the lock is free"))
}

#[test]
fn a_purge_counts_what_goes_along() {
    for service in services() {
        let (test, beside) = family(&service);
        let plan = survey(&test.warehouse(), &test).unwrap();
        let expected = along(&test, &beside, 3, 1, 3);
        assert_eq!((plan.rows, &plan.dependents), (3, &expected));
        let purged = purge(&test, &plan).unwrap();
        assert_eq!(
            (purged.deleted, purged.left, &purged.dependents),
            (3, 0, &expected)
        );
        assert_eq!(test.rows("SELECT id FROM `order` ORDER BY 1"), ["4", "5"]);
        assert_eq!(test.rows(&format!("SELECT n FROM {}.line", beside.1)), ["4"]);
        assert_eq!(
            test.rows("SELECT n, about FROM note ORDER BY 1"),
            ["1|NULL", "2|new", "3|NULL"]
        );
    }
}

/// What goes along with rows of 1970 is counted only if they go.
#[test]
fn rows_that_no_clock_made_have_dependents_of_their_own() {
    for service in services() {
        let (test, beside) = family(&service);
        test.execute("INSERT INTO custom VALUES ('odd', '1970-01-20')");
        test.execute("INSERT INTO `order` VALUES (6, 'odd')");
        let plan = survey(&test.warehouse(), &test).unwrap();
        let spared = along(&test, &beside, 3, 1, 3);
        assert_eq!((plan.doomed(), plan.dependents()), (3, &spared[..]));
        let all = TablePlan {
            with_implausible: true,
            ..plan.clone()
        };
        let all_along = along(&test, &beside, 4, 1, 3);
        assert_eq!((all.doomed(), all.dependents()), (4, &all_along[..]));
        assert_eq!(purge(&test, &plan).unwrap().dependents, spared);
        assert_eq!(test.rows("SELECT id FROM `order` ORDER BY 1"), ["4", "5", "6"]);
        let purged = purge(&test, &all).unwrap();
        assert_eq!(
            (purged.deleted, purged.dependents),
            (1, along(&test, &beside, 1, 0, 0))
        );
    }
}

/// With IGNORE, MySQL deletes what refers to a row by CASCADE, and then keeps the row for the sake of another reference.
#[test]
fn no_row_goes_with_one_that_stays() {
    for service in services() {
        let (test, beside) = family(&service);
        test.execute("INSERT INTO strict_one VALUES (1, 'a')");
        let plan = survey(&test.warehouse(), &test).unwrap();
        let error = purge(&test, &plan).unwrap_err();
        let ended: &lakectl::warehouse::PurgeEnded = error.downcast_ref().unwrap();
        assert_eq!((ended.purged.deleted, ended.purged.left), (0, 3));
        assert_eq!(ended.purged.dependents, along(&test, &beside, 0, 0, 0));
        assert!(format!("{error:#}").contains("none can be skipped"), "{error:#}");
        let subjects = ["a", "b"].map(|key| Subject::key(&format!("{TOPIC}={key}")).unwrap());
        let erased =
            test.warehouse()
                .delete_subjects(test.topic(TOPIC), &subjects, Duration::ZERO, &Stop::default());
        let error = format!("{:#}", erased.unwrap_err());
        assert!(error.contains("none can be skipped"), "{error}");
        assert_eq!(test.one("SELECT COUNT(*) FROM `order`"), "5");
        assert_eq!(test.one("SELECT COUNT(*) FROM custom"), "4");
        test.execute("DELETE FROM strict_one");
        assert_eq!(purge(&test, &plan).unwrap().deleted, 3);
    }
}

#[test]
fn a_purge_takes_no_more_along_than_planned() {
    let (test, beside) = family(&mysql_service());
    let plan = survey(&test.warehouse(), &test).unwrap();
    test.execute(&format!("INSERT INTO {}.line VALUES (9, 2)", beside.1));
    let error = format!("{:#}", purge(&test, &plan).unwrap_err());
    assert!(
        error.contains("4 rows of") && error.contains("foreign key l") && error.contains("3 were planned"),
        "{error}"
    );
    assert_eq!(test.one("SELECT COUNT(*) FROM custom"), "4");
    assert_eq!(test.one("SELECT COUNT(*) FROM lakectl_cutoffs"), "0");
}

#[test]
fn an_erasure_counts_what_goes_along() {
    for service in services() {
        let (test, beside) = family(&service);
        let subjects = [Subject::key(&format!("{TOPIC}=a")).unwrap()];
        let warehouse = test.warehouse();
        let found = warehouse.count_subjects(test.topic(TOPIC), &subjects).unwrap();
        let expected = along(&test, &beside, 2, 1, 2);
        assert_eq!((found.rows, &found.dependents), (1, &expected));
        let erased = warehouse
            .delete_subjects(test.topic(TOPIC), &subjects, Duration::ZERO, &Stop::default())
            .unwrap()
            .ours()
            .unwrap();
        assert_eq!((erased.rows, &erased.dependents), (1, &expected));
        assert_eq!(test.rows("SELECT id FROM `order` ORDER BY 1"), ["3", "4", "5"]);
    }
}

#[test]
fn what_nobody_can_count_is_refused() {
    for service in services() {
        let (test, _beside) = family(&service);
        test.execute("ALTER TABLE custom ADD COLUMN boss VARCHAR(9), ADD CONSTRAINT b FOREIGN KEY (boss) REFERENCES custom (id) ON DELETE CASCADE");
        let error = survey(&test.warehouse(), &test).unwrap_err();
        assert_eq!(exit::code_of(&error), exit::USAGE);
        let error = format!("{error:#}");
        assert!(
            error.contains("foreign key b") && error.contains("DROP FOREIGN KEY `b`"),
            "{error}"
        );
        let subjects = [Subject::key(&format!("{TOPIC}=a")).unwrap()];
        let erased =
            test.warehouse()
                .delete_subjects(test.topic(TOPIC), &subjects, Duration::ZERO, &Stop::default());
        assert!(format!("{:#}", erased.unwrap_err()).contains("foreign key b"));
        assert_eq!(test.one("SELECT COUNT(*) FROM custom"), "4");
    }
}

#[test]
fn a_table_that_may_not_be_read_is_named_before_anything_goes() {
    for service in services() {
        let (test, _beside) = family(&service);
        let user = test.name.replace("lakectl_test", "d");
        let (database, account) = (&test.name, format!("'{user}'@'%'"));
        test.execute(&format!("CREATE USER {account} IDENTIFIED BY 'canary-Pw1'"));
        for table in [
            "custom",
            "lakectl_progress",
            "lakectl_rejects",
            "lakectl_cutoffs",
            "lakectl_first_drain",
            "lakectl_last_change",
        ] {
            test.execute(&format!(
                "GRANT SELECT, INSERT, UPDATE, DELETE ON `{database}`.`{table}` TO {account}"
            ));
        }
        test.execute(&format!("GRANT INSERT ON `{database}`.`order` TO {account}"));
        let settings = test.settings_as(&user, "canary-Pw1");
        let database: &Database = settings.database.as_ref().unwrap();
        let error = survey(&Warehouse::connect(database).unwrap(), &test).unwrap_err();
        test.execute(&format!("DROP USER {account}"));
        let error = format!("{error:#}");
        assert!(
            error.contains("may not read") && error.contains(".order") && error.contains("GRANT SELECT ON"),
            "{error}"
        );
    }
}
