//! Plans in turns: groups of Kafka partitions are read one after the other, so that a target has all records of some early.

use crate::record::DrainPlan;

/// Offsets that a turn has at least.
const TURN_OFFSETS: u64 = 100_000;

impl DrainPlan {
    /// The same plan in turns, if there are offsets enough for two.
    pub fn in_turns(mut self) -> DrainPlan {
        let (mut turns, mut turn, mut offsets) = (Vec::new(), Vec::new(), 0);
        for range in &self.ranges {
            turn.push(range.partition);
            offsets += (range.end - range.start).unsigned_abs();
            if offsets >= TURN_OFFSETS {
                turns.push(std::mem::take(&mut turn));
                offsets = 0;
            }
        }
        if let Some(last) = turns.last_mut() {
            last.append(&mut turn);
        }
        if turns.len() > 1 {
            self.turns = turns;
        }
        self
    }

    /// The turn in which a Kafka partition is read.
    pub fn turn_of(&self, partition: i32) -> usize {
        let turn = self.turns.iter().position(|turn| turn.contains(&partition));
        turn.unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::OffsetRange;

    fn turns(offsets: &[i64]) -> Vec<Vec<i32>> {
        let range = |(partition, &offsets)| OffsetRange {
            partition,
            start: 7,
            end: 7 + offsets,
        };
        let plan = DrainPlan {
            ranges: (0..).zip(offsets).map(range).collect(),
            ..DrainPlan::default()
        };
        plan.in_turns().turns
    }

    #[test]
    fn turns_are_of_enough_offsets() {
        assert_eq!(
            turns(&[100_000, 99_999, 1, 100_000]),
            [vec![0], vec![1, 2], vec![3]]
        );
        let plan = DrainPlan {
            turns: vec![vec![0], vec![1, 2]],
            ..DrainPlan::default()
        };
        assert_eq!([0, 1, 2].map(|partition| plan.turn_of(partition)), [0, 1, 1]);
        assert_eq!(DrainPlan::default().turn_of(7), 0);
        // The remainder joins the last turn.
        assert_eq!(turns(&[0, 100_000, 300_000, 5, 0]), [vec![0, 1], vec![2, 3, 4]]);
    }

    #[test]
    fn a_plan_of_one_turn_has_no_turns() {
        for offsets in [
            &[][..],
            &[5, 5],
            &[1_000_000],
            &[50_000, 149_999, 0],
            &[0, 0, 900_000, 9],
        ] {
            assert_eq!(turns(offsets), [[0; 0]; 0], "{offsets:?}");
        }
    }
}
