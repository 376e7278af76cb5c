//! What each Kafka partition may give before the others have had their turn.
//!
//! librdkafka asks for the first of several Kafka partitions first whenever its queue was full, and an answer of Kafka has room
//! for little more than that one. Left alone, a run that is cut short would read of the first only, run after run.

/// More records of one Kafka partition are not read before the others were: reading one again costs a question to Kafka.
const ROUND_RECORDS: u64 = 1_000_000;

/// Who wants less than an even share has all it wants, and the rest is shared by the others; `left` is what all may
/// give together.
pub(super) fn shares(left: Option<u64>, wanted: &[u64]) -> Vec<u64> {
    let mut left = left.unwrap_or(u64::MAX);
    let mut smallest_first: Vec<usize> = (0..wanted.len()).collect();
    smallest_first.sort_by_key(|&i| wanted[i]);
    let mut shares = vec![0; wanted.len()];
    for (i, sharers) in smallest_first.into_iter().zip((1..=wanted.len() as u64).rev()) {
        shares[i] = wanted[i].min(left / sharers).min(ROUND_RECORDS);
        left -= shares[i];
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_shared_evenly() {
        assert_eq!(shares(Some(80), &[100, 100]), [40, 40]);
        assert_eq!(shares(Some(80), &[100, 3, 100, 0]), [38, 3, 39, 0]);
        assert_eq!(shares(Some(80), &[10, 20]), [10, 20]);
        // What cannot be shared is given by the one that has the most left: it is another one run by run.
        assert_eq!(shares(Some(1), &[7, 9, 8]), [0, 1, 0]);
        assert_eq!(shares(Some(0), &[7, 9]), [0, 0]);
        assert_eq!(shares(Some(5), &[]), [0; 0]);
    }

    #[test]
    fn without_a_limit_nobody_waits_for_long() {
        let large = ROUND_RECORDS * 5;
        assert_eq!(
            shares(None, &[large, 7, u64::MAX]),
            [ROUND_RECORDS, 7, ROUND_RECORDS]
        );
        assert_eq!(shares(Some(u64::MAX), &[large]), [ROUND_RECORDS]);
    }
}
