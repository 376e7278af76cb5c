//! How many records are read of each Kafka partition before the others have their turn.
//!
//! Whenever its queue was full, librdkafka asks for the first of several Kafka partitions first, and Kafka's answer has room
//! for little more than that one. Without shares, runs that are cut short would read only the first, run after run.

/// Records of one Kafka partition in one round. The limit is high, as going on with one costs a request to Kafka.
const ROUND_RECORDS: u64 = 1_000_000;
/// The same if the clock ends the run: it may end after few records.
const TIMED_ROUND_RECORDS: u64 = 100_000;

/// How many records may be read of all Kafka partitions together.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::kafka) struct Allowance {
    pub(in crate::kafka) records: Option<u64>,
    pub(in crate::kafka) is_timed: bool,
}

/// Even shares. A Kafka partition that wants less gets all it wants, and the others share the rest.
pub(in crate::kafka) fn shares(allowance: Allowance, wanted: &[u64]) -> Vec<u64> {
    let round = if allowance.is_timed {
        TIMED_ROUND_RECORDS
    } else {
        ROUND_RECORDS
    };
    let mut left = allowance.records.unwrap_or(u64::MAX);
    let mut smallest_first: Vec<usize> = (0..wanted.len()).collect();
    smallest_first.sort_by_key(|&i| wanted[i]);
    let mut shares = vec![0; wanted.len()];
    for (i, sharers) in smallest_first.into_iter().zip((1..=wanted.len() as u64).rev()) {
        shares[i] = wanted[i].min(left / sharers).min(round);
        left -= shares[i];
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares_of(records: u64, wanted: &[u64]) -> Vec<u64> {
        let allowance = Allowance {
            records: Some(records),
            is_timed: false,
        };
        shares(allowance, wanted)
    }

    #[test]
    fn a_limit_is_shared_evenly() {
        assert_eq!(shares_of(80, &[100, 100]), [40, 40]);
        assert_eq!(shares_of(80, &[100, 3, 100, 0]), [38, 3, 39, 0]);
        assert_eq!(shares_of(80, &[10, 20]), [10, 20]);
        // A remainder comes from the one that has the most left, which differs from run to run.
        assert_eq!(shares_of(1, &[7, 9, 8]), [0, 1, 0]);
        assert_eq!(shares_of(0, &[7, 9]), [0, 0]);
        assert_eq!(shares_of(5, &[]), [0; 0]);
    }

    #[test]
    fn without_a_limit_nobody_waits_for_long() {
        let large = ROUND_RECORDS * 5;
        let all = Allowance::default();
        assert_eq!(
            shares(all, &[large, 7, u64::MAX]),
            [ROUND_RECORDS, 7, ROUND_RECORDS]
        );
        assert_eq!(shares_of(u64::MAX, &[large]), [ROUND_RECORDS]);
        // If the clock ends the run, rounds are shorter.
        let timed = Allowance {
            is_timed: true,
            ..all
        };
        assert_eq!(shares(timed, &[large, 7]), [TIMED_ROUND_RECORDS, 7]);
    }
}
