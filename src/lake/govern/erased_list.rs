//! The lake's own list of erased persons, and the secret that its hashes are made with.

use anyhow::{Context, Result, bail};
use std::time::Duration;

use crate::lake::disk::root::Root;
use crate::lake::disk::{checksummed, lock};
use crate::lake::layout::paths::HOME;
use crate::lake::opened::Lake;
use crate::locked::Locked;
use crate::problem::Problem;
use crate::subjects::list::{ErasedEntry, ErasureSecret, Erasures};

const ENTRIES: &str = ".lakectl/erasures";
const SECRET: &str = ".lakectl/erasure-key";
/// No topic can have this name.
const LOCK: &str = "@erasures";
/// Another erasure holds the lock only while it writes a small file.
const LOCK_WAIT: Duration = Duration::from_secs(30);

/// Reads the list and its secret.
///
/// # Errors
/// The list is damaged, or list or secret is missing. Then nothing may be taken in, or erased persons would come back.
pub(in crate::lake) fn load(root: &Root) -> Result<Erasures> {
    let secret = secret(root)?;
    match checksummed::read::<Vec<ErasedEntry>>(root, ENTRIES)? {
        Some(entries) => {
            Erasures::new(secret, entries, &root.shown(ENTRIES)).with_context(|| root.shown(SECRET))
        }
        None if secret.is_none() => Ok(Erasures::default()),
        None => bail!(
            "{} holds the key of erasures, but their list, {}, is gone: without it, erased persons would come back. \
             Restore the list from a backup",
            root.shown(SECRET),
            root.shown(ENTRIES)
        ),
    }
}

fn secret(root: &Root) -> Result<Option<ErasureSecret>> {
    let Some(hex) = checksummed::read::<String>(root, SECRET)? else {
        return Ok(None);
    };
    let bytes: Option<Vec<u8>> = (0..hex.len() / 2)
        .map(|at| u8::from_str_radix(hex.get(at * 2..at * 2 + 2)?, 16).ok())
        .collect();
    let secret = bytes.and_then(|bytes| ErasureSecret::from_bytes(&bytes));
    secret.map(Some).ok_or_else(|| {
        Problem::new(format!(
            "{} does not hold the key of erasures",
            root.shown(SECRET)
        ))
        .fix("restore it from a backup")
        .into()
    })
}

impl Lake<'_> {
    /// The list and its secret, as they are.
    pub fn erasures(&self) -> Result<Erasures> {
        load(&self.root)
    }

    /// Adds the entries that are not on the list yet. Every run that opens a topic after this drops records that match them.
    /// `suggested` becomes the lake's secret if it has none; `entries` makes the entries with the lake's secret.
    pub fn register(
        &self,
        run_id: &str,
        suggested: &ErasureSecret,
        entries: &dyn Fn(&ErasureSecret) -> Vec<ErasedEntry>,
    ) -> Result<()> {
        let _lock = match lock::take(&self.root, LOCK, run_id, LOCK_WAIT)? {
            Locked::Ours(lock) => lock,
            Locked::HeldBy(holder) => {
                return Problem::new(format!("the list of erasures is locked: {holder}"))
                    .fix("run again")
                    .err();
            }
        };
        self.root.make_dirs(HOME)?;
        let mut known = load(&self.root)?;
        let secret = match known.secret {
            Some(secret) => secret,
            None => {
                let hex: String = suggested
                    .bytes()
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                // The list is written first: a secret without a list means that the list was lost.
                checksummed::write(&self.root, ENTRIES, &known.entries)?;
                checksummed::write_secret(&self.root, SECRET, &hex)?;
                suggested.clone()
            }
        };
        let before = known.entries.len();
        for entry in entries(&secret) {
            let same = |known: &ErasedEntry| known.topic == entry.topic && known.hash == entry.hash;
            if !known.entries.iter().any(same) {
                known.entries.push(entry);
            }
        }
        if known.entries.len() > before {
            checksummed::write(&self.root, ENTRIES, &known.entries)
        } else {
            Ok(())
        }
    }
}
