use super::*;
use std::io::Write;
use std::os::unix::fs::MetadataExt;

fn root(dir: &Path) -> Root {
    Root::open(dir, 0o640, 0o750, true).unwrap().unwrap()
}

#[test]
fn after_a_failed_sync_of_the_filesystem_none_counts() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(dir.path());
    root.sync_filesystem().unwrap();
    *root.sync_failed.lock().unwrap() = true;
    root.sync_filesystem().unwrap_err();
}

#[test]
fn modes_are_as_configured() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(&dir.path().join("lake"));
    root.make_dirs("a/b").unwrap();
    root.create("a/b/f").unwrap().write_all(b"x").unwrap();
    assert_eq!(
        std::fs::metadata(root.path().join("a/b")).unwrap().mode() & 0o7777,
        0o750
    );
    assert_eq!(
        std::fs::metadata(root.path().join("a/b/f")).unwrap().mode() & 0o7777,
        0o640
    );
    assert_eq!(root.stat("a/b/f").unwrap().unwrap().bytes, 1);
    assert!(root.stat("a/c/f").unwrap().is_none());
}

#[test]
fn symlinks_are_never_followed() {
    let dir = tempfile::tempdir().unwrap();
    let outside = dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("kept"), "x").unwrap();
    let root = root(&dir.path().join("lake"));
    std::os::unix::fs::symlink(&outside, root.path().join("out")).unwrap();
    assert!(root.make_dirs("out/new").is_err());
    assert!(root.create("out/f").is_err());
    assert!(root.read("out/kept").is_err());
    assert!(root.remove_tree("out").is_err());
    assert!(root.list("out").is_err());
    root.make_dirs("tree").unwrap();
    std::os::unix::fs::symlink(&outside, root.path().join("tree/link")).unwrap();
    root.remove_tree("tree").unwrap();
    assert!(outside.join("kept").exists() && !root.path().join("tree").exists());
}

#[test]
fn names_cannot_climb() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(&dir.path().join("lake"));
    assert!(root.create("../f").is_err());
    assert!(root.make_dirs("a/../../b").is_err());
    assert!(!dir.path().join("b").exists());
}

#[test]
fn a_move_never_overwrites_unless_told() {
    let dir = tempfile::tempdir().unwrap();
    let root = root(dir.path());
    for (name, text) in [("a", "1"), ("b", "2")] {
        root.create(name).unwrap().write_all(text.as_bytes()).unwrap();
    }
    assert!(!root.rename_new("a", "b").unwrap());
    assert_eq!(root.read_all("b").unwrap().unwrap(), b"2");
    root.rename_over("a", "b").unwrap();
    assert_eq!(root.read_all("b").unwrap().unwrap(), b"1");
    assert!(root.read_all("a").unwrap().is_none());
}
