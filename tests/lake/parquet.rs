//! Parquet: the same records as in JSON, read by the columns' own types.

use serde_json::Value;
use std::path::PathBuf;

use crate::common::compare::{Compare, fold};
use crate::common::files::{DataFile, data_files};
use crate::common::kafka::{DAY_MS, NOON_MS, Topic, numbered, record, tombstone};
use crate::common::lake::{Lake, assert_same, number};
use crate::common::program;

const PARQUET: &str = "format = \"parquet\"";

fn compare() -> Compare {
    Compare {
        extension: ".parquet",
        ..Compare::default()
    }
}

fn stream(lake: &Lake, topic: &Topic) -> Vec<DataFile> {
    compare().stream(lake, &topic.name, &topic.read())
}

fn table(lake: &Lake, topic: &Topic) -> DataFile {
    compare().table(lake, &topic.name, &topic.read())
}

/// The types of the columns of values that a Parquet file has, as its schema names them.
fn columns(lake: &Lake, topic: &Topic, file: &DataFile) -> Vec<String> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let path = lake.root().join("streams").join(&topic.name).join(&file.path);
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let fields = reader.metadata().file_metadata().schema().get_fields().to_vec();
    let fields = fields.iter().filter(|field| !field.name().starts_with('_'));
    fields
        .map(|field| {
            let kind = field
                .get_basic_info()
                .logical_type_ref()
                .map(|kind| format!(" {kind:?}"));
            format!(
                "{} {}{}",
                field.name(),
                field.get_physical_type(),
                kind.unwrap_or_default()
            )
        })
        .collect()
}

/// The column by which the file says that its rows are sorted: readers rely on it.
fn sorted_by(lake: &Lake, kind: &str, topic: &Topic, file: &DataFile) -> Option<String> {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let path = lake.root().join(kind).join(&topic.name).join(&file.path);
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let group = reader.metadata().row_group(0);
    let sorting = group.sorting_columns()?.first()?;
    Some(group.column(sorting.column_idx as usize).column_path().string())
}

#[test]
fn every_record_is_in_it() {
    let topic = Topic::with("parquet", 3, &[]);
    topic.send(&numbered("a", 500, 3));
    topic.send(&[
        record("k", "{\"year\":1}"),
        record("k", "[1]"),
        record("k", "not json").to(1),
        record("k", "{}").to(2),
        tombstone("k"),
        record("k", "{\"ID\":null,\"AMOUNT\":1.0E7}").at(NOON_MS + DAY_MS),
    ]);
    let lake = Lake::with(PARQUET).stream(&topic, "");
    let report = lake.one(&[], 0);
    assert_eq!(
        (number(&report, "written"), number(&report, "irregular")),
        (506, 1)
    );
    let files = stream(&lake, &topic);
    assert_eq!(
        sorted_by(&lake, "streams", &topic, &files[0]).as_deref(),
        Some("_offset")
    );
    assert_eq!(
        columns(&lake, &topic, &files[0]),
        [
            "ID BYTE_ARRAY String",
            "AMOUNT INT64 Decimal(DecimalType { scale: 2, precision: 18 })",
            "CITY BYTE_ARRAY String"
        ]
    );
    lake.verify(0);
    // A second run has nothing to do, a third one adds files of the same columns.
    let before = lake.kept();
    lake.drain();
    assert_same(&lake.kept(), &before);
    topic.send(&numbered("b", 20, 3));
    lake.drain();
    stream(&lake, &topic);
    lake.verify(0);
}

#[test]
fn columns_widen_from_run_to_run() {
    let topic = Topic::new("widen");
    let lake = Lake::with(PARQUET).stream(&topic, "");
    for (day, (value, kind)) in (0..).zip([
        ("{\"N\":1}", "N INT64"),
        ("{\"N\":2}", "N INT64"),
        (
            "{\"n\":1.5}",
            "N INT64 Decimal(DecimalType { scale: 1, precision: 18 })",
        ),
        (
            "{\"N\":3}",
            "N INT64 Decimal(DecimalType { scale: 1, precision: 18 })",
        ),
        (
            "{\"N\":123456789012345678901.25}",
            "N FIXED_LEN_BYTE_ARRAY Decimal(DecimalType { scale: 2, precision: 38 })",
        ),
        ("{\"N\":\"text\"}", "N BYTE_ARRAY String"),
        ("{\"N\":4}", "N BYTE_ARRAY String"),
    ]) {
        topic.send(&[record("k", value).at(NOON_MS + day * DAY_MS)]);
        lake.drain();
        let files = data_files(&lake.root().join("streams").join(&topic.name));
        assert_eq!(columns(&lake, &topic, &files[files.len() - 1]), [kind], "{value}");
    }
    lake.verify(0);
}

