//! What to do about errors of the operating system, whose own texts don't say it.

use rustix::io::Errno;
use std::io;

/// What to do about the operating system's error that is the first cause; None if there is no such advice.
pub fn on(error: &anyhow::Error) -> Option<&'static str> {
    errno(error).and_then(about)
}

/// The number of the operating system's error among the causes.
pub fn errno(error: &anyhow::Error) -> Option<Errno> {
    error.chain().find_map(number_of)
}

fn number_of(cause: &(dyn std::error::Error + 'static)) -> Option<Errno> {
    let from_std = || {
        cause
            .downcast_ref::<io::Error>()?
            .raw_os_error()
            .map(Errno::from_raw_os_error)
    };
    cause.downcast_ref::<Errno>().copied().or_else(from_std)
}

fn about(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::NOSPC => {
            "the disk is full: make room there (df -h, and df -i for the number of files), then run again; \
             what was committed is safe, and the next run continues from there"
        }
        Errno::DQUOT => {
            "the disk quota is used up: have it raised or make room, then run again; what was committed is safe, \
             and the next run continues from there"
        }
        Errno::IO => {
            "the disk reports an error: look into the kernel's log (dmesg) and at the disk before the next run, which \
             continues from what was committed"
        }
        Errno::ROFS => {
            "the file system is mounted read-only, by somebody or by the kernel after an error (dmesg): \
             mount it for writing, then run again"
        }
        Errno::ACCESS | Errno::PERM => {
            "this user may not do that: run as the user that owns the place, or have it given the right there \
             (ls -ld shows who has it)"
        }
        Errno::FBIG => {
            "a file may not grow that large: raise the limit of file sizes (ulimit -f) or set lake.max_file_size \
             lower, then run again"
        }
        Errno::MFILE | Errno::NFILE => {
            "too many files are open at once: raise the limit (ulimit -n), then run again"
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_error_at_the_bottom_decides() {
        let full = Err::<(), _>(io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error()))
            .context("writing x")
            .unwrap_err();
        assert!(on(&full).is_some_and(|advice| advice.contains("full")));
        let broken = Err::<(), _>(Errno::IO).context("syncing x").unwrap_err();
        assert!(on(&broken).is_some_and(|advice| advice.contains("dmesg")));
        assert_eq!(on(&anyhow::anyhow!("no")), None);
    }
}
