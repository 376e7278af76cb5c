//! Walks over the lake's folders and sets their ACLs. It follows no links, and writes an ACL only if it changes.

use anyhow::{Context, Result};
use rustix::fs::{self, AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use super::groups::Groups;
use super::people::{People, Person};
use super::{ApplyOutcome, LISTED_MAX, Permission, Rules, path, wanted};
use crate::lake::disk::acl::{self, Acl, Bits};
use crate::lake::disk::root::Root;
use crate::lake::layout::paths::HOME;

/// A deeper tree is not lakectl's.
const DEPTH_MAX: usize = 40;
const OPEN: OFlags = OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK);

/// Sets the entries of `people` on every folder and file. Returns false if some could not be set.
pub(super) fn apply(
    root: &Root,
    rules: &Rules,
    people: &People,
    dry_run: bool,
    begin: &mut dyn FnMut() -> Result<()>,
    out: &mut ApplyOutcome,
) -> Result<bool> {
    let dir = root.folder("")?.context("the lake root vanished")?;
    let mut walk = Walk {
        rules,
        people: &people.list,
        dry_run,
        begin,
        out,
        groups: Groups::default(),
        seen: BTreeSet::new(),
        open_to_all: 0,
        failures: 0,
        without_acls: false,
    };
    let above = vec![Above::default(); people.list.len()];
    walk.folder(dir, path::ROOT, &above, 0)?;
    let whole = walk.failures == 0;
    walk.finish();
    if !walk.without_acls {
        report_unreached(root, rules, people, &walk.seen, walk.out)?;
    }
    warn_of_closed_parents(root, walk.out);
    Ok(whole)
}

/// What a folder passes on to those below it, for one person.
#[derive(Debug, Clone, Copy, Default)]
struct Above {
    /// The nearest row's permission.
    decided: Option<Permission>,
    /// The change on the folder itself.
    group: Option<usize>,
}

struct Walk<'a> {
    rules: &'a Rules,
    people: &'a [Person],
    dry_run: bool,
    begin: &'a mut dyn FnMut() -> Result<()>,
    out: &'a mut ApplyOutcome,
    groups: Groups,
    /// Paths of rows that the walk has reached.
    seen: BTreeSet<String>,
    open_to_all: u64,
    failures: u64,
    without_acls: bool,
}

