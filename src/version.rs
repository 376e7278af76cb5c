//! The text of `--version`.

use std::sync::LazyLock;

/// The version, the commit, and the version of librdkafka, for bug reports.
pub static TEXT: LazyLock<String> = LazyLock::new(|| {
    let (_, librdkafka) = rdkafka::util::get_rdkafka_version();
    let (version, commit) = (env!("CARGO_PKG_VERSION"), env!("LAKECTL_COMMIT"));
    format!("{version} (commit {commit}, librdkafka {librdkafka})")
});
