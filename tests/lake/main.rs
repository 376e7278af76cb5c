//! `lakectl lake` from outside: the built binary on the real Kafka, its files compared with what Kafka holds.

#[path = "../common/mod.rs"]
mod common;

mod streams;
