//! The lake as a file system: the only code that knows openat, rename, fsync, locks and ACLs.

pub mod acl;
pub(crate) mod checksummed;
pub(super) mod folder;
pub mod inherited_acl;
pub mod lock;
pub mod root;