impl Walk<'_> {
    fn folder(&mut self, dir: OwnedFd, path: &str, above: &[Above], depth: usize) -> Result<()> {
        let mut here = self.decide(path, above);
        // The ACL is set before the names are read, so that files created in between inherit it.
        self.set_folder(&dir, path, &mut here)?;
        let names = match names(&dir) {
            Ok(names) => names,
            Err(error) => return self.failed(path, &error),
        };
        let first_group = self.groups.len();
        for (name, kind) in names {
            let shown = name.to_string_lossy();
            if self.without_acls || (path == path::ROOT && shown == HOME) {
                continue;
            }
            let below = path::join(path, &shown);
            let folder = kind == FileType::Directory;
            if !folder && kind != FileType::RegularFile {
                continue;
            }
            let flags = if folder { OPEN | OFlags::DIRECTORY } else { OPEN };
            match fs::openat(&dir, name.as_c_str(), flags, Mode::empty()) {
                Ok(_) if depth >= DEPTH_MAX => {
                    self.failed(&below, &anyhow::anyhow!("too deep; nothing below it was touched"))?;
                }
                Ok(fd) if folder => self.folder(fd, &below, &here, depth + 1)?,
                Ok(fd) => self.set_file(&fd, &below, path, &here, first_group)?,
                // It was purged or replaced in the meantime.
                Err(Errno::NOENT) => {}
                Err(error) => self.failed(&below, &error.into())?,
            }
        }
        Ok(())
    }

    fn decide(&mut self, path: &str, above: &[Above]) -> Vec<Above> {
        let mut here = above.to_vec();
        for (person, here) in self.people.iter().zip(&mut here) {
            let rule = person
                .has_rules
                .then(|| self.rules.on(&person.user_id, path))
                .flatten();
            if let Some(rule) = rule {
                here.decided = Some(rule.permission);
                self.seen.insert(path.to_owned());
            }
        }
        here
    }

    fn set_folder(&mut self, dir: &OwnedFd, path: &str, here: &mut [Above]) -> Result<()> {
        let (access, default) = match lists(dir) {
            Ok(lists) => lists,
            Err(error) => return self.failed(path, &error),
        };
        let (mut accesses, mut defaults) = (BTreeMap::new(), BTreeMap::new());
        for (person, here) in self.people.iter().zip(here.iter()) {
            let bits = wanted::on_folder(self.rules, &person.user_id, path, here.decided);
            let none = wanted::FolderBits {
                access: None,
                default: None,
            };
            let bits = if person.has_rules { bits } else { none };
            accesses.insert(person.uid, bits.access);
            defaults.insert(person.uid, bits.default);
        }
        self.open_to_all += u64::from(access.others() != 0);
        let new_access = access.with_users(&accesses);
        let old_default = default.unwrap_or_else(|| access.unnamed());
        let new_default = old_default.with_users(&defaults);
        let default_changes = new_default != old_default;
        let above: Vec<_> = here.iter_mut().map(|here| here.group.take()).collect();
        if new_access == access && !default_changes {
            return Ok(());
        }
        let written = self.write(path, || {
            if new_access != access {
                acl::write_access(dir, &new_access)?;
            }
            if default_changes {
                acl::write_default(dir, Some(&new_default).filter(|acl| acl.names_anyone()))
            } else {
                Ok(())
            }
        })?;
        if !written {
            return Ok(());
        }
        for (at, (person, here)) in self.people.iter().zip(here.iter_mut()).enumerate() {
            let own = (access.user(person.uid), new_access.user(person.uid));
            let handed = (old_default.user(person.uid), new_default.user(person.uid));
            let (change, inherited_only) = if own.0 == own.1 {
                (handed, true)
            } else {
                (own, false)
            };
            let above = above.get(at).copied().flatten();
            here.group = self.groups.folder(at, path, change, inherited_only, above);
        }
        self.out.mended += u64::from(here.iter().all(|here| here.group.is_none()));
        Ok(())
    }

    fn set_file(
        &mut self,
        file: &OwnedFd,
        path: &str,
        folder: &str,
        above: &[Above],
        first_group: usize,
    ) -> Result<()> {
        let here = self.decide(path, above);
        let access = match file_list(file) {
            Ok(access) => access,
            Err(error) => return self.failed(path, &error),
        };
        let bits = |(person, here): (&Person, &Above)| {
            let bits = wanted::on_file(here.decided).filter(|_| person.has_rules);
            (person.uid, bits)
        };
        let wanted: BTreeMap<u32, Option<Bits>> = self.people.iter().zip(&here).map(bits).collect();
        self.open_to_all += u64::from(access.others() != 0);
        let new_access = access.with_users(&wanted);
        if new_access == access {
            return Ok(());
        }
        if !self.write(path, || acl::write_access(file, &new_access))? {
            return Ok(());
        }
        let mut is_listed = false;
        for (at, (person, here)) in self.people.iter().zip(&here).enumerate() {
            let change = (access.user(person.uid), new_access.user(person.uid));
            if change.0 != change.1 {
                self.groups.file(at, folder, change, here.group, first_group);
                is_listed = true;
            }
        }
        self.out.mended += u64::from(!is_listed);
        Ok(())
    }

    /// Writes an ACL. Returns whether it was (or, with --dry-run, would be) written.
    fn write(&mut self, path: &str, write: impl Fn() -> Result<()>) -> Result<bool> {
        if !self.dry_run {
            (self.begin)()?;
            if let Err(error) = write() {
                self.failed(path, &error)?;
                return Ok(false);
            }
        }
        self.out.changed = true;
        Ok(true)
    }

    fn failed(&mut self, path: &str, error: &anyhow::Error) -> Result<()> {
        if error.downcast_ref() == Some(&Errno::NOENT) {
            // A purge has removed it in the meantime.
            return Ok(());
        }
        self.failures += 1;
        let reason = match error.downcast_ref::<Errno>() {
            Some(&Errno::OPNOTSUPP) => {
                self.without_acls = true;
                "this file system does not store POSIX ACLs; mount it with the option acl".to_owned()
            }
            Some(&Errno::PERM) => "only its owner or root may change its ACL".to_owned(),
            Some(&Errno::NOSPC) => "there is no room for the ACL: too many users, or a full disk".to_owned(),
            _ => format!("{error:#}"),
        };
        if self.out.could_not.len() < LISTED_MAX {
            self.out.could_not(None, path, reason);
        }
        Ok(())
    }

    fn finish(&mut self) {
        let changes = self.groups.changes(self.people);
        self.out.acl.extend(changes);
        if self.failures > LISTED_MAX as u64 {
            let reason = format!("{} files and folders in all could not be changed", self.failures);
            self.out.could_not(None, "files", reason);
        }
        if self.open_to_all > 0 {
            self.out.warnings.insert(format!(
                "{} files and folders of the lake are open to everyone by their mode (lake.file_mode, lake.dir_mode): \
                 there only `none` keeps a user out",
                self.open_to_all
            ));
        }
    }
}

