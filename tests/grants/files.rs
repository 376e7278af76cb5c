//! Permissions made real on files: users of this system read, and fail to.

use serde_json::{Value, json};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::world::{Person, World};

const DAY: &str = "year=2025/month=10/day=29";

fn apply(world: &World, code: i32) -> Value {
    world.grant(&["apply", "--only", "lake"], code)
}

fn lake() -> World {
    let world = World::new();
    for topic in ["A", "AB", "B"] {
        world.file(&format!("streams/{topic}/{DAY}/part.json"));
    }
    world
}

fn part(world: &World, topic: &str) -> std::path::PathBuf {
    world.lake().join(format!("streams/{topic}/{DAY}/part.json"))
}

#[test]
fn readers_read_what_they_were_given_and_nothing_else() {
    let mut world = lake();
    let (alice, bob) = (Person::new("alice"), Person::new("bob"));
    world.set(&alice.0, "streams/A", "read");
    world.set(&bob.0, "streams/B", "read");
    assert!(!alice.reads(part(&world, "A")));

    let preview = world.grant(&["apply", "--only", "lake", "--dry-run"], 0);
    assert!(!alice.reads(part(&world, "A")));
    assert_eq!(world.trails()[0].len(), 2);
    let done = apply(&world, 0);
    assert_eq!((&done["changed"], &done["could_not"]), (&json!(true), &json!([])));
    assert_eq!(done["acl"], preview["acl"]);
    let granted = json!({ "user_id": alice.0, "uid": alice.uid(), "path": "streams/A", "before": null, "after": "r-x",
        "inherited_only": false, "folders": 4, "files": 1 });
    assert!(done["acl"].as_array().unwrap().contains(&granted), "{done}");

    assert!(
        alice.reads(part(&world, "A")) && !alice.reads(part(&world, "AB")) && !alice.reads(part(&world, "B"))
    );
    assert!(bob.reads(part(&world, "B")) && !bob.reads(part(&world, "A")));
    assert!(alice.can("ls", world.lake().join("streams/A")));
    assert!(!alice.can("ls", world.lake().join("streams")) && !alice.can("ls", world.lake()));
    assert!(!alice.can("ls", world.lake().join(".lakectl")));
    assert!(!alice.reads(world.lake().join(".lakectl/audit.jsonl")));
    assert!(!alice.can("touch", world.lake().join("streams/A/new")));
    assert!(!alice.can("touch", part(&world, "A")));

    let again = apply(&world, 0);
    assert_eq!(
        (&again["changed"], &again["acl"], &again["mended"]),
        (&json!(false), &json!([]), &json!(0))
    );
    let [table, file] = world.trails();
    assert_eq!(table, file);
    assert_eq!(
        (table.len(), &table[2].1["phase"], &table[3].1["phase"]),
        (4, &json!("begin"), &json!("end"))
    );
    assert_eq!(table[3].1["outcome"]["acl"], done["acl"]);
}

#[test]
fn what_comes_later_inherits_and_revoke_takes_all_back() {
    let world = lake();
    let alice = Person::new("alice");
    let before = modes(&world.lake());
    world.set(&alice.0, "streams/A", "read");
    apply(&world, 0);
    let later = "streams/A/year=2026/month=01/day=01/part.json";
    world.file(later);
    assert!(alice.reads(world.lake().join(later)));
    assert!(!alice.can("touch", world.lake().join("streams/A/year=2026/new")));
    // A topic that nobody was given stays closed.
    world.file("streams/C/year=2026/month=01/day=01/part.json");
    assert!(!alice.reads(world.lake().join("streams/C/year=2026/month=01/day=01/part.json")));
    assert_eq!(apply(&world, 0)["changed"], false);

    world.grant(&["revoke", &alice.0, "streams/A"], 0);
    assert!(alice.reads(part(&world, "A")), "only apply changes files");
    assert_eq!(apply(&world, 0)["changed"], true);
    assert!(!alice.reads(part(&world, "A")) && !alice.reads(world.lake().join(later)));
    let after = modes(&world.lake());
    for (path, mode) in before {
        assert_eq!(after[&path], mode, "{path}");
    }
    assert_eq!(apply(&world, 0)["changed"], false);
}

