//! Every format from outside: the built binary on the real Kafka, MySQL, MariaDB and schema registry; the lake's lines and
//! the rows compared with what other programs say of the same bytes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on fails")]

#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "only a part of it is needed here")]
#[path = "../documented/avro.rs"]
mod datum;
#[allow(dead_code, reason = "made for the tests of the warehouse")]
#[path = "../warehouse/world.rs"]
mod world;

mod avro;
mod cases;
mod columns;
mod exact;
mod kinds;
mod protobuf;
mod scene;
mod serializers;
mod sessions;
mod typed;
mod variant;
mod vectors;
