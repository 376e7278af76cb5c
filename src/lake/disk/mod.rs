//! The lake as a file system: opening, making, renaming, removing, locks, ACLs. Bytes of data files are written and synced
//! in `file/`; every path goes through here, so that nothing leaves the lake's root.

pub mod acl;
pub(crate) mod checksum;
pub(crate) mod checksummed;
pub(super) mod folder;
pub mod inherited_acl;
pub mod lock;
pub mod root;
