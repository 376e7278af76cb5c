//! What `--version` says.

use std::sync::LazyLock;

/// The version, the commit it was built from, and librdkafka's version: what a bug report needs.
pub static TEXT: LazyLock<String> = LazyLock::new(|| {
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("LAKECTL_COMMIT"));
    format!("{version} (commit {commit}, librdkafka {librdkafka})")
});
