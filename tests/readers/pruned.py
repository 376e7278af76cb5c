"""Whether readers can leave out what they don't need: statistics of row groups, and the folders of days.

pruned.py STATEMENT FILE...: exit code 0 if the statistics of _offset and _timestamp are those of the rows.
"""

import sys

import duckdb
import pyarrow.parquet


def statistics(path):
    file = pyarrow.parquet.ParquetFile(path)
    for group in range(file.num_row_groups):
        rows = file.read_row_group(group)
        metadata = file.metadata.row_group(group)
        columns = {metadata.column(at).path_in_schema: metadata.column(at) for at in range(metadata.num_columns)}
        for name in ("_offset", "_timestamp"):
            values = [value for value in rows[name].to_pylist() if value is not None]
            of = columns[name].statistics
            assert of is not None and of.has_min_max, (path, name)
            assert (of.min, of.max, of.null_count) == (min(values), max(values), 0), (path, name, of)
        assert columns["_offset"].path_in_schema == metadata.column(metadata.sorting_columns[0].column_index).path_in_schema


def plan(statement, condition):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    query = f"EXPLAIN ANALYZE SELECT * FROM ({statement.rstrip().rstrip(';')}\n) WHERE {condition}"
    return connection.sql(query).fetchall()[0][1]


def main(statement, paths):
    for path in paths:
        statistics(path)
    text = open(statement, encoding="utf-8").read()
    of_one_day = plan(text, "day = '01'")
    assert f"Scanning Files: 1/{len(paths)}" in of_one_day, of_one_day
    later = plan(text, "_timestamp >= TIMESTAMPTZ '2030-01-01 00:00:00+00'")
    assert "_timestamp>=" in later.replace(" ", "") and f"Row Groups Scanned: 0 / {len(paths)}" in later, later


main(sys.argv[1], sys.argv[2:])
