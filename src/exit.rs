//! The exit codes, and which errors lead to which.

use crate::problem::Problem;

/// Done, also when there was nothing to do.
pub const DONE: u8 = 0;
/// Failed: at least one topic, or the whole run.
pub const FAILED: u8 = 1;
/// Wrong usage or configuration: nothing was read.
pub const USAGE: u8 = 2;
/// Done, but a person has to look at something: rejected records, records that fill only the key or are not in their envelope,
/// an accepted gap, drift.
pub const ATTENTION: u8 = 3;
/// Another run holds a lock, and nothing else went wrong.
pub const LOCKED: u8 = 11;
/// Stopped by SIGINT (128 + 2).
pub const INTERRUPTED: u8 = 130;
/// Stopped by SIGTERM (128 + 15).
pub const TERMINATED: u8 = 143;

/// Shown at the end of every `--help`.
pub const HELP: &str = "Exit codes:
  0    done (also: nothing to do)
  1    failed (of several topics: at least one; the report says which)
  2    wrong usage or configuration
  3    done, but something needs a person (rejected records, records that fill only the key or are not in their
       envelope, an accepted gap, drift)
  11   another run holds a lock, and nothing else went wrong
  130  stopped by SIGINT (Ctrl-C)
  143  stopped by SIGTERM";

/// The same for `grant`.
pub const GRANT_HELP: &str = "Exit codes:
  0    done (also: nothing to do)
  1    failed
  2    wrong usage or configuration
  3    done, but something needs a person (apply: what could not be done)
  11   another run holds a lock
grant check exits 0 when allowed, 1 when denied, 2 on anything else, as grep does.";

/// The same for `compact`.
pub const COMPACT_HELP: &str = "Exit codes:
  0    done (also: nothing to do)
  1    failed: at least one day can't be read or written, and stays as it was; the report says which
  2    wrong usage or configuration
  3    done, but files that are not lakectl's keep a day from being compacted
  11   another run holds a lock, and nothing else went wrong
  130  stopped by SIGINT (Ctrl-C)
  143  stopped by SIGTERM";

/// The same for `discover`.
pub const DISCOVER_HELP: &str = "Exit codes:
  0    ksqlDB, the schema registry or Kafka's settings said all of it (also: no topic lacks an entry)
  1    Kafka, ksqlDB or the registry could not be asked
  2    wrong usage or configuration
  3    something is a guess from a sample of records, or could not be found out: the comments say what
  130  stopped by SIGINT (Ctrl-C)
  143  stopped by SIGTERM";

/// The same for `status`.
pub const STATUS_HELP: &str = "Exit codes:
  0    everything could be asked, and the next runs have nothing against it
  1    nothing at all could be asked, or the page could not be written
  2    wrong usage or configuration
  3    something is unknown, damaged, or would stop a run: the warnings say what, and what to do
It takes no lock, changes nothing, and gives up on Kafka and MySQL after a few seconds.";

/// The same for `check`.
pub const CHECK_HELP: &str = "Exit codes:
  0    nothing is wrong (what could not be looked at is `unknown`)
  1    failed before it could answer
  2    wrong usage or configuration: nothing was looked at
  3    something needs a person: each line that begins with `wrong` says what, and what to do
  130  stopped by SIGINT (Ctrl-C)
  143  stopped by SIGTERM
It takes no lock and changes nothing.";

/// A mistake of the caller that needs no advice: exit code 2. With advice, use [`Problem::usage`].
pub fn usage(message: impl Into<String>) -> anyhow::Error {
    Problem::usage(message).into()
}

/// The exit code that an error stands for.
pub fn code_of(error: &anyhow::Error) -> u8 {
    if Problem::of(error).is_usage {
        USAGE
    } else {
        FAILED
    }
}

/// The code of a run over several topics: the one that needs a person most.
pub fn worst(codes: impl IntoIterator<Item = u8>) -> u8 {
    let rank = |code: u8| match code {
        FAILED => 5,
        USAGE => 4,
        ATTENTION => 3,
        LOCKED => 2,
        _ => 0,
    };
    codes.into_iter().max_by_key(|&code| rank(code)).unwrap_or(DONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn usage_survives_context() {
        let error = Err::<(), _>(usage("no")).context("while reading").unwrap_err();
        assert_eq!(code_of(&error), USAGE);
        assert_eq!(code_of(&anyhow::anyhow!("broken")), FAILED);
    }

    #[test]
    fn a_failure_outranks_a_lock() {
        assert_eq!(worst([DONE, LOCKED, FAILED, ATTENTION]), FAILED);
        assert_eq!(worst([DONE, LOCKED]), LOCKED);
        assert_eq!(worst([]), DONE);
    }
}
