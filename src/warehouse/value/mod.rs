//! JSON values become values of MySQL columns: exact, or refused with a reason.

pub(super) mod canonical;
pub(super) mod cell;
pub(super) mod cells;
pub(super) mod convert;
pub(super) mod exact;
pub(super) mod json_limits;
pub(super) mod odd_times;
pub(super) mod refusal;
pub(super) mod sort_key;
pub(super) mod time;
