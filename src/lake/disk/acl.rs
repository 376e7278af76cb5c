//! POSIX access control lists, which Linux keeps in extended attributes: read, changed and written without setfacl.
//!
//! The format is that of linux/posix_acl_xattr.h: a version, then (tag, permissions, id), sorted by tag and id.

use anyhow::{Context, Result, bail};
use rustix::fs::{XattrFlags, fgetxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::os::fd::AsFd;

const ACCESS: &str = "system.posix_acl_access";
const DEFAULT: &str = "system.posix_acl_default";
const VERSION: u32 = 2;
const NO_ID: u32 = u32::MAX;

const USER_OBJ: u16 = 0x01;
const USER: u16 = 0x02;
const GROUP_OBJ: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// Read, write and execute, as in a mode.
pub type Bits = u16;
const EXECUTE: Bits = 1;

/// An access control list. It always has the three entries that a mode consists of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl(BTreeMap<(u16, u32), Bits>);

impl Acl {
    /// The list that grants the same as a mode.
    pub fn from_mode(mode: u32) -> Acl {
        let bits = |shift: u32| u16::try_from((mode >> shift) & 7).unwrap_or(0);
        Acl(BTreeMap::from([
            ((USER_OBJ, NO_ID), bits(6)),
            ((GROUP_OBJ, NO_ID), bits(3)),
            ((OTHER, NO_ID), bits(0)),
        ]))
    }

    fn decode(bytes: &[u8]) -> Result<Acl> {
        let (version, entries) = bytes.split_first_chunk::<4>().context("the ACL has no version")?;
        let (entries, rest) = entries.as_chunks::<8>();
        if u32::from_le_bytes(*version) != VERSION || !rest.is_empty() {
            bail!("the ACL has an unknown format");
        }
        let mut acl = Acl(BTreeMap::new());
        for &[t0, t1, p0, p1, i0, i1, i2, i3] in entries {
            let tag = u16::from_le_bytes([t0, t1]);
            let id = match tag {
                USER | GROUP => u32::from_le_bytes([i0, i1, i2, i3]),
                USER_OBJ | GROUP_OBJ | MASK | OTHER => NO_ID,
                tag => bail!("the ACL has an entry of the unknown kind {tag}"),
            };
            acl.0.insert((tag, id), u16::from_le_bytes([p0, p1]) & 7);
        }
        if [USER_OBJ, GROUP_OBJ, OTHER]
            .iter()
            .all(|&tag| acl.0.contains_key(&(tag, NO_ID)))
        {
            Ok(acl)
        } else {
            bail!("the ACL has no entry for the owner, the group or others")
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for (&(tag, id), &bits) in &self.0 {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(bits.to_le_bytes());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }

    /// The bits of a user's entry, before the mask.
    pub fn user(&self, uid: u32) -> Option<Bits> {
        self.0.get(&(USER, uid)).copied()
    }

    pub fn others(&self) -> Bits {
        self.0.get(&(OTHER, NO_ID)).copied().unwrap_or(0)
    }

    /// The entries that a mode could have: the list to begin a folder's default with.
    #[must_use]
    pub fn unnamed(&self) -> Acl {
        let kept = self
            .0
            .iter()
            .filter(|((tag, _), _)| matches!(*tag, USER_OBJ | GROUP_OBJ | OTHER));
        Acl(kept.map(|(&key, &bits)| (key, bits)).collect())
    }

    /// Whether it names users or groups, which a mode can't.
    pub fn names_anyone(&self) -> bool {
        self.0.keys().any(|&(tag, _)| tag == USER || tag == GROUP)
    }

    /// The list with these users' entries set, or removed (None). Every entry that is set counts in full; nobody else gains
    /// a right that the mask had kept from them.
    #[must_use]
    pub fn with_users(&self, users: &BTreeMap<u32, Option<Bits>>) -> Acl {
        let mask = self.0.get(&(MASK, NO_ID)).copied().unwrap_or(7);
        let settled = users
            .iter()
            .all(|(&uid, &bits)| self.user(uid) == bits && bits.is_none_or(|bits| bits & !mask == 0));
        if settled {
            return self.clone();
        }
        let mut acl = self.clone();
        for (&(tag, _), bits) in &mut acl.0 {
            if matches!(tag, USER | GROUP_OBJ | GROUP) {
                *bits &= mask;
            }
        }
        for (&uid, &bits) in users {
            match bits {
                Some(bits) => acl.0.insert((USER, uid), bits),
                None => acl.0.remove(&(USER, uid)),
            };
        }
        acl.masked()
    }

    /// With `self` as a folder's default: the ACL of a new file or folder in it, whose mode is not cut by a umask.
    #[must_use]
    pub fn inherited(&self, mode: u32, is_folder: bool) -> Acl {
        let mut acl = Acl::from_mode(mode);
        for (&(tag, id), &bits) in &self.0 {
            if tag == USER || tag == GROUP {
                let bits = if is_folder { bits } else { bits & !EXECUTE };
                acl.0.insert((tag, id), bits);
            }
        }
        acl.masked()
    }

    /// With a mask that lets every entry count, or without a mask if nobody is named.
    fn masked(mut self) -> Acl {
        self.0.remove(&(MASK, NO_ID));
        if self.names_anyone() {
            let classes = self
                .0
                .iter()
                .filter(|((tag, _), _)| matches!(*tag, USER | GROUP_OBJ | GROUP));
            let mask = classes.fold(0, |mask, (_, bits)| mask | bits);
            self.0.insert((MASK, NO_ID), mask);
        }
        self
    }
}

/// The ACL of an open file or folder; None if it has only a mode.
pub fn read_access(fd: impl AsFd) -> Result<Option<Acl>> {
    read(fd, ACCESS)
}

/// The default ACL of an open folder, which new files and folders in it inherit.
pub fn read_default(fd: impl AsFd) -> Result<Option<Acl>> {
    read(fd, DEFAULT)
}

/// Sets the ACL, and with it the mode's bits, which are a part of it.
pub fn write_access(fd: impl AsFd, acl: &Acl) -> Result<()> {
    Ok(fsetxattr(fd, ACCESS, &acl.encode(), XattrFlags::empty())?)
}

/// Sets a folder's default ACL. None: new files in it get only their mode.
pub fn write_default(fd: impl AsFd, acl: Option<&Acl>) -> Result<()> {
    match acl {
        Some(acl) => Ok(fsetxattr(fd, DEFAULT, &acl.encode(), XattrFlags::empty())?),
        None => match fremovexattr(fd, DEFAULT) {
            Ok(()) | Err(Errno::NODATA) => Ok(()),
            Err(error) => Err(error.into()),
        },
    }
}

fn read(fd: impl AsFd, name: &str) -> Result<Option<Acl>> {
    let fd = fd.as_fd();
    let mut small = [0u8; 1024];
    let mut large = Vec::new();
    let bytes = match fgetxattr(fd, name, &mut small) {
        Ok(length) => &small[..length],
        // No attribute of Linux is larger than 64 KiB.
        Err(Errno::RANGE) => {
            large.resize(64 << 10, 0);
            let length = fgetxattr(fd, name, &mut large)?;
            &large[..length]
        }
        // A filesystem without ACLs has none.
        Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Acl::decode(bytes).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::MetadataExt;

    fn set(acl: &Acl, uid: u32, bits: Option<Bits>) -> Acl {
        acl.with_users(&BTreeMap::from([(uid, bits)]))
    }

    #[test]
    fn the_format_is_the_kernels() {
        // As `setfacl -m u:1001:r-x` on mode 0750 leaves it.
        let acl = set(&Acl::from_mode(0o750), 1001, Some(5));
        let expected: Vec<u8> = [
            &[2, 0, 0, 0][..],
            &[1, 0, 7, 0, 255, 255, 255, 255],
            &[2, 0, 5, 0, 0xe9, 3, 0, 0],
            &[4, 0, 5, 0, 255, 255, 255, 255],
            &[16, 0, 5, 0, 255, 255, 255, 255],
            &[32, 0, 0, 0, 255, 255, 255, 255],
        ]
        .concat();
        assert_eq!(acl.encode(), expected);
        assert_eq!(Acl::decode(&expected).unwrap(), acl);
    }

    #[test]
    fn a_new_entry_counts_and_nobody_else_gains() {
        // A group that has rwx on paper, of which a mask of r-x leaves r-x.
        let mut acl = Acl::from_mode(0o740);
        acl.0.insert((GROUP, 7), 7);
        acl.0.insert((MASK, NO_ID), 5);
        let wider = set(&acl, 1001, Some(7));
        assert_eq!(wider.0[&(MASK, NO_ID)], 7);
        assert_eq!(wider.0[&(GROUP, 7)], 5);
        assert_eq!(wider.user(1001), Some(7));
        assert_eq!(set(&wider, 1001, Some(7)), wider);
    }

    #[test]
    fn an_entry_that_the_mask_cuts_counts_again() {
        let mut acl = set(&Acl::from_mode(0o750), 1001, Some(5));
        acl.0.insert((MASK, NO_ID), 0);
        assert_eq!(set(&acl, 1001, Some(5)).0[&(MASK, NO_ID)], 5);
        // The group had nothing behind that mask, and gets nothing back.
        assert_eq!(set(&acl, 1001, Some(5)).0[&(GROUP_OBJ, NO_ID)], 0);
    }

    #[test]
    fn without_names_it_is_a_mode_again() {
        let mode = Acl::from_mode(0o750);
        assert_eq!(set(&set(&mode, 1001, Some(7)), 1001, None), mode);
    }

    #[test]
    fn a_file_inherits_no_execute_and_keeps_its_mode() {
        let default = set(&Acl::from_mode(0o777), 1001, Some(7));
        let file = default.inherited(0o640, false);
        assert_eq!((file.user(1001), file.others()), (Some(6), 0));
        assert_eq!(file.0[&(MASK, NO_ID)], 6);
        assert_eq!(default.inherited(0o750, true).user(1001), Some(7));
    }

    #[test]
    fn the_kernel_takes_and_returns_it() {
        let dir = tempfile::tempdir().unwrap();
        let folder = std::fs::File::open(dir.path()).unwrap();
        let acl = set(&Acl::from_mode(0o750), 4_000_000_000, Some(5));
        let many: BTreeMap<u32, Option<Bits>> = (0..150).map(|n| (70_000 + n, Some(4))).collect();
        for acl in [acl.clone(), acl.with_users(&many)] {
            write_access(&folder, &acl).unwrap();
            write_default(&folder, Some(&acl)).unwrap();
            assert_eq!(read_access(&folder).unwrap(), Some(acl.clone()));
            assert_eq!(read_default(&folder).unwrap(), Some(acl));
        }
        write_access(&folder, &Acl::from_mode(0o710)).unwrap();
        write_default(&folder, None).unwrap();
        write_default(&folder, None).unwrap();
        assert_eq!(read_access(&folder).unwrap(), None);
        assert_eq!(read_default(&folder).unwrap(), None);
        assert_eq!(folder.metadata().unwrap().mode() & 0o7777, 0o710);
    }

    proptest! {
        #[test]
        fn decoding_never_panics_and_inverts_encoding(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(acl) = Acl::decode(&bytes) {
                prop_assert_eq!(Acl::decode(&acl.encode()).unwrap(), acl);
            }
        }

        /// Every entry that is set counts in full, behind the mask too; setting it again changes nothing.
        #[test]
        fn what_is_set_counts(
            mode in 0u32..0o1000,
            before in proptest::collection::btree_map(0u32..6, proptest::option::of(0u16..8), 0..5),
            users in proptest::collection::btree_map(0u32..6, proptest::option::of(0u16..8), 0..5),
        ) {
            let first = Acl::from_mode(mode).with_users(&before);
            let acl = first.with_users(&users);
            let mask = acl.0.get(&(MASK, NO_ID)).copied().unwrap_or(7);
            for (&uid, &bits) in &users {
                prop_assert_eq!(acl.user(uid), bits);
                prop_assert!(bits.is_none_or(|bits| bits & !mask == 0));
            }
            for (uid, bits) in before.iter().filter(|(uid, _)| !users.contains_key(uid)) {
                prop_assert_eq!(acl.user(*uid), *bits);
            }
            prop_assert_eq!(acl.with_users(&users), acl.clone());
            prop_assert_eq!(acl.0[&(OTHER, NO_ID)], first.0[&(OTHER, NO_ID)]);
            prop_assert_eq!(acl.names_anyone(), acl.0.contains_key(&(MASK, NO_ID)));
        }
    }
}
