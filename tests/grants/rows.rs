//! The rows of user_permissions and what they decide.

use serde_json::json;

use crate::world::World;

fn decided(world: &World, user: &str, path: &str, access: &str) -> (bool, String) {
    let run = world.run(&["grant", "check", "--json", "--", user, path, access]);
    let report = run.report();
    assert_eq!(report["status"], "ok", "{report}");
    let allowed = report["allowed"].as_bool().unwrap();
    assert_eq!(run.code, i32::from(!allowed));
    let by = report["decided_by"]["folder_path"].as_str().unwrap_or("-");
    (allowed, by.to_owned())
}

#[test]
fn set_list_check_and_revoke() {
    let mut world = World::new();
    world.root().make_dirs("streams/X").unwrap();
    let set = world.grant(&["set", "alice", "./streams//X/", "read"], 0);
    assert_eq!(
        (
            &set["user_id"],
            &set["folder_path"],
            &set["changed"],
            &set["before"]
        ),
        (&json!("alice"), &json!("streams/X"), &json!(true), &json!(null))
    );
    assert_eq!(set["warnings"], json!([]));
    assert_eq!(
        world.grant(&["set", "alice", "streams/X", "read"], 0)["changed"],
        false
    );
    world.set("alice", "streams/X/private", "none");
    world.set("alice", "streams/X/private/more", "write");

    let listed = world.grant(&["list", "--user", "alice", "--path", "streams/X/private"], 0);
    let paths: Vec<_> = listed["permissions"].as_array().unwrap().iter().collect();
    assert_eq!(paths.len(), 2);
    assert_eq!(paths[0]["permission"], "none");
    assert!(paths[0]["last_updated_at"].as_str().unwrap().ends_with('Z'));
    let text = world.run(&["grant", "list"]).expect(0).stdout;
    let columns: Vec<usize> = text
        .lines()
        .map(|line| line.find("streams").unwrap_or(7))
        .collect();
    assert_eq!(columns, [7, 7, 7, 7], "{text}");

    assert_eq!(
        decided(&world, "alice", "streams/X/day", "read"),
        (true, "streams/X".into())
    );
    assert_eq!(
        decided(&world, "alice", "streams/X/day", "write"),
        (false, "streams/X".into())
    );
    assert_eq!(
        decided(&world, "alice", "streams/XY", "read"),
        (false, "-".into())
    );
    assert_eq!(decided(&world, "alice", "streams", "read"), (false, "-".into()));
    let (allowed, by) = decided(&world, "alice", "streams/X/private/x", "read");
    assert_eq!((allowed, by.as_str()), (false, "streams/X/private"));
    let below = "streams/X/private/more/x";
    assert_eq!(
        decided(&world, "alice", below, "read"),
        (true, "streams/X/private/more".into())
    );
    let text = world
        .run(&["grant", "check", "alice", "streams/X", "read"])
        .expect(0)
        .stdout;
    assert_eq!(
        text,
        "allowed: alice read streams/X: alice has read on streams/X\n"
    );

    let revoked = world.grant(&["revoke", "alice", "streams/X/"], 0);
    assert_eq!(
        (&revoked["changed"], &revoked["before"]),
        (&json!(true), &json!("read"))
    );
    let again = world.run(&["grant", "revoke", "alice", "streams/X"]).expect(0);
    assert!(
        again.stdout.contains("there is no such permission"),
        "{}",
        again.stdout
    );
    assert_eq!(
        world.grant(&["revoke", "alice", "streams/X"], 0)["changed"],
        false
    );

    let [table, file] = world.trails();
    assert_eq!(table, file);
    let commands: Vec<&str> = table.iter().map(|(command, _)| command.as_str()).collect();
    assert_eq!(commands, ["grant set", "grant set", "grant set", "grant revoke"]);
    assert_eq!(
        table[3].1,
        json!({ "user_id": "alice", "folder_path": "streams/X", "before": "read", "permission": null, "changed": true })
    );
}

#[test]
fn an_entry_says_who_and_how() {
    let mut world = World::new();
    let url = world.url_as(&world.login.0);
    world
        .run_with(
            &["grant", "set", "a", ".", "read", "--url", &url],
            &[("SUDO_USER", "carla")],
        )
        .expect(0);
    let entry = &lakectl::audit::read_lake(&world.root()).unwrap().entries[0];
    assert_eq!((entry.os_user.as_deref(), entry.uid), (Some("root"), 0));
    assert_eq!(entry.sudo_user.as_deref(), Some("carla"));
    assert_eq!(entry.arguments, ["grant", "set", "a", ".", "read", "--url", &url]);
    assert!(!entry.host.is_empty() && entry.run_id.len() > 20 && entry.time().is_some());
    let account = world.query("SELECT mysql_user FROM lakectl_audit");
    assert!(account[0].starts_with("lakectl@"), "{account:?}");
    let all = world
        .query("SELECT CAST(JSON_ARRAYAGG(arguments) AS CHAR) FROM lakectl_audit")
        .concat();
    assert!(!all.contains(&world.login.1));
}

#[test]
fn names_that_differ_in_case_accents_or_blanks_are_others() {
    let world = World::new();
    for (user, path) in [("zoe", "streams/Été"), ("bob", "streams/x")] {
        world.set(user, path, "read");
    }
    for (user, path) in [
        ("Zoe", "streams/Été"),
        ("zoé", "streams/Été"),
        ("zoe ", "streams/Été"),
        ("zoe", "streams/été"),
        ("zoe", "streams/Ete"),
        ("zoe", "streams/Été "),
        ("zoe", "streams/E\u{301}te\u{301}"),
        ("BOB", "streams/x"),
        ("bob", "streams/X"),
    ] {
        assert_eq!(
            decided(&world, user, path, "read"),
            (false, "-".into()),
            "{user} {path}"
        );
        assert_eq!(world.grant(&["set", user, path, "none"], 0)["changed"], true);
    }
    assert_eq!(
        decided(&world, "zoe", "streams/Été", "read"),
        (true, "streams/Été".into())
    );
    assert_eq!(
        world.grant(&["list"], 0)["permissions"].as_array().unwrap().len(),
        11
    );
}

