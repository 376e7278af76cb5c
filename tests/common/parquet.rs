//! Reads Parquet by the columns' own types, without anything that lakectl writes of them beside.

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use std::fs::File;
use std::path::Path;

/// The rows of a Parquet file as lines: lakectl's own columns first, and no column that is null.
pub fn rows(path: &Path) -> Vec<String> {
    let reader = SerializedFileReader::new(File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap().map(|row| {
        let columns = row.unwrap().into_columns();
        let is_ours = |(name, _): &&(String, Field)| name.starts_with('_');
        let no_key = !columns
            .iter()
            .any(|(name, field)| name == "_key_base64" && *field != Field::Null);
        let ours = columns.iter().filter(is_ours);
        let values = columns.iter().filter(|column| !is_ours(column));
        let fields: Vec<String> = ours
            .chain(values)
            .filter(|(name, field)| *field != Field::Null || (name == "_key" && no_key))
            .map(|(name, field)| format!("{name:?}:{}", json(name, field)))
            .collect();
        format!("{{{}}}", fields.join(","))
    });
    rows.collect()
}

/// A field of a row as JSON. Headers and values that are no objects stand there as JSON.
fn json(name: &str, field: &Field) -> String {
    match field {
        Field::Null => "null".to_owned(),
        Field::Str(text) if matches!(name, "_headers" | "_value") => text.clone(),
        Field::Str(text) => serde_json::to_string(text).unwrap(),
        Field::Bool(value) => value.to_string(),
        Field::Int(number) => number.to_string(),
        Field::Long(number) | Field::TimestampMillis(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        Field::Decimal(decimal) => {
            let bytes = decimal.data();
            let sign = if bytes[0] & 0x80 == 0 { 0u8 } else { 0xff };
            let mut wide = [sign; 16];
            wide[16 - bytes.len()..].copy_from_slice(bytes);
            let (number, scale) = (i128::from_be_bytes(wide), decimal.scale() as usize);
            let digits = format!("{:0width$}", number.unsigned_abs(), width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            let point = if scale > 0 { "." } else { "" };
            format!("{}{whole}{point}{fraction}", if number < 0 { "-" } else { "" })
        }
        other => panic!("{name} is {other:?}"),
    }
}
