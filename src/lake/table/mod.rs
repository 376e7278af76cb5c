//! Tables: records are folded to the newest per key, merged with the old snapshot, and staged as the new one.

pub(super) mod fold;
pub(super) mod fold_memory;
pub(super) mod merge;
pub(super) mod new_snapshot;
pub(super) mod old_snapshot;
pub(super) mod snapshot;
pub(super) mod spill_row;

use anyhow::Result;

use super::disk::root::Root;
use super::file::staged::to_parquet;
use super::layout::paths::{HivePartition, day_folder, snapshot_name};
use super::ledger::{self, Debt, FileEntry, Manifest, PendingFile, Snapshot};
use crate::config::{Compression, FileFormat, Kind, LakeSettings, Topic};
use crate::problem::unexpected;
use crate::subjects::matcher::Matcher;
use crate::types::stored::{StoredColumns, StoredType};
use merge::Merge;
use snapshot::FirstDrain;

/// How a table is to be changed.
#[derive(Debug)]
pub(super) struct TableChange<'c> {
    pub topic: &'c Topic,
    pub run_id: &'c str,
    pub staging: String,
    pub format: FileFormat,
    pub lake: &'c LakeSettings,
    /// The topic's columns, which Parquet may widen.
    pub columns: StoredColumns,
    /// What is declared of them.
    pub declared: Vec<(String, StoredType)>,
    /// The snapshot that readers have now.
    pub previous: Option<&'c Snapshot>,
    /// Whether the previous rows are the base of the new snapshot; a rebuild starts from nothing.
    pub merge: bool,
    /// The day of the snapshot if the table never had a row.
    pub fallback_day: HivePartition,
    /// Whether the previous snapshot stays as history, if the new one lies in another day.
    pub keeps_previous: bool,
    pub first_drain: FirstDrain,
    /// Finds the previous rows of erased persons, which are left out.
    pub erase: Option<&'c Matcher>,
}

/// A new snapshot in staging.
#[derive(Debug)]
pub(super) struct StagedTable {
    /// What its commit owes.
    pub debt: Debt,
    pub snapshot: Snapshot,
    pub columns: StoredColumns,
    /// Objects that Parquet's columns can't hold.
    pub irregular: u64,
}

/// Stages the new snapshot.
pub(super) fn stage(
    root: &Root,
    mut change: TableChange<'_>,
    rows: Merge,
    day_of: impl FnOnce(i64) -> HivePartition,
) -> Result<StagedTable> {
    let base = change.previous.filter(|_| change.merge);
    let mut written = snapshot::merge(
        root,
        base,
        rows,
        &change.staging,
        match change.format {
            FileFormat::Json(compression) => compression,
            FileFormat::Parquet => Compression::None,
        },
        change.first_drain,
        change.erase,
    )?;
    let irregular = match change.format {
        FileFormat::Json(_) => 0,
        FileFormat::Parquet => convert(root, &mut change, &mut written.snapshot)?,
    };
    let day = match (written.day_ms, change.previous) {
        (Some(ms), _) => day_of(ms),
        (None, _) if written.snapshot.records > 0 => HivePartition::Null,
        // A table without rows stays in the folder of its previous snapshot.
        (None, Some(previous)) => HivePartition::parse(&previous.day).unwrap_or(HivePartition::Null),
        (None, None) => change.fallback_day,
    };
    let topic = &change.topic.name;
    let (folder, name) = (day_folder(Kind::Table, topic, day), snapshot_name(change.format));
    let snapshot = Snapshot {
        path: format!("{folder}/{name}"),
        day: day.to_string(),
        rows: written.snapshot.records,
        bytes: written.snapshot.bytes,
        checksum: written.snapshot.checksum.clone(),
        sidecar: format!("{}/keys-{}", ledger::topic_home(topic), change.run_id),
        sidecar_checksum: written.sidecar.checksum.clone(),
        tombstones: written.tombstones,
    };
    let known = Manifest::files_of(root, topic, &snapshot.day)?;
    let data = PendingFile {
        staged: written.snapshot.name.clone(),
        folder,
        day: Some(snapshot.day.clone()),
        replaces: known.iter().any(|file| file.name == name),
        file: FileEntry {
            name,
            ..written.snapshot
        },
    };
    let keys = PendingFile {
        staged: "sidecar".to_owned(),
        folder: ledger::topic_home(topic),
        day: None,
        replaces: false,
        file: FileEntry {
            name: format!("keys-{}", change.run_id),
            ..written.sidecar
        },
    };
    let link = link_of(topic, &snapshot.path);
    let mut pending = Debt {
        staging: change.staging.clone(),
        files: vec![data, keys],
        link: Some((link, format!("../{}", snapshot.path))),
        ..Debt::default()
    };
    if let Some(old) = change.previous {
        retire(&change, old, &snapshot, &mut pending);
    }
    Ok(StagedTable {
        debt: pending,
        snapshot,
        columns: change.columns,
        irregular,
    })
}

/// Makes Parquet of the staged snapshot's lines.
fn convert(root: &Root, change: &mut TableChange<'_>, snapshot: &mut FileEntry) -> Result<u64> {
    let folder = root.open_folder(&change.staging)?;
    let converted = to_parquet(
        &folder,
        &[(&snapshot.name, snapshot.bytes)],
        Kind::Table,
        &mut change.columns,
        &change.declared,
        change.lake,
    )?;
    let made = converted.into_iter().flatten().next();
    let (name, made) = made.ok_or_else(|| unexpected("the snapshot was not converted"))?;
    *snapshot = FileEntry {
        name,
        bytes: made.bytes,
        checksum: made.checksum,
        columns: Some(change.columns.version),
        ..snapshot.clone()
    };
    Ok(made.irregular)
}

/// Adds the old snapshot's removal to the debt; its file stays if the table keeps its history.
fn retire(change: &TableChange<'_>, old: &Snapshot, new: &Snapshot, pending: &mut Debt) {
    let kept = change.keeps_previous && old.day != new.day;
    if old.path != new.path && !kept {
        let name = old
            .path
            .rsplit_once('/')
            .map_or(old.path.as_str(), |(_, name)| name);
        pending.forget.push((old.day.clone(), name.to_owned()));
    }
    pending.remove.push(old.sidecar.clone());
    let (old_link, new_link) = (
        link_of(&change.topic.name, &old.path),
        link_of(&change.topic.name, &new.path),
    );
    if old_link != new_link {
        pending.remove.push(old_link);
    }
}

/// `current/TOPIC.json`, with the extension of the snapshot's format.
pub(super) fn link_of(topic: &str, snapshot: &str) -> String {
    format!("current/{}", link_name(topic, FileFormat::of(snapshot)))
}

/// `TOPIC.json`, with the extension of the format.
pub(super) fn link_name(topic: &str, format: FileFormat) -> String {
    format!("{topic}{}", format.extension())
}
