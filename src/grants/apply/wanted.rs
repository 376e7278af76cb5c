//! Computes which ACL entries a user gets on a folder or file.

use super::{Permission, Rules, path};
use crate::lake::disk::acl::Bits;

const READ: Bits = 4;
const WRITE: Bits = 2;
const EXECUTE: Bits = 1;

/// lakectl's links to the newest snapshots.
const CURRENT: &str = "current";
/// The folder that those links point into.
const TABLES: &str = "tables";

/// A user's entry on a folder, and the default entry that new files there inherit. None means no entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FolderBits {
    pub(super) access: Option<Bits>,
    pub(super) default: Option<Bits>,
}

/// A user's entries on a folder; `decided` is the nearest row's permission, None if there is no row.
pub(super) fn on_folder(rules: &Rules, user: &str, folder: &str, decided: Option<Permission>) -> FolderBits {
    let bits = match decided {
        Some(Permission::Write) => Some(READ | WRITE | EXECUTE),
        Some(Permission::Read) => Some(READ | EXECUTE),
        // An entry without rights denies access, whatever the group and others may do.
        Some(Permission::None) => Some(0),
        None => None,
    };
    let pass = pass_through(rules, user, folder, decided);
    let access = match bits {
        Some(0) | None if pass => Some(EXECUTE),
        // A user with write access to the root could move the ledger away, and only lakectl changes the links.
        Some(bits) if folder == path::ROOT || folder == CURRENT => Some(bits & !WRITE),
        bits => bits,
    };
    FolderBits {
        access,
        default: bits.filter(|_| folder != CURRENT),
    }
}

/// A user's entry on a file.
pub(super) fn on_file(decided: Option<Permission>) -> Option<Bits> {
    decided.map(|permission| match permission {
        Permission::Write => READ | WRITE,
        Permission::Read => READ,
        Permission::None => 0,
    })
}

/// Whether the user must pass through a folder: to something below it or, in `current`, to the folders its links point to.
fn pass_through(rules: &Rules, user: &str, folder: &str, decided: Option<Permission>) -> bool {
    if rules.gives_below(user, folder) {
        return true;
    }
    let barred = decided == Some(Permission::None) && rules.on(user, CURRENT).is_some();
    folder == CURRENT
        && !barred
        && (rules.gives_below(user, TABLES) || rules.permission(user, TABLES) > Permission::None)
}

#[cfg(test)]
mod tests {
    use super::super::super::rules::rule;
    use super::*;
    use Permission::{None as Nothing, Read, Write};

    fn bits(rules: &Rules, folder: &str) -> (Option<Bits>, Option<Bits>) {
        let decided = match rules.decide("u", folder) {
            crate::grants::Decision::By(rule) => Some(rule.permission),
            _ => None,
        };
        let bits = on_folder(rules, "u", folder, decided);
        (bits.access, bits.default)
    }

    #[test]
    fn what_lies_above_is_passed_through_only() {
        let rules = Rules::new([rule("u", "tables/A", Read)]);
        assert_eq!(bits(&rules, "."), (Some(1), None));
        assert_eq!(bits(&rules, "tables"), (Some(1), None));
        assert_eq!(bits(&rules, "tables/A"), (Some(5), Some(5)));
        assert_eq!(bits(&rules, "tables/AB"), (None, None));
        assert_eq!(bits(&rules, "current"), (Some(1), None));
        assert_eq!(bits(&rules, "streams"), (None, None));
    }

    #[test]
    fn none_denies_and_still_lets_through_to_what_is_given_below() {
        let rules = Rules::new([
            rule("u", "streams", Read),
            rule("u", "streams/A", Nothing),
            rule("u", "streams/B", Nothing),
            rule("u", "streams/B/c", Read),
        ]);
        assert_eq!(bits(&rules, "streams/A"), (Some(0), Some(0)));
        assert_eq!(bits(&rules, "streams/B"), (Some(1), Some(0)));
        assert_eq!(bits(&rules, "current"), (None, None));
    }

    #[test]
    fn nobody_writes_among_lakectls_own() {
        let rules = Rules::new([rule("u", ".", Write)]);
        assert_eq!(bits(&rules, "."), (Some(5), Some(7)));
        assert_eq!(bits(&rules, "current"), (Some(5), None));
        assert_eq!(bits(&rules, "streams"), (Some(7), Some(7)));
        assert_eq!(
            [Some(Write), Some(Read), Some(Nothing), None].map(on_file),
            [Some(6), Some(4), Some(0), None]
        );
        let barred = Rules::new([rule("u", "tables", Read), rule("u", "current", Nothing)]);
        assert_eq!(bits(&barred, "current"), (Some(0), None));
    }
}
