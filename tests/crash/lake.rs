//! `lakectl lake`: the first run, a later one over data that is there, one file per record.

use super::source::{Kind, Source};
use super::sweep::Sweep;
use crate::common::lake::Lake;

const LAKE: &[&str] = &["lake", "-q"];

fn sweep(name: &'static str, source: &Source, base: &Lake, extension: &'static str) {
    Sweep {
        name,
        command: LAKE,
        after: &[LAKE],
        fresh: &|| base.twin(),
        at_any_time: &|lake: &Lake| source.assert_readable(lake, extension),
        at_the_end: &|lake: &Lake| source.assert_all(lake, extension),
    }
    .run();
}

#[test]
fn the_first_run() {
    let source = Source::new("first-run", &[Kind::Stream, Kind::Windowed]);
    sweep("lake, first run", &source, &source.lake(""), ".json");
}

#[test]
fn a_later_run() {
    let mut source = Source::new("later-run", &[Kind::Stream, Kind::Table]);
    let lake = source.lake("compression = \"gzip\"");
    lake.drain();
    source.go_on();
    sweep("lake, later run, gzip", &source, &lake, ".json.gz");
}

#[test]
fn one_file_per_record() {
    let mut source = Source::new("messages", &[Kind::Stream]);
    let lake = source.lake("files = \"message\"");
    lake.drain();
    source.go_on();
    sweep("lake, a file per record", &source, &lake, ".json");
}