fn lists(dir: &OwnedFd) -> Result<(Acl, Option<Acl>)> {
    let access = match acl::read_access(dir)? {
        Some(access) => access,
        None => Acl::from_mode(fs::fstat(dir)?.st_mode),
    };
    Ok((access, acl::read_default(dir)?))
}

fn file_list(file: &OwnedFd) -> Result<Acl> {
    let stat = fs::fstat(file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        anyhow::bail!("was replaced by something that is not a file");
    }
    if stat.st_nlink > 1 {
        // One of its names may be outside of the lake.
        anyhow::bail!("has several names (hard links), which lakectl never makes; left as it is");
    }
    Ok(acl::read_access(file)?.unwrap_or_else(|| Acl::from_mode(stat.st_mode)))
}

fn names(dir: &OwnedFd) -> Result<Vec<(CString, FileType)>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir.as_fd())? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                FileType::from_raw_mode(fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)?.st_mode)
            }
            kind => kind,
        };
        names.push((name.to_owned(), kind));
    }
    names.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(names)
}

/// Reports rows whose path the walk did not reach. One that denies matters only if a row further up allows something.
fn report_unreached(
    root: &Root,
    rules: &Rules,
    people: &People,
    seen: &BTreeSet<String>,
    out: &mut ApplyOutcome,
) -> Result<()> {
    for person in people.list.iter().filter(|person| person.has_rules) {
        for (path, rule) in rules.of(&person.user_id) {
            let given_above = path::parent(path)
                .is_some_and(|parent| rules.permission(&person.user_id, parent) > Permission::None);
            let idle = rule.permission == Permission::None && !given_above;
            if seen.contains(path) || out.made.iter().any(|made| made == path) || idle {
                continue;
            }
            let reason = match root.stat(path) {
                Ok(Some(_)) => {
                    "is a symlink, or something else that has no ACL of its own; grant what it points to"
                }
                Ok(None) => "does not exist in the lake; apply again once it does",
                Err(_) => "leads through a symlink, which is never followed",
            };
            out.could_not(Some(&person.user_id), path, reason);
        }
    }
    Ok(())
}

/// Warns of folders above the lake that are closed to others: then no grant has any effect.
fn warn_of_closed_parents(root: &Root, out: &mut ApplyOutcome) {
    use std::os::unix::fs::MetadataExt;
    let Ok(full) = root.path().canonicalize() else {
        return;
    };
    for folder in full.ancestors().skip(1) {
        if folder.metadata().is_ok_and(|facts| facts.mode() & 1 == 0) {
            out.warnings.insert(format!(
                "{}, above the lake, is closed to others by its mode: granted users may not get through",
                folder.display()
            ));
        }
    }
}
