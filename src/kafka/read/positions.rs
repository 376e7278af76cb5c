//! The position of each Kafka partition in a read, and which ones Kafka sends now.

use std::collections::BTreeMap;

use super::shares::{Allowance, shares};
use crate::record::{DrainPlan, DrainedPartition, OffsetRange};

/// A Kafka partition of a read.
#[derive(Debug)]
pub(in crate::kafka) struct PartitionRead {
    pub(in crate::kafka) start: i64,
    /// Where Kafka begins to send: with the last record before the start, if that is known.
    from: i64,
    pub(in crate::kafka) end: i64,
    /// The turn in which it is read: one of the plan's, or a later one after the others had their share of records.
    turn: usize,
    /// How many records may still be taken in this turn.
    share: u64,
    /// The offset from which the next record is expected.
    pub(in crate::kafka) position: i64,
    read: u64,
    /// The offset at which the next run begins, once known.
    next: Option<i64>,
}

impl PartitionRead {
    /// The offset from which Kafka is to send.
    fn sent_from(&self) -> i64 {
        if self.position == self.start {
            self.from
        } else {
            self.position
        }
    }

    /// Whether records are still to be read in this turn.
    fn is_of(&self, turn: usize) -> bool {
        self.next.is_none() && self.turn == turn
    }

    pub(in crate::kafka) fn has_had_its_share(&self) -> bool {
        self.share == 0
    }

    /// Counts the record at `offset`.
    pub(in crate::kafka) fn take(&mut self, offset: i64) {
        self.share -= 1;
        self.read += 1;
        self.position = offset + 1;
    }
}

/// All Kafka partitions of a read.
#[derive(Debug)]
pub(in crate::kafka) struct Parts {
    all: BTreeMap<i32, PartitionRead>,
    /// Whether the plan sets the turns.
    turns_are_planned: bool,
    turn: usize,
    /// How many have no `next` yet.
    open: usize,
    /// How many of those are read in this turn.
    sending: usize,
}

impl Parts {
    pub(in crate::kafka) fn of(plan: &DrainPlan) -> Parts {
        Parts::where_open(plan, |range| range.start < range.end)
    }

    /// The same though there is nothing to read: only the records before the ranges are wanted.
    pub(in crate::kafka) fn to_compare(plan: &DrainPlan) -> Parts {
        Parts::where_open(plan, |_| true)
    }

    fn where_open(plan: &DrainPlan, is_open: impl Fn(&OffsetRange) -> bool) -> Parts {
        let part = |range: &OffsetRange| PartitionRead {
            start: range.start,
            from: plan
                .last
                .get(&range.partition)
                .map_or(range.start, |last| last.offset),
            end: range.end,
            turn: plan.turn_of(range.partition),
            share: 0,
            position: range.start,
            read: 0,
            next: (!is_open(range)).then_some(range.end),
        };
        let ranges = plan.ranges.iter();
        let mut parts = Parts {
            all: ranges.map(|range| (range.partition, part(range))).collect(),
            turns_are_planned: !plan.turns.is_empty(),
            turn: 0,
            open: 0,
            sending: 0,
        };
        parts.open = parts.open().count();
        parts
    }

    fn open(&self) -> impl Iterator<Item = (&i32, &PartitionRead)> {
        self.all.iter().filter(|(_, part)| part.next.is_none())
    }

    /// Whether all have a `next`.
    pub(in crate::kafka) fn are_settled(&self) -> bool {
        self.open == 0
    }

    pub(in crate::kafka) fn have_records(&self) -> bool {
        self.all.values().any(|part| part.read > 0)
    }

    pub(in crate::kafka) fn is_turn_over(&self) -> bool {
        self.sending == 0
    }

    /// Begins the first turn that is not over, and returns its Kafka partitions with the offsets from which Kafka is to send. `allowance` is for
    /// the rest of the read.
    pub(in crate::kafka) fn next_turn(&mut self, allowance: Allowance) -> Vec<(i32, i64)> {
        let turn = self.open().map(|(_, part)| part.turn).min();
        self.turn = turn.unwrap_or(self.turn);
        let sent = self.all.iter().filter(|(_, part)| part.is_of(self.turn));
        let (from, wanted): (Vec<_>, Vec<_>) = sent
            .map(|(&partition, part)| {
                let offsets = part.end - part.position;
                ((partition, part.sent_from()), offsets.unsigned_abs())
            })
            .unzip();
        let shares = if self.turns_are_planned {
            // A planned turn is read whole before the next one.
            wanted
        } else {
            shares(allowance, &wanted)
        };
        self.sending = shares.len();
        let sent = self.all.values_mut().filter(|part| part.is_of(self.turn));
        sent.zip(shares).for_each(|(part, share)| part.share = share);
        from
    }

    /// The Kafka partition, if it is sent now and not settled yet.
    pub(in crate::kafka) fn sent(&mut self, partition: i32) -> Option<&mut PartitionRead> {
        let turn = self.turn;
        self.all.get_mut(&partition).filter(|part| part.is_of(turn))
    }

    /// Settles a Kafka partition that is sent now: the next run begins at `next`.
    pub(in crate::kafka) fn settle(&mut self, partition: i32, next: i64) {
        if let Some(part) = self.sent(partition) {
            part.next = Some(next);
            self.open -= 1;
            self.sending -= 1;
        }
    }