/// Mode and whether there are lists, of everything below.
fn modes(folder: &Path) -> std::collections::BTreeMap<String, (u32, bool, bool)> {
    let mut modes = std::collections::BTreeMap::new();
    for entry in walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap) {
        if entry.file_type().is_symlink() || entry.path().starts_with(folder.join(".lakectl")) {
            continue;
        }
        let file = std::fs::File::open(entry.path()).unwrap();
        let lists = (
            lakectl::lake::disk::acl::read_access(&file).unwrap().is_some(),
            lakectl::lake::disk::acl::read_default(&file)
                .unwrap_or(None)
                .is_some(),
        );
        modes.insert(
            entry.path().display().to_string(),
            (file.metadata().unwrap().mode(), lists.0, lists.1),
        );
    }
    modes
}

#[test]
fn none_denies_below_what_is_given() {
    let world = lake();
    let alice = Person::new("alice");
    world.set(&alice.0, ".", "read");
    world.set(&alice.0, "streams/A", "none");
    world.set(&alice.0, &format!("streams/AB/{DAY}"), "none");
    apply(&world, 0);
    assert!(
        alice.reads(part(&world, "B")) && !alice.reads(part(&world, "A")) && !alice.reads(part(&world, "AB"))
    );
    assert!(!alice.can("ls", world.lake().join(".lakectl")));
    world.file("streams/A/year=2026/month=01/day=01/part.json");
    assert!(!alice.reads(world.lake().join("streams/A/year=2026/month=01/day=01/part.json")));
    // Even where everybody else is let in.
    use std::os::unix::fs::PermissionsExt;
    let folder = world.lake().join("streams/A");
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    let open = apply(&world, 0);
    assert!(!alice.reads(part(&world, "A")));
    assert!(
        open["warnings"].to_string().contains("open to everyone"),
        "{open}"
    );
}

#[test]
fn writers_write_in_folders_but_not_in_the_root() {
    let world = lake();
    let (writer, reader) = (Person::new("writer"), Person::new("reader"));
    world.set(&writer.0, ".", "write");
    world.set(&reader.0, "streams", "read");
    apply(&world, 0);
    let mine = world.lake().join("streams/A/mine");
    assert!(writer.can("touch", &mine) && reader.reads(&mine));
    assert!(writer.can("touch", part(&world, "A")));
    assert!(
        !writer.can("touch", world.lake().join("mine")) && !writer.reads(world.lake().join(".lakectl/lake"))
    );
    // What lakectl makes later, with its own modes.
    let later = "streams/A/year=2026/month=01/day=01/part.json";
    world.file(later);
    assert!(writer.can("touch", world.lake().join(later)) && reader.reads(world.lake().join(later)));
    assert!(writer.can("touch", world.lake().join("streams/A/year=2026/mine")));
    // What the writer made has the kernel's entries, with an x that no file needs.
    apply(&world, 0);
    assert!(reader.reads(&mine));
    assert_eq!(apply(&world, 0)["changed"], false);
}

#[test]
fn links_are_never_followed() {
    let world = lake();
    let alice = Person::new("alice");
    let outside = world.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    for name in ["secret", "named-twice"] {
        std::fs::write(outside.join(name), "x").unwrap();
    }
    let before = modes(&outside);
    std::os::unix::fs::symlink(&outside, world.lake().join("streams/A/folder")).unwrap();
    std::os::unix::fs::symlink(outside.join("secret"), world.lake().join("streams/A/file")).unwrap();
    std::fs::hard_link(outside.join("named-twice"), world.lake().join("streams/A/hard")).unwrap();
    world.set(&alice.0, "streams/A", "read");
    world.set(&alice.0, "streams/A/folder/x", "read");
    world.set(&alice.0, "streams/A/folder", "read");
    let report = apply(&world, 3);
    assert_eq!(report["status"], "partial");
    let could_not = report["could_not"].to_string();
    for word in ["several names", "never followed", "is a symlink"] {
        assert!(could_not.contains(word), "{word}: {could_not}");
    }
    assert_eq!(modes(&outside), before);
    assert!(alice.reads(part(&world, "A")));
}

