//! Groups the changes of the walk for the report: the same change on a folder and on everything below it is one.

use super::people::Person;
use crate::grants::outcome::shown_bits;
use crate::grants::{AclChange, path};
use crate::lake::disk::acl::Bits;

/// An entry before and after; None means no entry.
pub(super) type BitsChange = (Option<Bits>, Option<Bits>);

#[derive(Debug, Default)]
pub(super) struct Groups(Vec<Group>);

/// The same change of one person's entry on a folder and below it.
#[derive(Debug)]
struct Group {
    person: usize,
    path: String,
    change: BitsChange,
    inherited_only: bool,
    folders: u64,
    files: u64,
}

impl Groups {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a folder's change to its parent folder's group if the change is the same, else begins a group.
    pub(super) fn folder(
        &mut self,
        person: usize,
        path: &str,
        change: BitsChange,
        inherited_only: bool,
        above: Option<usize>,
    ) -> Option<usize> {
        if change.0 == change.1 {
            return None;
        }
        let same = |group: &Group| group.change == change && group.inherited_only == inherited_only;
        let at = match above.filter(|&at| self.0.get(at).is_some_and(same)) {
            Some(at) => at,
            None => self.begin(person, path.to_owned(), change, inherited_only),
        };
        if let Some(group) = self.0.get_mut(at) {
            group.folders += 1;
        }
        Some(at)
    }

    /// Adds a file's change to its folder's group if it is the same except for x, else to a group for files only.
    /// The folder's groups for files begin at index `first`.
    pub(super) fn file(
        &mut self,
        person: usize,
        folder: &str,
        change: BitsChange,
        above: Option<usize>,
        first: usize,
    ) {
        let on_files = |bits: Option<Bits>| bits.map(|bits| bits & !1);
        let same = |group: &Group| {
            !group.inherited_only && (on_files(group.change.0), on_files(group.change.1)) == change
        };
        let path = path::join(folder, "*");
        let at = above.filter(|&at| self.0.get(at).is_some_and(same)).or_else(|| {
            let mut later = self.0.iter().enumerate().skip(first);
            later
                .find(|(_, group)| group.person == person && group.change == change && group.path == path)
                .map(|(at, _)| at)
        });
        let at = at.unwrap_or_else(|| self.begin(person, path, change, false));
        if let Some(group) = self.0.get_mut(at) {
            group.files += 1;
        }
    }

    fn begin(&mut self, person: usize, path: String, change: BitsChange, inherited_only: bool) -> usize {
        self.0.push(Group {
            person,
            path,
            change,
            inherited_only,
            folders: 0,
            files: 0,
        });
        self.0.len() - 1
    }

    pub(super) fn changes(&self, people: &[Person]) -> Vec<AclChange> {
        let changes = self.0.iter().filter_map(|group| {
            let person = people.get(group.person)?;
            Some(AclChange {
                user_id: person.user_id.clone(),
                uid: person.uid,
                path: group.path.clone(),
                before: group.change.0.map(shown_bits),
                after: group.change.1.map(shown_bits),
                inherited_only: group.inherited_only,
                folders: group.folders,
                files: group.files,
            })
        });
        changes.collect()
    }
}
