"""Runs a statement that reads lines of JSON and Parquet files together, and compares its rows with what was sent.

equal.py duckdb|polars|spark STATEMENT SENT: SENT has one record a line: offset, timestamp in milliseconds, day, and the value's
fields as they were sent. Prints the columns' types. Exit code 0 where every value is the same.
"""

import datetime
import decimal
import json
import sys


def duckdb_rows(statement):
    import duckdb

    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    relation = connection.sql(statement)
    types = dict(zip(relation.columns, map(str, relation.types)))
    return types, relation.to_arrow_table().to_pylist()


def polars_rows(statement):
    names = {}
    exec(statement, names)
    frame = names["df"].collect()
    return {name: str(kind) for name, kind in frame.schema.items()}, frame.to_dicts()


def spark_rows(statement):
    from pyspark.sql import SparkSession

    settings = {"spark.ui.enabled": "false", "spark.sql.session.timeZone": "UTC", "spark.sql.shuffle.partitions": "1"}
    builder = SparkSession.builder.master("local[1]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    builder.getOrCreate().sparkContext.setLogLevel("OFF")
    names = {}
    exec(statement, names)
    frame = names["df"]
    return dict(frame.dtypes), [row.asDict() for row in frame.collect()]


def milliseconds(value):
    if value.tzinfo is None:  # Spark's are local.
        value = value.astimezone()
    return (value - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(milliseconds=1)


def same(got, want):
    if want is None or got is None or isinstance(want, bool):
        return got is want
    if isinstance(want, (list, dict)):
        return json.loads(got, parse_float=decimal.Decimal) == want
    if isinstance(got, str) and not isinstance(want, str):
        return got == str(want)
    if isinstance(want, decimal.Decimal) and isinstance(got, float):
        return got == float(want)
    return type(got) is not float and got == want


def main(reader, statement, sent):
    decimal.getcontext().prec = 60
    text = open(statement, encoding="utf-8").read()
    types, rows = {"duckdb": duckdb_rows, "polars": polars_rows, "spark": spark_rows}[reader](text)
    found = {row["_offset"]: row for row in rows}
    differences = []
    count = 0
    for line in open(sent, encoding="utf-8"):
        count += 1
        record = json.loads(line, parse_float=decimal.Decimal)
        row = found.get(record["offset"])
        if row is None:
            differences.append(f"no row for {record}")
            continue
        if milliseconds(row["_timestamp"]) != record["timestamp"]:
            differences.append(f"_timestamp: {row['_timestamp']!r} in place of {record['timestamp']}")
        day = "-".join(str(row[name]).zfill(2) for name in ("year", "month", "day"))
        if day != record["day"]:
            differences.append(f"day {day} in place of {record['day']}")
        ours = {name: row[name] for name in row if name.startswith("_") or name in ("year", "month", "day")}
        for name in row.keys() - ours.keys():
            if not same(row[name], record["fields"].get(name)):
                differences.append(f"{record['offset']} {name}: {row[name]!r} in place of {record['fields'].get(name)!r}")
    if count != len(rows):
        differences.append(f"{len(rows)} rows in place of {count}")
    print(json.dumps(types))
    if differences:
        sys.exit("\n".join(differences[:20]))


main(*sys.argv[1:])
