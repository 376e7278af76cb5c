"""Reads a topic of the lake with Python's own json and decimal, and compares what another reader made of it.

compare.py duckdb|polars STATEMENT EXPECTED_FILE...: exit code 0 where every value is the same.
"""

import ast
import collections
import decimal
import json
import re
import sys

NULL_DAY = "__HIVE_DEFAULT_PARTITION__"


def expected(paths):
    """The rows of these files, each with the days that its path names."""
    rows = []
    for path in paths:
        days = dict(part.split("=", 1) for part in path.split("/")[:-1] if part.split("=")[0] in ("year", "month", "day"))
        days = {name: None if value == NULL_DAY else value for name, value in days.items()}
        with open(path, encoding="utf-8") as file:
            for line in file:
                rows.append({**json.loads(line, parse_float=decimal.Decimal), **days})
    return rows


def duckdb_rows(statement):
    import duckdb

    relation = duckdb.connect().sql(statement)
    return relation.columns, [str(kind) for kind in relation.types], relation.fetchall()


def polars_rows(statement):
    names = {}
    exec(statement, names)
    frame = names["df"].collect()
    return frame.columns, [str(kind) for kind in frame.dtypes], frame.rows()


def as_doubles(value):
    """JSON that has been through a reader which knows no decimals."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, list):
        return [as_doubles(item) for item in value]
    if isinstance(value, dict):
        return {name: as_doubles(item) for name, item in value.items()}
    return value


def same(got, want, kind):
    if want is None or got is None:
        return want is None and got is None
    if kind == "JSON" or (kind == "String" and not isinstance(want, str)):
        return json.loads(got) == as_doubles(want)
    if kind in ("BOOLEAN", "Boolean"):
        return got is want
    if kind in ("DOUBLE", "Float64"):
        return isinstance(got, float) and not isinstance(want, (bool, str)) and got == float(want)
    if kind.upper().startswith("DECIMAL"):
        return isinstance(got, decimal.Decimal) and not isinstance(want, (bool, str, float)) and got == want
    if kind in ("BIGINT", "HUGEINT", "Int64", "Int128"):
        return isinstance(got, int) and type(want) is int and got == want
    # Whole numbers that no number type holds are text.
    return isinstance(got, str) and got == (want if isinstance(want, str) else str(want))


def identity(row):
    return tuple(map(row.get, ("ID", "_partition", "_offset", "_window_start", "year", "month", "day")))


def main(reader, statement, paths):
    decimal.getcontext().prec = 60
    text = open(statement, encoding="utf-8").read()
    columns, kinds, found = {"duckdb": duckdb_rows, "polars": polars_rows}[reader](text)
    assert len(set(columns)) == len(columns), columns
    left_out = {ast.literal_eval(name) for name in re.findall(r'Left out: ("(?:[^"\\]|\\.)*")', text)}
    wanted = collections.defaultdict(list)
    for row in expected(paths):
        wanted[identity(row)].append(row)
    differences = []
    for values in found:
        got = dict(zip(columns, values))
        candidates = wanted.get(identity(got))
        if not candidates:
            differences.append(f"a row that the lake has not: {got}")
            continue
        want = candidates.pop()
        for name in want.keys() - set(columns) - left_out:
            differences.append(f"no column for {name!r}")
        for name, kind in zip(columns, kinds):
            # Most values need no second look, and there are many.
            alike = got[name] is want.get(name) or (type(want.get(name)) is str and kind != "JSON" and got[name] == want[name])
            if not alike and not same(got[name], want.get(name), kind):
                differences.append(f"{name} ({kind}): {got[name]!r} in place of {want.get(name)!r}")
    missing = [row for rows in wanted.values() for row in rows]
    differences += [f"a row that was not read: {row}" for row in missing]
    print(json.dumps({"rows": len(found), "types": dict(zip(columns, kinds)), "left_out": sorted(left_out)}))
    if differences:
        sys.exit("\n".join(differences[:20]))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
