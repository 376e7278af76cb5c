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
fn the_first_run_into_parquet() {
    let source = Source::new("first-parquet", &[Kind::Stream, Kind::Windowed]);
    sweep(
        "lake, first run, parquet",
        &source,
        &source.lake("format = \"parquet\""),
        ".parquet",
    );
}

#[test]
fn a_later_run_into_parquet() {
    let mut source = Source::new("later-parquet", &[Kind::Stream, Kind::Table]);
    let lake = source.lake("format = \"parquet\"");
    lake.drain();
    source.go_on();
    sweep("lake, later run, parquet", &source, &lake, ".parquet");
}

/// The old link goes when the new one is there, and never before.
#[test]
fn a_table_becomes_parquet() {
    let source = Source::new("becomes-parquet", &[Kind::Table]);
    let mut lake = source.lake("");
    lake.drain();
    lake.set("format = \"parquet\"");
    let topic = &source.0[0].topic.name;
    Sweep {
        name: "lake, a table becomes parquet",
        command: LAKE,
        after: &[LAKE],
        fresh: &|| lake.twin(),
        at_any_time: &|lake: &Lake| {
            let link = |extension: &str| lake.root().join(format!("current/{topic}{extension}"));
            let there: Vec<_> = [".json", ".parquet"]
                .into_iter()
                .filter(|extension| link(extension).exists())
                .collect();
            assert!(!there.is_empty(), "no link");
            for extension in there {
                assert_eq!(
                    crate::common::files::lines(&std::fs::canonicalize(link(extension)).unwrap()).len(),
                    2
                );
            }
        },
        at_the_end: &|lake: &Lake| {
            source.assert_all(lake, ".parquet");
            assert!(!lake.root().join(format!("current/{topic}.json")).exists());
        },
    }
    .run();
}

#[test]
fn one_file_per_record() {
    let mut source = Source::new("messages", &[Kind::Stream]);
    let lake = source.lake("files = \"message\"");
    lake.drain();
    source.go_on();
    sweep("lake, a file per record", &source, &lake, ".json");
}