#[test]
fn a_table_is_merged_with_its_snapshot() {
    let topic = Topic::compacted("parquet-table");
    let updates = |from: i32, count: i32| -> Vec<_> {
        (from..from + count)
            .map(|i| match i % 11 {
                10 => tombstone(&format!("key-{}", i % 70)),
                _ => record(&format!("key-{}", i % 70), &format!("{{\"N\":{i},\"É\":\"é\"}}")),
            })
            .collect()
    };
    topic.send(&updates(0, 400));
    let lake = Lake::with(PARQUET).table(&topic, "");
    lake.drain();
    let file = table(&lake, &topic);
    assert_eq!(
        sorted_by(&lake, "tables", &topic, &file),
        None,
        "its rows are in the order of keys"
    );
    topic.send(&updates(400, 100));
    topic.send(&[record("key-3", "{\"N\":0.25,\"NEW\":true}").at(NOON_MS + DAY_MS)]);
    lake.drain();
    table(&lake, &topic);
    lake.verify(0);
    topic.send(
        &(0..70)
            .map(|i| tombstone(&format!("key-{i}")))
            .collect::<Vec<_>>(),
    );
    lake.drain();
    assert!(table(&lake, &topic).lines.is_empty());
    lake.verify(0);
}

#[test]
fn another_format_rewrites_a_table_without_new_records() {
    let topic = Topic::compacted("change");
    topic.send(&[
        record("a", "{\"N\":1.50}"),
        record("b", "{\"N\":2}"),
        record("c", "{}"),
    ]);
    let mut lake = Lake::new().table(&topic, "");
    lake.drain();
    let link = |lake: &Lake, extension: &str| {
        lake.root()
            .join(format!("current/{}{extension}", topic.name))
            .exists()
    };
    lake.set(PARQUET);
    lake.drain();
    table(&lake, &topic);
    assert!(link(&lake, ".parquet") && !link(&lake, ".json"));
    lake.verify(0);
    let before = lake.kept();
    lake.drain();
    assert_same(&lake.kept(), &before);

    // And back: its numbers have the digits of their column now.
    topic.send(&[record("b", "{\"N\":3}"), record("d", "{\"N\":4}")]);
    lake.set("");
    lake.drain();
    assert!(link(&lake, ".json") && !link(&lake, ".parquet"));
    let files = data_files(&lake.root().join("tables").join(&topic.name));
    let ends: Vec<_> = files[0]
        .lines
        .iter()
        .map(|line| line.split("\"_key\":").nth(1).unwrap())
        .collect();
    assert_eq!(
        ends,
        ["\"a\",\"N\":1.50}", "\"b\",\"N\":3}", "\"c\"}", "\"d\",\"N\":4}"]
    );
    lake.verify(0);
    topic.send(&[record("a", "{\"N\":5}")]);
    lake.drain();
    assert_eq!(
        data_files(&lake.root().join("tables").join(&topic.name))[0]
            .lines
            .len(),
        4
    );
    lake.verify(0);
}

#[test]
fn a_stream_holds_both_formats_until_its_days_are_rebuilt() {
    let topic = Topic::with("both", 2, &[]);
    topic.send(&numbered("a", 10, 2));
    let mut lake = Lake::new().stream(&topic, "");
    lake.drain();
    lake.set(PARQUET);
    topic.send(&numbered("b", 10, 2));
    lake.drain();
    let names = |lake: &Lake| -> Vec<String> {
        let files = data_files(&lake.root().join("streams").join(&topic.name));
        files
            .iter()
            .map(|file| file.name().rsplit_once('.').unwrap().1.to_owned())
            .collect()
    };
    assert_eq!(names(&lake), ["json", "parquet", "json", "parquet"]);
    lake.verify(0);
    lake.run(&["--rebuild", "2025-10-30"]).expect(0);
    assert_eq!(names(&lake), ["parquet", "parquet"]);
    stream(&lake, &topic);
    lake.verify(0);
    // A topic's own format wins over the lake's.
    lake.set_topics(&format!(
        "[topics.{:?}]\nkind = \"stream\"\nlake.format = \"json\"\n",
        topic.name
    ));
    lake.run(&["--rebuild", "2025-10-30"]).expect(0);
    assert_eq!(names(&lake), ["json", "json"]);
    lake.verify(0);
}

