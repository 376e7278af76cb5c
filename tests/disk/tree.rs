//! What lies in a lake, byte for byte.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Paths relative to the lake root; a link's content is where it points.
pub type Tree = BTreeMap<PathBuf, Vec<u8>>;

/// What readers see: the data files, and the links to them.
pub fn visible(root: &Path) -> Tree {
    let mut tree = all(root);
    tree.retain(|path, _| !path.starts_with(".lakectl"));
    tree
}

/// That, and all that the lake knows of itself. Locks, and what was staged or thrown away, may come and go.
pub fn durable(root: &Path) -> Tree {
    let passing = ["locks", "staging", "trash", "lake.lock"].map(|name| Path::new(".lakectl").join(name));
    let mut tree = all(root);
    tree.retain(|path, _| !passing.iter().any(|place| path.starts_with(place)));
    tree
}

fn all(root: &Path) -> Tree {
    let mut tree = Tree::new();
    for found in walkdir::WalkDir::new(root) {
        let found = match found {
            Err(_) if !root.exists() => break,
            found => found.unwrap(),
        };
        let content = match found.file_type() {
            kind if kind.is_dir() => continue,
            kind if kind.is_symlink() => {
                let target = std::fs::read_link(found.path()).unwrap();
                format!("-> {}", target.display()).into_bytes()
            }
            _ => std::fs::read(found.path()).unwrap(),
        };
        tree.insert(found.path().strip_prefix(root).unwrap().to_owned(), content);
    }
    tree
}

/// Fails with the paths that differ.
pub fn assert_same(now: &Tree, wanted: &Tree, what: &str) {
    let paths = now.keys().chain(wanted.keys());
    let differing: std::collections::BTreeSet<_> =
        paths.filter(|path| now.get(*path) != wanted.get(*path)).collect();
    let shown: Vec<_> = differing
        .iter()
        .map(|path| {
            let size = |tree: &Tree| tree.get(*path).map(Vec::len);
            format!(
                "{}: {:?} bytes in place of {:?}",
                path.display(),
                size(now),
                size(wanted)
            )
        })
        .collect();
    assert!(shown.is_empty(), "{what}: {shown:#?}");
}