#[test]
fn what_is_no_path_or_no_user_is_refused() {
    let world = World::new();
    let inside = world.lake().join("streams").display().to_string();
    let long = "a/".repeat(300);
    for path in ["", "/", &inside, "..", "a/../b", "a\nb", ".lakectl/topics", &long] {
        for arguments in [
            &["set", "--", "u", path, "read"][..],
            &["check", "--", "u", path, "read"],
        ] {
            world.grant(arguments, 2);
        }
        world.grant(&["revoke", "--", "u", path], 2);
    }
    for user in ["", "a\tb", &"u".repeat(256)] {
        world.grant(&["set", "--", user, "a", "read"], 2);
    }
    world.grant(&["set", "u", "a", "execute"], 2);
    assert_eq!(world.grant(&["list"], 0)["permissions"], json!([]));
}

#[test]
fn a_path_that_is_not_there_is_a_warning() {
    let world = World::new();
    world.root().make_dirs("streams/There").unwrap();
    let warnings = |path: &str| world.grant(&["set", "u", path, "read"], 0)["warnings"].to_string();
    assert!(warnings("streams/there").contains("does not exist in the lake"));
    assert_eq!(warnings("streams/There"), "[]");
    assert_eq!(warnings("."), "[]");
    std::os::unix::fs::symlink("/etc", world.lake().join("out")).unwrap();
    assert!(warnings("out/passwd").contains("never followed"));
    let elsewhere = world.dir.path().join("nowhere").display().to_string();
    let run = world
        .run(&["grant", "set", "v", "x", "read", "--lake-root", &elsewhere])
        .expect(0);
    assert!(run.stderr.contains("there is no lake at"), "{}", run.stderr);
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut world = World::new();
    world.set("u", "a", "read");
    let before = world.trails();
    let set = world.grant(&["set", "u", "a", "write", "--dry-run"], 0);
    assert_eq!((&set["changed"], &set["dry_run"]), (&json!(true), &json!(true)));
    assert_eq!(world.grant(&["revoke", "u", "a", "-n"], 0)["changed"], true);
    assert_eq!(decided(&world, "u", "a", "read"), (true, "a".into()));
    assert_eq!(world.trails(), before);
}

#[test]
fn check_is_2_where_there_is_no_answer() {
    let mut world = World::new();
    let nobody = [("LAKECTL_WAREHOUSE_URL", "mysql://u@127.0.0.1:1/d")];
    world
        .run_with(&["grant", "check", "u", "a", "read"], &nobody)
        .fails(2, &["cannot reach"]);
    // Everywhere else that is a failure like any other.
    world
        .run_with(&["grant", "list"], &nobody)
        .fails(1, &["cannot reach"]);
    world.query("DROP TABLE user_permissions");
    world
        .run(&["grant", "check", "u", "a", "read"])
        .fails(2, &["lakectl init-db"]);
    world.run(&["grant", "check", "u", "a"]).expect(2);
}

#[test]
fn a_table_that_mixes_names_up_is_refused() {
    let mut world = World::new();
    world.query("ALTER TABLE user_permissions CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci");
    world
        .run(&["grant", "set", "u", "a", "read"])
        .fails(2, &["utf8mb4_0900_ai_ci", "ALTER TABLE"]);
}

#[test]
fn rows_that_others_wrote_count_and_can_be_revoked() {
    let mut world = World::new();
    world.query(
        "INSERT INTO user_permissions VALUES ('u', 'a//b/', 'none', NOW()), ('u', '/a', 'write', NOW())",
    );
    world.query(
        "INSERT INTO user_permissions VALUES ('u', 'a/b', 'read', NOW()), ('u', 'bad\\npath', 'read', NOW())",
    );
    assert_eq!(decided(&world, "u", "a/b/c", "read"), (false, "a//b/".into()));
    assert_eq!(decided(&world, "u", "a", "read"), (false, "-".into()));
    let set = world.grant(&["set", "u", "a/b", "read"], 0);
    assert_eq!((&set["changed"], &set["before"]), (&json!(true), &json!("none")));
    assert_eq!(decided(&world, "u", "a/b/c", "read"), (true, "a/b".into()));
    let text = world.run(&["grant", "list"]).expect(0).stdout;
    assert!(text.contains("bad\\npath") && text.lines().count() == 4, "{text}");
    world.grant(&["revoke", "u", "/a"], 0);
    world.grant(&["revoke", "u", "bad\npath"], 0);
    assert_eq!(
        world.grant(&["list"], 0)["permissions"].as_array().unwrap().len(),
        1
    );
}

#[test]
fn several_at_once_all_come_through() {
    let mut world = World::new();
    std::thread::scope(|scope| {
        for n in 0..6 {
            let world = &world;
            scope.spawn(move || {
                for path in ["a", "b"] {
                    world
                        .run(&["grant", "set", &format!("u{n}"), path, "read"])
                        .expect(0);
                }
            });
        }
    });
    assert_eq!(
        world.grant(&["list"], 0)["permissions"].as_array().unwrap().len(),
        12
    );
    let [mut table, mut file] = world.trails();
    for trail in [&mut table, &mut file] {
        trail.sort_by_key(|(_, detail)| detail.to_string());
    }
    assert_eq!(table.len(), 12);
    assert_eq!(table, file);
}
