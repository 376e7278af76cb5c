//! Staged lines of JSON become staged Parquet files, a few at a time.

use anyhow::{Context, Result};
use std::sync::Mutex;
use std::thread::Builder;

use super::parquet::{ConvertedFile, ParquetTarget, Typing, convert};
use crate::config::{Compression, FileFormat, Kind, LakeSettings};
use crate::lake::disk::folder::Folder;
use crate::lake::file::lines::Lines;
use crate::problem::unexpected;
use crate::types::stored::{StoredColumns, StoredType};

/// Files that are converted at a time: each takes the memory of a row group.
const AT_A_TIME: usize = 2;
/// From this many bytes of lines on, a thread is started for it.
const THREADS_FROM: u64 = 4 * 1024 * 1024;

/// A staged file of lines: its name in staging, and its bytes.
pub(in crate::lake) type StagedLines<'s> = (&'s str, u64);
/// A staged Parquet file: its name in staging, and what is in it.
pub(in crate::lake) type StagedParquet = (String, ConvertedFile);

/// Converts staged files of lines, and removes them. Each becomes one file; a stream's becomes several if it is too large for one. The topic's
/// columns are widened first, so that they hold what is declared, and the values of all files.
///
/// # Errors
/// A staged file can't be read, or a new one can't be written.
pub(in crate::lake) fn to_parquet(
    folder: &Folder<'_>,
    staged: &[StagedLines<'_>],
    kind: Kind,
    columns: &mut StoredColumns,
    declared: &[(String, StoredType)],
    lake: &LakeSettings,
) -> Result<Vec<Vec<StagedParquet>>> {
    let mut typing = Typing::new(std::mem::take(columns), declared, lake.max_columns);
    for (name, _) in staged {
        let mut lines = open(folder, name)?;
        typing
            .see(|line| lines.next(line))
            .with_context(|| format!("reading {}", folder.shown(name)))?;
    }
    *columns = typing.into_columns();
    let target = ParquetTarget::of(kind, columns, lake);
    let max_file_bytes = match kind {
        Kind::Stream => lake.max_file_bytes,
        Kind::Table => u64::MAX,
    };
    let converted = Mutex::new(vec![Vec::new(); staged.len()]);
    let left = Mutex::new(staged.iter().enumerate());
    let convert_all = || -> Result<()> {
        while let Some((at, (name, _))) = left.lock().map_err(poisoned)?.next() {
            let files = convert_file(folder, name, target, max_file_bytes)?;
            converted.lock().map_err(poisoned)?[at] = files;
        }
        Ok(())
    };
    let bytes: u64 = staged.iter().map(|(_, bytes)| bytes).sum();
    std::thread::scope(|scope| {
        let threads = if bytes < THREADS_FROM {
            1
        } else {
            AT_A_TIME.min(staged.len())
        };
        let helpers: Vec<_> = (1..threads)
            .map(|_| {
                Builder::new()
                    .name("convert".to_owned())
                    .spawn_scoped(scope, convert_all)
            })
            .collect();
        let mut ended = convert_all();
        // If no thread can be started, this one has done all of it.
        for helper in helpers.into_iter().flatten() {
            ended = ended.and(helper.join().unwrap_or_else(|_| Err(poisoned(()))));
        }
        ended
    })?;
    converted.into_inner().map_err(poisoned)
}

fn poisoned<E>(_: E) -> anyhow::Error {
    unexpected("converting failed unexpectedly")
}

fn open(folder: &Folder<'_>, name: &str) -> Result<Lines> {
    Lines::new(folder.read(name)?, FileFormat::Json(Compression::None))
}

fn convert_file(
    folder: &Folder<'_>,
    name: &str,
    target: ParquetTarget<'_>,
    max_file_bytes: u64,
) -> Result<Vec<StagedParquet>> {
    let mut lines = open(folder, name)?;
    let mut names = Vec::new();
    let create = || {
        let name = format!("{name}-{}{}", names.len(), FileFormat::Parquet.extension());
        let file = folder.create(&name)?;
        names.push(name);
        Ok(file)
    };
    let files = convert(|line| lines.next(line), target, max_file_bytes, create)
        .with_context(|| format!("converting {}", folder.shown(name)))?;
    folder.remove_file(name)?;
    Ok(names.into_iter().zip(files).collect())
}