#[test]
fn a_full_file_is_followed_by_another_one() {
    let topic = Topic::new("full");
    let noise = |i: i32| {
        format!(
            "{{\"T\":\"{:032x}\"}}",
            xxhash_rust::xxh3::xxh3_128(&i.to_le_bytes())
        )
    };
    let records: Vec<_> = (0..4000).map(|i| record("k", &noise(i))).collect();
    topic.send(&records);
    let lake = Lake::with(&format!("{PARQUET}\nmax_file_size = \"64KiB\"")).stream(&topic, "");
    lake.drain();
    let files = stream(&lake, &topic);
    assert!((2..10).contains(&files.len()), "{} files", files.len());
    lake.verify(0);
}

#[test]
fn past_the_most_columns_objects_are_kept_whole() {
    let topic = Topic::new("columns");
    topic.send(&[record("k", "{\"A\":1,\"B\":2}"), record("k", "{\"A\":1,\"C\":3}")]);
    let lake = Lake::with(&format!("{PARQUET}\nmax_columns = 2")).stream(&topic, "");
    assert_eq!(number(&lake.one(&[], 0), "irregular"), 1);
    let files = data_files(&lake.root().join("streams").join(&topic.name));
    assert!(files[0].lines[0].ends_with("\"A\":1,\"B\":2}"), "{files:?}");
    assert!(
        files[0].lines[1].ends_with("\"_value\":{\"A\":1,\"C\":3}}"),
        "{files:?}"
    );
}

#[test]
fn damage_is_found() {
    let topic = Topic::new("damage");
    topic.send(&numbered("a", 50, 1));
    let lake = Lake::with(PARQUET).stream(&topic, "");
    lake.drain();
    let files = data_files(&lake.root().join("streams").join(&topic.name));
    let path = lake.root().join("streams").join(&topic.name).join(&files[0].path);
    let whole = std::fs::read(&path).unwrap();
    let differs = |words: &str| {
        let report = lake.verify(3);
        let found = &report["topics"][0]["differences"][0]["what"];
        assert!(found.as_str().unwrap().contains(words), "{report}");
    };
    for at in [6, whole.len() / 2, whole.len() - 5] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        std::fs::write(&path, damaged).unwrap();
        // Whatever of it can still be read.
        lake.verify(3);
    }
    std::fs::write(&path, &whole[..whole.len() - 9]).unwrap();
    differs("bytes");
    std::fs::write(&path, &whole).unwrap();
    lake.verify(0);
}

#[test]
fn what_is_for_json_alone_is_refused() {
    let topic = Topic::new("refused");
    for (settings, words) in [
        ("files = \"message\"", "lake.files"),
        ("metadata = false", "lake.metadata"),
        ("compression = \"zstd\"", "lake.compression"),
    ] {
        let lake = Lake::with(&format!("{PARQUET}\n{settings}")).stream(&topic, "");
        lake.configure();
        program::start(lake.folder(), &["lake"], &[])
            .wait()
            .fails(2, &[words, "Parquet"]);
    }
}

/// What `--json` and the ledger tell of it is what lies there.
#[test]
fn the_ledger_remembers_the_columns() {
    let topic = Topic::new("remembers");
    topic.send(&[record("k", "{\"N\":1}")]);
    let lake = Lake::with(PARQUET).stream(&topic, "");
    lake.drain();
    let state: PathBuf = lake
        .root()
        .join(".lakectl/topics")
        .join(&topic.name)
        .join("state");
    let text = std::fs::read_to_string(state).unwrap();
    let state: Value = serde_json::from_str(text.split_once('\n').unwrap().1).unwrap();
    assert_eq!(state["columns"]["version"], 1, "{state}");
    assert_eq!(state["columns"]["columns"][0]["name"], "N", "{state}");
    assert_eq!(fold(&topic.read()).len(), 1);
}
