//! What `begin` starts: the plan of one run, and how far the load has come in it.

use std::collections::BTreeMap;

use crate::record::{DrainPlan, LastRecords, OffsetRange};

/// The parts of a run's plan that a load needs, and the records taken so far.
pub(in crate::warehouse::load::table_sink) struct LoadState {
    /// The offsets of the plan.
    pub(super) ranges: Vec<OffsetRange>,
    /// Kafka partition -> the turn it is read in.
    turns: BTreeMap<i32, usize>,
    turn: usize,
    /// Whether several Kafka partitions have records: keys of a single one have nowhere to move.
    pub(super) keys_may_move: bool,
    /// Whether this is part of the first drain and keys may have moved between Kafka partitions in an earlier run.
    pub(super) may_have_moved: bool,
    /// The last records taken since the last transaction.
    pub(super) taken: LastRecords,
    /// The topic's id and generation, as transactions before the last one record them.
    pub(super) identity: Option<(Option<String>, u32)>,
}

/// Without a plan: one turn, in which keys may move.
impl Default for LoadState {
    fn default() -> Self {
        LoadState {
            ranges: Vec::new(),
            turns: BTreeMap::new(),
            turn: 0,
            keys_may_move: true,
            may_have_moved: false,
            taken: LastRecords::new(),
            identity: None,
        }
    }
}

impl LoadState {
    pub(super) fn new(plan: &DrainPlan, is_first_drain: bool) -> LoadState {
        let ranges = plan.ranges.iter();
        let to_read = ranges.clone().filter(|range| range.start < range.end);
        LoadState {
            ranges: plan.ranges.clone(),
            turns: ranges
                .map(|range| (range.partition, plan.turn_of(range.partition)))
                .collect(),
            turn: 0,
            keys_may_move: to_read.count() > 1,
            may_have_moved: is_first_drain && plan.ranges.len() > 1,
            taken: LastRecords::new(),
            identity: Some((plan.topic_id.clone(), plan.generation)),
        }
    }

    /// Whether a record of this Kafka partition is the first of a later turn, which then becomes the current one.
    pub(super) fn begins_turn(&mut self, partition: i32) -> bool {
        match self.turns.get(&partition) {
            Some(&turn) if turn > self.turn => {
                self.turn = turn;
                true
            }
            _ => false,
        }
    }
}
