//! The only code that touches the file system: openat, rename, fsync, locks and ACLs.

pub mod acl;
pub(crate) mod checksummed;
pub(super) mod folder;
pub mod inherited_acl;
pub mod lock;
pub mod root;