    /// Leaves the rest of a Kafka partition that is sent now, from `position` on, to a later turn.
    pub(in crate::kafka) fn defer(&mut self, partition: i32, position: i64) {
        if let Some(part) = self.sent(partition) {
            part.position = position;
            part.turn += 1;
            self.sending -= 1;
        }
    }

    /// Settles the Kafka partitions of later turns at their positions.
    pub(in crate::kafka) fn leave_later_turns(&mut self) {
        let turn = self.turn;
        self.leave(|part| part.turn > turn);
    }

    /// Settles all Kafka partitions at their positions.
    pub(in crate::kafka) fn leave_all(&mut self) {
        self.leave(|_| true);
        self.sending = 0;
    }

    fn leave(&mut self, which: impl Fn(&PartitionRead) -> bool) {
        for part in self.all.values_mut().filter(|part| which(part)) {
            part.next.get_or_insert(part.position);
        }
        self.open = self.open().count();
    }

    /// The positions of the first few that are not settled.
    pub(in crate::kafka) fn places(&self) -> String {
        let place = |(partition, part): (&i32, &PartitionRead)| {
            format!(", Kafka partition {partition} at offset {}", part.position)
        };
        self.open().take(3).map(place).collect()
    }

    pub(in crate::kafka) fn drained(&self) -> Vec<DrainedPartition> {
        let drained = |(&partition, part): (&i32, &PartitionRead)| DrainedPartition {
            partition,
            start: part.start,
            next: part.next.unwrap_or(part.position),
            end: part.end,
            read: part.read,
        };
        self.all.iter().map(drained).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::LastRecord;

    fn parts(offsets: &[i64], turns: &[&[i32]]) -> Parts {
        let range = |(partition, &offsets)| OffsetRange {
            partition,
            start: 0,
            end: offsets,
        };
        Parts::of(&DrainPlan {
            ranges: (0..).zip(offsets).map(range).collect(),
            turns: turns.iter().map(|turn| turn.to_vec()).collect(),
            ..DrainPlan::default()
        })
    }

    /// Reads `records` of a Kafka partition, and sees one more.
    fn read(parts: &mut Parts, partition: i32, records: i64) {
        let part = parts.sent(partition).unwrap();
        for _ in 0..records {
            assert!(!part.has_had_its_share());
            part.take(part.position);
        }
        let position = part.position;
        if part.has_had_its_share() {
            parts.defer(partition, position)
        } else {
            parts.settle(partition, position)
        }
    }

    fn limited(records: u64) -> Allowance {
        Allowance {
            records: Some(records),
            is_timed: false,
        }
    }

    fn next(parts: &Parts) -> Vec<i64> {
        parts.drained().iter().map(|part| part.next).collect()
    }

    #[test]
    fn what_one_leaves_of_a_limit_the_others_take() {
        let mut parts = parts(&[100, 90, 0], &[]);
        assert_eq!(parts.next_turn(limited(60)), [(0, 0), (1, 0)]);
        read(&mut parts, 0, 30);
        assert!(parts.sent(0).is_none() && !parts.is_turn_over());
        // Offsets without records.
        parts.settle(1, 90);
        assert!(parts.is_turn_over() && !parts.are_settled());
        assert_eq!(parts.next_turn(limited(30)), [(0, 30)]);
        for _ in 0..30 {
            let part = parts.sent(0).unwrap();
            part.take(part.position);
        }
        parts.settle(0, 60);
        assert!(parts.are_settled());
        assert_eq!(next(&parts), [60, 90, 0]);
    }

    #[test]
    fn a_partition_that_had_its_share_keeps_its_position_when_the_run_ends() {
        let mut parts = parts(&[100, 100], &[]);
        parts.next_turn(limited(60));
        read(&mut parts, 0, 30);
        parts.leave_later_turns();
        assert!(!parts.is_turn_over() && !parts.are_settled());
        assert_eq!(parts.places(), ", Kafka partition 1 at offset 0");
        parts.leave_all();
        assert!(parts.is_turn_over() && parts.are_settled());
        assert_eq!(next(&parts), [30, 0]);
    }

    #[test]
    fn a_read_begins_with_the_last_record_before_it() {
        let last = |offset| LastRecord {
            offset,
            timestamp_ms: 0,
            hash: 0,
        };
        let range = |partition, end| OffsetRange {
            partition,
            start: 10,
            end,
        };
        let plan = DrainPlan {
            ranges: vec![range(0, 20), range(1, 10), range(2, 20)],
            last: [(0, last(7)), (1, last(9))].into(),
            ..DrainPlan::default()
        };
        let mut parts = Parts::of(&plan);
        assert_eq!(parts.next_turn(limited(4)), [(0, 7), (2, 10)]);
        read(&mut parts, 0, 2);
        read(&mut parts, 2, 2);
        // It was there, and is not sent again.
        assert_eq!(parts.next_turn(limited(4)), [(0, 12), (2, 12)]);
        // Where there is nothing to read, it is still compared.
        assert_eq!(
            Parts::to_compare(&plan).next_turn(Allowance::default()),
            [(0, 7), (1, 9), (2, 10)]
        );
    }

    #[test]
    fn planned_turns_are_read_whole() {
        let mut parts = parts(&[2_000_000, 5, 7], &[&[0], &[1, 2]]);
        assert_eq!(parts.next_turn(Allowance::default()), [(0, 0)]);
        for offset in 0..2_000_000 {
            parts.sent(0).unwrap().take(offset);
        }
        parts.settle(0, 2_000_000);
        assert_eq!(parts.next_turn(Allowance::default()), [(1, 0), (2, 0)]);
    }
}
