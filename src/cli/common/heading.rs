//! The headings under which `--help` lists the options: the same ones, in this order, in every command.

/// Which topics, which days, and what shall be done with them.
pub const WHAT: &str = "What";
/// From when to when, how many, how long.
pub const HOW_MUCH: &str = "How much";
/// Which Kafka, which lake, which database.
pub const WHERE: &str = "Where";
/// Locks, gaps, questions: what else would end the run.
pub const IN_THE_WAY: &str = "When something is in the way";
/// What is printed or written for people and scripts.
pub const OUTPUT: &str = "Output";
/// What every command takes.
pub const EVERYWHERE: &str = "In every command";

pub const ALL: [&str; 6] = [WHAT, HOW_MUCH, WHERE, IN_THE_WAY, OUTPUT, EVERYWHERE];
