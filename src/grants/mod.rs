//! Permissions on folders of the lake: the rows of `user_permissions`, what they allow, and how they become ACLs and
//! MySQL's grants.

mod apply;
mod outcome;
mod path;
mod rules;
mod table;

use serde::{Deserialize, Serialize};
use std::fmt;

pub use apply::{Apply, apply};
pub use outcome::{AclChange, ApplyOutcome, Checked, CouldNot, GrantChange, GrantOutcome, SqlChange, listed};
pub use path::{concerns, normalise};
pub use rules::{Decision, Rule, Rules};
pub use table::{check_user, open, read, revoke, set};

/// The permission of a row. `write` includes `read`; `none` denies what a row on a folder further up allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    None,
    Read,
    Write,
}

impl Permission {
    /// Reads the column's text; any other text allows nothing.
    pub fn parse(text: &str) -> Permission {
        match text {
            "read" => Permission::Read,
            "write" => Permission::Write,
            _ => Permission::None,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Permission::None => "none",
            Permission::Read => "read",
            Permission::Write => "write",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
