//! DELIMITED and KAFKA: dates and times as numbers.

use super::{Columns, Given};

/// Values of one declared type, each with a column and what it then has.
type Declared = (
    &'static str,
    &'static str,
    &'static [(&'static str, Result<&'static str, &'static str>)],
);

const DELIMITED: &[Declared] = &[
    ("DATE", "20392", &[("DATE", Ok("2025-10-31"))]),
    ("DATE", "-1", &[("DATE", Ok("1969-12-31"))]),
    ("DATE", "2932897", &[("DATE", Err("not a number of days"))]),
    (
        "TIME",
        "86399999",
        &[("TIME", Ok("23:59:59")), ("TIME(3)", Ok("23:59:59.999"))],
    ),
    ("TIME", "86400000", &[("TIME", Err("since midnight"))]),
    (
        "TIMESTAMP",
        "1761955199999",
        &[
            ("DATETIME", Ok("2025-10-31 23:59:59")),
            ("DATETIME(2)", Ok("2025-10-31 23:59:59.99")),
            ("DATETIME(6)", Ok("2025-10-31 23:59:59.999000")),
            ("TIMESTAMP", Ok("2025-10-31 23:59:59")),
            ("TIMESTAMP(3)", Ok("2025-10-31 23:59:59.999")),
            ("DATE", Err("not a number of days")),
        ],
    ),
    (
        "TIMESTAMP",
        "-1",
        &[
            ("DATETIME(3)", Ok("1969-12-31 23:59:59.999")),
            ("TIMESTAMP", Err("out of a TIMESTAMP's range")),
        ],
    ),
    (
        "DECIMAL(33,16)",
        "\"-12345678987654321.2345678987654321\"",
        &[
            ("DECIMAL(33,16)", Ok("-12345678987654321.2345678987654321")),
            ("DECIMAL(32,16)", Err("out of range for DECIMAL(32,16)")),
        ],
    ),
    (
        "BIGINT",
        "9223372036854775807",
        &[
            ("BIGINT", Ok("9223372036854775807")),
            ("INT", Err("out of range -2147483648 to 2147483647")),
        ],
    ),
    (
        "BIGINT",
        "92233720368547758070",
        &[("BIGINT", Err("out of range"))],
    ),
    ("BIGINT", "many", &[("BIGINT", Err("not a number"))]),
    ("BOOLEAN", "true", &[("BOOLEAN", Ok("1")), ("BIT(1)", Ok("1"))]),
    (
        "BYTES",
        "AP8QIA==",
        &[
            ("BINARY(4)", Ok("00FF1020")),
            ("VARBINARY(3)", Err("longer than 3 bytes")),
            ("BLOB", Ok("00FF1020")),
        ],
    ),
    ("BYTES", "no base64", &[("BLOB", Err("not base64"))]),
    (
        "DOUBLE",
        "4.6116860184273879E18",
        &[("DOUBLE", Ok("4.611686018427388e18"))],
    ),
    ("DOUBLE", "NaN", &[("DOUBLE", Err("not a number"))]),
    (
        "VARCHAR",
        "PAID",
        &[
            ("ENUM('OPEN','PAID')", Ok("PAID")),
            ("ENUM('OPEN')", Err("not one of the ENUM's values")),
            ("JSON", Ok("\"PAID\"")),
        ],
    ),
    ("VARCHAR", "\"a,\"\"b\"\"\"", &[("VARCHAR(9)", Ok("a,\"b\""))]),
];

pub fn columns() -> Vec<Columns> {
    let mut all = vec![delimited()];
    let kafka = |name, kind: &str, column, values: Vec<(Vec<u8>, Result<&'static str, &'static str>)>| {
        let given = values.into_iter().map(|(bytes, expected)| Given {
            column,
            bytes,
            expected,
        });
        Columns {
            name,
            entry: format!("value.format = \"kafka\"\nvalue.columns = [\"C0 {kind}\"]"),
            shared: true,
            given: given.collect(),
        }
    };
    all.push(kafka(
        "kafka_int",
        "INT",
        "DATE",
        vec![
            (20_392i32.to_be_bytes().to_vec(), Ok("2025-10-31")),
            (i32::MAX.to_be_bytes().to_vec(), Err("not a number of days")),
            (vec![1, 2, 3], Err("INT has 4 bytes, not 3")),
        ],
    ));
    all.push(kafka(
        "kafka_bigint",
        "BIGINT",
        "DATETIME(2)",
        vec![
            (
                1_761_955_199_999i64.to_be_bytes().to_vec(),
                Ok("2025-10-31 23:59:59.99"),
            ),
            (i64::MIN.to_be_bytes().to_vec(), Err("")),
        ],
    ));
    all.push(kafka(
        "kafka_time",
        "INT",
        "TIME(3)",
        vec![
            (86_399_999i32.to_be_bytes().to_vec(), Ok("23:59:59.999")),
            (86_400_000i32.to_be_bytes().to_vec(), Err("since midnight")),
        ],
    ));
    all.push(kafka(
        "kafka_double",
        "DOUBLE",
        "DOUBLE",
        vec![
            (0.1f64.to_be_bytes().to_vec(), Ok("0.1")),
            (f64::NAN.to_be_bytes().to_vec(), Err("not a number")),
        ],
    ));
    all.push(kafka(
        "kafka_bytes",
        "BYTES",
        "VARBINARY(2)",
        vec![
            (vec![0, 255], Ok("00FF")),
            (vec![1, 2, 3], Err("longer than 2 bytes")),
        ],
    ));
    all.push(kafka(
        "kafka_varchar",
        "VARCHAR",
        "ENUM('OPEN','PAID')",
        vec![
            (b"PAID".to_vec(), Ok("PAID")),
            (b"LOST".to_vec(), Err("not one of the ENUM's values")),
            (vec![255], Err("not UTF-8")),
        ],
    ));
    all
}

/// Every line fills one column and leaves the others empty.
fn delimited() -> Columns {
    let each = DELIMITED
        .iter()
        .flat_map(|(kind, text, columns)| columns.iter().map(move |column| (kind, text, column)));
    let each: Vec<_> = each.collect();
    let names: Vec<_> = each
        .iter()
        .enumerate()
        .map(|(number, (kind, ..))| format!("C{number} {kind}"))
        .collect();
    let given = each
        .iter()
        .enumerate()
        .map(|(number, (_, text, (column, expected)))| {
            let mut fields = vec![""; each.len()];
            fields[number] = text;
            Given {
                column,
                bytes: fields.join(",").into_bytes(),
                expected: *expected,
            }
        });
    Columns {
        name: "delimited",
        entry: format!("value.format = \"delimited\"\nvalue.columns = {names:?}"),
        shared: false,
        given: given.collect(),
    }
}
