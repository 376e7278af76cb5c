//! An opened lake: its root folder and its settings.

use anyhow::Result;

use super::disk::root::Root;
use super::ledger;
use crate::config::Settings;
use crate::decode::registry::Registry;
use crate::problem::Problem;

/// An opened lake.
#[derive(Debug)]
pub struct Lake<'a> {
    pub(super) root: Root,
    pub(super) settings: &'a Settings,
    pub(super) registry: Registry,
}

impl<'a> Lake<'a> {
    /// Opens the lake; with `create` a missing one is begun. None: there is none.
    ///
    /// # Errors
    /// The lake was made in another time zone: exit code 2.
    pub fn at(settings: &'a Settings, create: bool) -> Result<Option<Lake<'a>>> {
        let lake = &settings.lake;
        let Some(root) = Root::open(&lake.root, lake.file_mode, lake.dir_mode, create)? else {
            return Ok(None);
        };
        if !create && !ledger::exists(&root)? {
            return Ok(None);
        }
        ledger::open(&root, lake.timezone, create)?;
        Ok(Some(Lake {
            root,
            settings,
            registry: Registry::new(settings.registry.as_ref())?,
        }))
    }

    /// Opens a lake that must exist.
    ///
    /// # Errors
    /// There is none: exit code 2.
    pub fn existing(settings: &'a Settings) -> Result<Lake<'a>> {
        Lake::at(settings, false)?.ok_or_else(|| {
            Problem::usage(format!("there is no lake at {}", settings.lake.root.display()))
                .fix("is its disk mounted, and is lake.root right?")
                .into()
        })
    }

    pub fn root(&self) -> &Root {
        &self.root
    }
}
