"""Runs the snippets of docs/READING.md as they stand there, and compares what they read with the lake's files.

documented.py READING.md STREAM TABLE, in the folder that holds data_lake; STREAM and TABLE take the places of the example's topics.
"""

import glob
import re
import sys
from collections import defaultdict
from decimal import Decimal

from compare import expected

STREAM, TABLE = "TRANSACTIONS_FLAT", "TOTAL_DEPENSE_PAR_USER_TYPE"


def snippets(document, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)


def check(what, got, want):
    if got != want:
        sys.exit(f"{what}: read\n{got}\nin place of\n{want}")


def per_day(rows):
    """Records with an amount and their sum, by day and currency."""
    sums = defaultdict(lambda: [0, Decimal(0)])
    for row in rows:
        if isinstance(row.get("AMOUNT"), (int, Decimal)):
            of = sums[row["day"], row["CURRENCY"]]
            of[0] += 1
            of[1] += row["AMOUNT"]
    return [(*key, *of) for key, of in sorted(sums.items())]


def text_of(row):
    return row.get("_value_text") or row.get("_value_base64")


def duckdb_snippets(blocks, rows, table):
    import duckdb

    view, day, irregular, totals = blocks
    connection = duckdb.connect()
    connection.execute(view)
    amounts = [("2025", "11", *row) for row in per_day(rows) if row[0] == "01"]
    check("a day", connection.sql(day).fetchall(), amounts)
    kept = [(row["_partition"], row["_offset"], row["_error"], text_of(row)) for row in rows if "_error" in row]
    check("irregular records", connection.sql(irregular).fetchall(), sorted(kept))
    users = [(row["_key"]["USER_ID"], row["_key"]["TRANSACTION_TYPE"], row["TOTAL_DEPENSE_USD"]) for row in table]
    check("a table", connection.sql(totals).fetchall(), sorted(users))


def polars_snippets(blocks, rows, table):
    stream, totals = blocks
    names = {}
    exec(stream, names)
    check("Polars: per day", names["per_day"].rows(), per_day(rows))
    texts = names["transactions"].select("_offset", "_value_text").drop_nulls().collect().rows()
    check("Polars: texts", sorted(texts), sorted((row["_offset"], row["_value_text"]) for row in rows if "_value_text" in row))
    exec(totals, names)
    got = names["totals"].select("user_id", "TOTAL_DEPENSE_USD").rows()
    check("Polars: a table", sorted(got), sorted((row["_key"]["USER_ID"], row["TOTAL_DEPENSE_USD"]) for row in table))


def pyarrow_snippets(blocks, rows):
    [stream] = blocks
    names = {}
    exec(stream, names)
    table = names["transactions"]
    columns = table.column_names
    got = sorted((tuple(row.items()) for row in table.to_pylist()), key=lambda row: dict(row)["_offset"])
    want = [tuple((name, row.get(name)) for name in columns) for row in sorted(rows, key=lambda row: row["_offset"])]
    check("pyarrow", got, want)
    transactions = table  # DuckDB finds it by its name
    import duckdb
    import polars

    total = sum(row["AMOUNT"] for row in rows if row.get("AMOUNT") is not None)
    check("pyarrow to DuckDB", duckdb.sql("SELECT sum(AMOUNT) FROM transactions").fetchall(), [(total,)])
    check("pyarrow to Polars", polars.from_arrow(transactions)["AMOUNT"].sum(), total)


def pandas_snippets(blocks, rows):
    [stream] = blocks
    names = {}
    exec(stream, names)
    frame = names["frame"]
    got = [{name: value for name, value in row.items() if value == value and value is not None} for row in frame.to_dict("records")]
    want = [{name: row[name] for name in frame.columns if row.get(name) is not None} for row in rows]
    check("pandas", sorted(got, key=lambda row: row["_offset"]), sorted(want, key=lambda row: row["_offset"]))
    sums = defaultdict(Decimal)
    for _, currency, _, amount in per_day(rows):
        sums[currency] += amount
    check("pandas: sums", dict(names["amounts"]), dict(sums))


def main(path, stream, table):
    document = open(path, encoding="utf-8").read().replace(STREAM, stream).replace(TABLE, table)
    rows = expected(glob.glob(f"data_lake/streams/{stream}/*/*/*/*.json"))
    snapshot = expected([f"data_lake/current/{table}.json"])
    python = snippets(document, "python")
    duckdb_snippets(snippets(document, "sql"), rows, snapshot)
    polars_snippets(python[:2], rows, snapshot)
    pyarrow_snippets(python[2:3], rows)
    pandas_snippets(python[3:], rows)


main(*sys.argv[1:])
