//! Paths of permissions: they are relative to the lake root, and each has one spelling.

use crate::exit::usage;
use crate::lake::layout::paths::HOME;
use crate::problem::Problem;
use anyhow::Result;

/// The lake root itself.
pub(super) const ROOT: &str = ".";
const ROOT_IS: &str = "the lake root itself is `.`";
/// The length of user_permissions.folder_path, in characters.
const CHARS_MAX: usize = 512;
/// The length of a file name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// The one spelling of a path below the lake root: `./streams//X/` is `streams/X`, the root itself is `.`.
///
/// # Errors
/// Paths that are absolute, climb with `..`, hold control characters, are too long, or lead into the ledger: exit code 2.
pub fn normalise(text: &str) -> Result<String> {
    let shown = text.escape_debug();
    if text.is_empty() {
        return Problem::usage("the path is empty").fix(ROOT_IS).err();
    }
    if text.chars().any(char::is_control) {
        return Err(usage(format!("path `{shown}`: control characters are refused")));
    }
    let names: Vec<&str> = text
        .split('/')
        .filter(|name| !name.is_empty() && *name != ".")
        .collect();
    if text.starts_with('/') {
        return Problem::usage(format!(
            "path `{shown}`: paths are relative to the lake root, like streams/TRANSACTIONS_FLAT"
        ))
        .fix(ROOT_IS)
        .err();
    }
    if names.contains(&"..") {
        return Err(usage(format!("path `{shown}`: `..` is refused")));
    }
    if let Some(name) = names.iter().find(|name| name.len() > NAME_BYTES_MAX) {
        let length = name.len();
        return Err(usage(format!(
            "a name in the path has {length} bytes; no folder's name has more than {NAME_BYTES_MAX}"
        )));
    }
    if names.first() == Some(&HOME) {
        return Err(usage(format!(
            "path `{shown}`: {HOME} is lakectl's own folder, and nobody gets permissions there"
        )));
    }
    if names.is_empty() {
        return Ok(ROOT.to_owned());
    }
    let path = names.join("/");
    let chars = path.chars().count();
    if chars > CHARS_MAX {
        return Err(usage(format!(
            "the path has {chars} characters; at most {CHARS_MAX} are kept"
        )));
    }
    Ok(path)
}

/// The parent folder; None for the root.
pub(super) fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/') {
        Some((parent, _)) => Some(parent),
        None if path == ROOT => None,
        None => Some(ROOT),
    }
}

/// The path of a name in a folder.
pub(super) fn join(folder: &str, name: &str) -> String {
    match folder {
        ROOT => name.to_owned(),
        folder => format!("{folder}/{name}"),
    }
}

/// Whether `path` is `folder` or is below it, by whole names.
pub fn concerns(folder: &str, path: &str) -> bool {
    folder == ROOT
        || path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_spelling() {
        for (text, path) in [
            ("streams/X", "streams/X"),
            ("./streams//X/", "streams/X"),
            ("streams/./X/.", "streams/X"),
            (".", "."),
            ("./", "."),
            ("Données/été ", "Données/été "),
            ("...", "..."),
            (".lakectlx", ".lakectlx"),
        ] {
            assert_eq!(normalise(text).unwrap(), path, "{text}");
        }
    }

    #[test]
    fn refused() {
        let long = vec!["a".repeat(100); 6].join("/");
        let wide = "é".repeat(128);
        for text in [
            "",
            "/",
            "/streams",
            "..",
            "a/../b",
            "a/..",
            "a\nb",
            "a\0b",
            "a\u{85}b",
            ".lakectl",
            "./.lakectl/x",
            &long,
            &wide,
        ] {
            let error = normalise(text).unwrap_err();
            assert_eq!(crate::exit::code_of(&error), crate::exit::USAGE, "{text:?}");
            assert!(!format!("{error:#}").contains(char::is_control));
        }
        assert_eq!(
            normalise(&vec!["é".repeat(127); 4].join("/"))
                .unwrap()
                .chars()
                .count(),
            511
        );
    }

    #[test]
    fn neighbours_are_not_below() {
        assert!(
            concerns("a/b", "a/b") && concerns("a/b", "a/b/c") && concerns(".", "x") && concerns(".", ".")
        );
        assert!(!concerns("a/b", "a/bc") && !concerns("a/b", "a") && !concerns("a", "."));
    }

    proptest! {
        #[test]
        fn normal_stays_normal(text in "[a.é /]{0,24}") {
            if let Ok(path) = normalise(&text) {
                prop_assert_eq!(normalise(&path).unwrap(), path.clone());
                prop_assert!(path == "." || path.split('/').all(|name| !name.is_empty() && name != "." && name != ".."));
            }
        }
    }
}
