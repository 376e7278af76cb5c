//! Reads records of a topic, and collects the types of their fields.

use anyhow::{Context, Result, bail};
use std::collections::HashMap;

use crate::config::{Compression, FileFormat, Kind};
use crate::decode::fields;
use crate::lake::{DataFile, Lake, TopicFiles};
use crate::problem::Problem;
use crate::stop::Stop;
use crate::types::column::FieldTypes;

/// Bytes of lines that are read without `--all`, which takes some seconds.
const LINES_MAX: u64 = 1 << 30;
/// About how many times longer lines are than compressed on disk.
const COMPRESSED: u64 = 8;

/// The records that a schema is made from, and their columns.
#[derive(Debug, Clone, Default)]
pub struct Made {
    pub records: u64,
    pub records_in_all: u64,
    pub files: usize,
    pub files_in_all: usize,
    /// Bytes of the longest line.
    pub longest: usize,
    /// In the order of their first appearance.
    pub columns: Vec<FieldTypes>,
}

/// Reads a topic's records: all of them if they are few or `all` is set, else those of the newest files and of some others,
/// evenly spread.
///
/// # Errors
/// A file can't be read, or a signal came.
pub fn look(lake: &Lake<'_>, files: &TopicFiles, all: bool, stop: &Stop) -> Result<Made> {
    let readable: Vec<&DataFile> = match (files.kind, &files.current) {
        (Kind::Stream, _) => files.files.iter().collect(),
        (Kind::Table, Some((_, path))) => files.files.iter().filter(|file| file.path == *path).collect(),
        (Kind::Table, None) => Vec::new(),
    };
    let chosen = if all {
        readable.clone()
    } else {
        choose(&readable, LINES_MAX)
    };
    let mut made = Made {
        records_in_all: readable.iter().map(|file| file.records).sum(),
        files_in_all: readable.len(),
        ..Made::default()
    };
    let mut places = HashMap::new();
    for file in chosen {
        if stop.signal().is_some() {
            bail!("stopped by a signal before all records were looked at");
        }
        let there = lake.read_lines(&file.path, &mut |line| {
            made.longest = made.longest.max(line.len());
            made.records += 1;
            add(line, &mut made.columns, &mut places)
        })?;
        made.files += usize::from(there);
    }
    Ok(made)
}

fn add(line: &[u8], columns: &mut Vec<FieldTypes>, places: &mut HashMap<String, usize>) -> Result<()> {
    let fields = std::str::from_utf8(line)
        .map_err(anyhow::Error::from)
        .and_then(|line| fields::all(line).map_err(anyhow::Error::msg))
        .context(Problem::new("a line is not what lakectl writes").fix("see lake --verify"))?;
    for (name, value) in fields {
        let place = match places.get(&*name) {
            Some(&place) => place,
            None => {
                columns.push(FieldTypes::named(&*name));
                places.insert(name.into_owned(), columns.len() - 1);
                columns.len() - 1
            }
        };
        columns[place].add(value);
    }
    Ok(())
}

/// All files, if their lines have at most `most` bytes together. Else the newest files for half of that, and others for the
/// other half.
fn choose<'f>(files: &[&'f DataFile], most: u64) -> Vec<&'f DataFile> {
    if files.iter().map(|file| length(file)).sum::<u64>() <= most {
        return files.to_vec();
    }
    let mut newest = files.len();
    let mut taken = 0;
    while newest > 0 && (taken == 0 || taken + length(files[newest - 1]) <= most / 2) {
        newest -= 1;
        taken += length(files[newest]);
    }
    let older = &files[..newest];
    let average = older.iter().map(|file| length(file)).sum::<u64>() / (older.len() as u64).max(1);
    let number = usize::try_from((most / 2) / average.max(1)).unwrap_or(older.len());
    let number = number.clamp(older.len().min(1), older.len());
    let spread = (0..number).map(|i| older[i * older.len() / number]);
    spread.chain(files[newest..].iter().copied()).collect()
}

/// About how many bytes the file's lines have.
fn length(file: &DataFile) -> u64 {
    match FileFormat::of(&file.path) {
        FileFormat::Json(Compression::None) => file.bytes,
        _ => file.bytes * COMPRESSED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(sizes: &[u64]) -> Vec<DataFile> {
        let file = |(i, &bytes): (usize, &u64)| DataFile {
            path: format!("{i}.json"),
            day: String::new(),
            records: 1,
            bytes,
        };
        sizes.iter().enumerate().map(file).collect()
    }

    fn chosen(sizes: &[u64], most: u64) -> Vec<String> {
        let files = files(sizes);
        let chosen = choose(&files.iter().collect::<Vec<_>>(), most);
        chosen.iter().map(|file| file.path.replace(".json", "")).collect()
    }

    #[test]
    fn few_files_are_read_all() {
        assert_eq!(chosen(&[10, 10, 10], 30), ["0", "1", "2"]);
        assert_eq!(chosen(&[], 30), [""; 0]);
    }

    #[test]
    fn of_many_the_newest_and_some_others() {
        assert_eq!(
            chosen(&[10; 20], 100),
            ["0", "3", "6", "9", "12", "15", "16", "17", "18", "19"]
        );
        // At least one file of each half, however long it is.
        assert_eq!(chosen(&[1000; 5], 100), ["0", "4"]);
        assert_eq!(chosen(&[1000], 100), ["0"]);
    }
}
