//! Decides by the rows: the row on the nearest folder above a path wins, by whole names; without a row nothing is allowed.

use serde::Serialize;
use std::collections::BTreeMap;

use super::{Permission, path};
use crate::lake::layout::paths::HOME;

/// A row of user_permissions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rule {
    pub user_id: String,
    pub folder_path: String,
    pub permission: Permission,
    /// RFC 3339 in UTC.
    pub last_updated_at: String,
}

/// Why something is allowed or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision<'r> {
    By(&'r Rule),
    /// None of the user's rows applies.
    Default,
    /// The path is in lakectl's own folder.
    Ledger,
}

/// The rows, by user and normalised path.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    users: BTreeMap<String, BTreeMap<String, Rule>>,
    /// Rows with an invalid path, with the reason. lakectl does not write such rows.
    pub unusable: Vec<(Rule, String)>,
}

impl Rules {
    /// Sorts the rows. Rows that others wrote count too, by their normalised paths; of two with the same path the stricter
    /// one counts.
    pub fn new(rows: impl IntoIterator<Item = Rule>) -> Rules {
        let mut rules = Rules::default();
        for rule in rows {
            match path::normalise(&rule.folder_path) {
                Ok(path) => {
                    let of_user = rules.users.entry(rule.user_id.clone()).or_default();
                    match of_user.get(&path) {
                        Some(known) if known.permission <= rule.permission => {}
                        _ => drop(of_user.insert(path, rule)),
                    }
                }
                Err(error) => rules.unusable.push((rule, format!("{error:#}"))),
            }
        }
        rules
    }

    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.users.keys().map(String::as_str)
    }

    /// The row on exactly this path.
    pub fn on(&self, user: &str, path: &str) -> Option<&Rule> {
        self.users.get(user)?.get(path)
    }

    /// The user's rows with their normalised paths.
    pub fn of<'r>(&'r self, user: &str) -> impl Iterator<Item = (&'r str, &'r Rule)> {
        let of_user = self.users.get(user);
        of_user
            .into_iter()
            .flatten()
            .map(|(path, rule)| (path.as_str(), rule))
    }

    /// Finds what decides on a normalised path.
    pub fn decide(&self, user: &str, path: &str) -> Decision<'_> {
        if path::concerns(HOME, path) {
            return Decision::Ledger;
        }
        let mut at = Some(path);
        while let Some(folder) = at {
            if let Some(rule) = self.on(user, folder) {
                return Decision::By(rule);
            }
            at = path::parent(folder);
        }
        Decision::Default
    }

    pub fn permission(&self, user: &str, path: &str) -> Permission {
        self.decide(user, path).permission()
    }

    /// Whether a row allows the user anything below a folder.
    pub fn gives_below(&self, user: &str, folder: &str) -> bool {
        let Some(of_user) = self.users.get(user) else {
            return false;
        };
        let gives = |(path, rule): (&String, &Rule)| {
            path != folder && path::concerns(folder, path) && rule.permission > Permission::None
        };
        match folder {
            path::ROOT => of_user.iter().any(gives),
            // Everything below sorts between `folder/` and `folder0`, the character after the slash.
            folder => of_user
                .range(format!("{folder}/")..format!("{folder}0"))
                .any(gives),
        }
    }
}

impl Decision<'_> {
    pub fn permission(&self) -> Permission {
        match self {
            Decision::By(rule) => rule.permission,
            Decision::Default | Decision::Ledger => Permission::None,
        }
    }
}

#[cfg(test)]
pub(super) fn rule(user: &str, path: &str, permission: Permission) -> Rule {
    Rule {
        user_id: user.to_owned(),
        folder_path: path.to_owned(),
        permission,
        last_updated_at: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Permission::{None as Nothing, Read, Write};
    use proptest::prelude::*;

    #[test]
    fn the_nearest_folder_wins() {
        let rules = Rules::new([
            rule("u", ".", Read),
            rule("u", "a", Nothing),
            rule("u", "a/b", Write),
            rule("v", "a/b", Read),
        ]);
        let says = |user, path| rules.permission(user, path);
        assert_eq!(
            (says("u", "x/y"), says("u", "a"), says("u", "a/bc")),
            (Read, Nothing, Nothing)
        );
        assert_eq!(
            (says("u", "a/b/c/d"), says("v", "a"), says("v", "a/bc")),
            (Write, Nothing, Nothing)
        );
        assert_eq!(
            (says("U", "a/b"), says("u ", "a/b"), says("u", ".lakectl/x")),
            (Nothing, Nothing, Nothing)
        );
        assert_eq!(rules.decide("v", "a"), Decision::Default);
        assert_eq!(rules.decide("u", ".lakectl"), Decision::Ledger);
    }

    #[test]
    fn rows_of_others_count_by_what_they_mean() {
        let rules = Rules::new([
            rule("u", "./a//b/", Nothing),
            rule("u", "a/b", Write),
            rule("u", "/a", Write),
        ]);
        assert_eq!(rules.permission("u", "a/b"), Nothing);
        assert_eq!(rules.unusable.len(), 1);
    }

    fn paths() -> impl Strategy<Value = Vec<&'static str>> {
        proptest::collection::vec(proptest::sample::select(vec!["a", "ab", "b", "b0", "b-"]), 0..4)
    }

    fn joined(names: &[&str]) -> String {
        match names {
            [] => ".".to_owned(),
            names => names.join("/"),
        }
    }

    proptest! {
        /// Compares with the simplest model: of all rows whose names begin the path's names, the longest decides.
        #[test]
        fn decisions_follow_the_model(
            rows in proptest::collection::btree_map(paths(), proptest::sample::select(vec![Nothing, Read, Write]), 0..8),
            asked in paths(),
        ) {
            let rules = Rules::new(rows.iter().map(|(names, &says)| rule("u", &joined(names), says)));
            let model = rows.iter().filter(|(names, _)| asked.starts_with(names)).max_by_key(|(names, _)| names.len());
            let path = joined(&asked);
            prop_assert_eq!(rules.permission("u", &path), model.map_or(Nothing, |(_, &says)| says));
            prop_assert_eq!(matches!(rules.decide("u", &path), Decision::By(_)), model.is_some());
            let below = rows.iter().any(|(names, &says)| names.len() > asked.len() && names.starts_with(&asked) && says != Nothing);
            prop_assert_eq!(rules.gives_below("u", &path), below);
        }
    }
}
