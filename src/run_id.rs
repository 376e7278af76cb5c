//! The ids of runs, like `20261122T225650682Z-8d494fa1`, in reports, locks, the names of staged files, and the ledger.

use chrono::{DateTime, NaiveDateTime, Utc};

const TIME: &str = "%Y%m%dT%H%M%S%3fZ";

pub fn new(started: DateTime<Utc>) -> String {
    let mut random = [0u8; 4];
    // Without the kernel's randomness the process id still tells runs apart.
    if std::fs::File::open("/dev/urandom")
        .and_then(|mut source| std::io::Read::read_exact(&mut source, &mut random))
        .is_err()
    {
        random = std::process::id().to_be_bytes();
    }
    format!("{}-{:08x}", started.format(TIME), u32::from_be_bytes(random))
}

/// When the run began; None if the text is not the id of a run.
pub fn began(run_id: &str) -> Option<DateTime<Utc>> {
    let (time, random) = run_id.split_once('-')?;
    let is_id = random.len() == 8 && random.bytes().all(|byte| byte.is_ascii_hexdigit());
    let time = NaiveDateTime::parse_from_str(time, TIME).ok()?;
    is_id.then(|| time.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_when_its_run_began() {
        let started = DateTime::from_timestamp_millis(1_795_402_610_682).unwrap();
        assert_eq!(began(&new(started)), Some(started));
        for other in ["", "x-y", "20261122T225650682Z", "20261122T225650682Z-<b>"] {
            assert_eq!(began(other), None);
        }
    }
}
