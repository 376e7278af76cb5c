//! What each Kafka partition may give before the others have had their turn.
//!
//! librdkafka asks for the first of several Kafka partitions first whenever its queue was full, and an answer of Kafka has room
//! for little more than that one. Left alone, a run that is cut short would read of the first only, run after run.

/// More records of one Kafka partition are not read before the others were: reading one again costs a question to Kafka.
const ROUND_RECORDS: u64 = 1_000_000;
/// The same where the clock ends the run, however little has been read by then.
const TIMED_ROUND_RECORDS: u64 = 100_000;

/// What Kafka partitions may give together.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::kafka) struct Allowance {
    pub(in crate::kafka) records: Option<u64>,
    pub(in crate::kafka) is_timed: bool,
}

/// Who wants less than an even share has all it wants, and the rest is shared by the others.
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
        // What cannot be shared is given by the one that has the most left: it is another one run by run.
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
        // Where the clock ends the run, for even less.
        let timed = Allowance {
            is_timed: true,
            ..all
        };
        assert_eq!(shares(timed, &[large, 7]), [TIMED_ROUND_RECORDS, 7]);
    }
}