#[test]
fn what_could_not_be_done_is_told() {
    let world = lake();
    let alice = Person::new("alice");
    world.set("no-such-user-here", "streams/A", "read");
    world.set(&alice.0, "streams/Missing", "read");
    world.set(&alice.0, "streams/MissingToo", "none");
    let report = apply(&world, 3);
    let could_not = report["could_not"].as_array().unwrap();
    assert_eq!(could_not.len(), 2, "{report}");
    assert_eq!(could_not[0]["user_id"], "no-such-user-here");
    assert_eq!(could_not[1]["subject"], "streams/Missing");
    let text = world.run(&["grant", "apply", "--only", "lake"]).expect(3).stdout;
    assert!(
        text.contains("could not: no-such-user-here: files: this system has no user"),
        "{text}"
    );
    let elsewhere = world.dir.path().join("nowhere").display().to_string();
    let run = world
        .run(&["grant", "apply", "--lake-root", &elsewhere, "--only", "lake"])
        .expect(3);
    assert!(run.stdout.contains("there is no lake here"), "{}", run.stdout);
}

#[test]
fn the_folder_of_a_configured_topic_is_made_so_that_it_can_hand_down() {
    let world = World::new();
    let alice = Person::new("alice");
    world.set(&alice.0, "streams/A", "read");
    let preview = world.grant(&["apply", "--only", "lake", "-n"], 0);
    assert_eq!(preview["made"], json!(["streams/A"]));
    assert!(!world.lake().join("streams").exists());
    assert_eq!(apply(&world, 0)["made"], json!(["streams/A"]));
    world.file(&format!("streams/A/{DAY}/part.json"));
    assert!(alice.reads(part(&world, "A")));
}

#[test]
fn a_user_that_is_gone_leaves_nothing_behind() {
    let world = lake();
    let alice = Person::new("alice");
    let uid = alice.uid();
    world.set(&alice.0, "streams/A", "read");
    apply(&world, 0);
    alice.delete();
    let report = apply(&world, 3);
    assert_eq!(
        report["could_not"][0]["reason"],
        "this system has no user of that name"
    );
    let file = std::fs::File::open(part(&world, "A")).unwrap();
    assert_eq!(lakectl::lake::disk::acl::read_access(&file).unwrap(), None);
    assert!(report["acl"].to_string().contains(&uid.to_string()));
    assert_eq!(apply(&world, 3)["changed"], false);
}

#[test]
fn entries_of_others_stay_and_gain_nothing() {
    let world = lake();
    let (alice, stranger) = (Person::new("alice"), Person::new("stranger"));
    let path = part(&world, "A");
    for folder in path.ancestors().take_while(|folder| *folder != world.dir.path()) {
        let file = std::fs::File::open(folder).unwrap();
        let bits = if folder == path { 4 } else { 5 };
        let acl = lakectl::lake::disk::acl::Acl::from_mode(file.metadata().unwrap().mode());
        let acl = acl.with_users(&[(stranger.uid(), Some(bits))].into());
        lakectl::lake::disk::acl::write_access(&file, &acl).unwrap();
    }
    assert!(stranger.reads(&path));
    world.set(&alice.0, "streams/A", "write");
    apply(&world, 0);
    assert!(alice.can("touch", &path) && stranger.reads(&path) && !stranger.can("touch", &path));
    world.grant(&["revoke", &alice.0, "streams/A"], 0);
    apply(&world, 0);
    assert!(!alice.reads(&path) && stranger.reads(&path));
}
