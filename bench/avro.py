"""The case `avro`: the same rows of ten fields as JSON and as Avro, into the lake and into MySQL, and by a loop in Python."""

import json
import os
import sys
import urllib.request

from measure import LAKECTL, MEMORY, REPO, WORK, BROKERS, configuration, data, forget, in_turn, lake, new_lake, run
from warehouse import DATABASE, URL, load, no_progress, sql

# What examples/programs/ten_fields.rs writes.
SCHEMA = {"type": "record", "name": "Ten", "fields": [
    {"name": "ID", "type": "long"},
    {"name": "USER_ID", "type": "string"},
    {"name": "NAME", "type": ["null", "string"]},
    {"name": "AMOUNT", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 15, "scale": 2}]},
    {"name": "RATING", "type": "double"},
    {"name": "ACTIVE", "type": "boolean"},
    {"name": "CITY", "type": ["null", "string"]},
    {"name": "STATUS", "type": {"type": "enum", "name": "Status",
                                "symbols": ["purchase", "withdrawal", "deposit", "transfer", "refund"]}},
    {"name": "UPDATED", "type": {"type": "long", "logicalType": "timestamp-millis"}},
    {"name": "NOTE", "type": ["null", "string"]},
]}
COLUMNS = """k VARCHAR(64) NOT NULL PRIMARY KEY, id BIGINT, user_id VARCHAR(64), name VARCHAR(64), amount DECIMAL(15,2),
    rating DOUBLE, active BOOLEAN, city VARCHAR(64), status VARCHAR(16), updated DATETIME(3), note TEXT"""


def avro(size, rounds, also):
    schema = register()
    # The id is in the records, and another registry gives another one.
    streams = [data(f"bench-ten-{size}", "ten", size), data(f"bench-ten-avro-{schema}-{size}", "ten", size, "--schema", schema)]
    tables = [data(f"bench-ten-rows-{size}", "ten", size, size // 5),
              data(f"bench-ten-rows-avro-{schema}-{size}", "ten", size, size // 5, "--schema", schema)]
    same_lines(streams)
    contenders = []
    for topic, (name, value) in zip(streams, FORMATS):
        contenders.append((f"lakectl lake, {name}", new_lake({topic: f'kind = "stream"\n{value}'}), lake))
    for topic, (name, value) in zip(tables, FORMATS):
        contenders.append((f"lakectl warehouse, {size:,} updates, {name}", empty_table(topic, value), lambda topic=topic: load(topic)))
    if "fastavro" in also:
        contenders.append(("fastavro and confluent-kafka, a loop in Python", lambda: forget("loop"), lambda: loop(streams[1], size)))
    figures = in_turn(rounds, contenders)
    for plain, ours, limit in (0, 1, 1.3), (2, 3, 1.1):
        figures[ours].beside(figures[plain], at_most=limit, named="JSON")
        for at in plain, ours:
            figures[at].within(megabytes=MEMORY)
    for figure in figures[4:]:
        figure.beside(figures[1], at_least=20, named="lakectl lake, Avro")
    sql(f"DROP DATABASE {DATABASE}")
    forget("lake", "loop", "schema.json")
    return figures


FORMATS = [("JSON", ""), ("Avro", 'value.format = "avro"')]


def register():
    """The id that the registry gives the schema."""
    url = os.environ["LAKECTL_SCHEMA_REGISTRY_URL"].split(",")[0].rstrip("/")
    body = json.dumps({"schema": json.dumps(SCHEMA)}).encode()
    request = urllib.request.Request(f"{url}/subjects/bench-ten-value/versions", body,
                                     {"Content-Type": "application/vnd.schemaregistry.v1+json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["id"]


def same_lines(topics):
    """Both formats must come to the same files, or they are not the same data."""
    new_lake({topic: f'kind = "stream"\n{value}' for topic, (_, value) in zip(topics, FORMATS)})()
    lake()
    files = [{path.relative_to(folder): path for path in folder.rglob("*.json")}
             for folder in (WORK / "lake/streams" / topic for topic in topics)]
    if not files[0] or files[0].keys() != files[1].keys():
        sys.exit(f"{topics[1]} has other files than {topics[0]}")
    for name, path in files[0].items():
        if path.read_bytes() != files[1][name].read_bytes():
            sys.exit(f"{files[1][name]} differs from {path}")


def empty_table(topic, value):
    def prepare():
        entry = f'kind = "table"\nkey = {{ columns = ["k"] }}\nwarehouse.table = "bench_ten"\n{value}'
        configuration({topic: entry}, warehouse=f'[warehouse]\nurl = "{URL}"')
        # Variables win over files.
        os.environ["LAKECTL_WAREHOUSE_URL"] = URL
        run([LAKECTL, "init-db", "-q", "-c", "lakectl.toml"])
        sql(f"DROP TABLE IF EXISTS bench_ten; CREATE TABLE bench_ten ({COLUMNS}) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_bin",
            DATABASE)
        no_progress(topic)

    return prepare


def loop(topic, size):
    (WORK / "schema.json").write_text(json.dumps(SCHEMA))
    python = os.environ["LAKECTL_BENCH_FASTAVRO"]
    done = run([python, REPO / "bench/fastavro_loop.py", BROKERS, topic, size, "schema.json", "loop"])
    lines = sum(sum(1 for _ in open(path, "rb")) for path in (WORK / "loop").rglob("*.json"))
    if lines != size:
        sys.exit(f"the loop wrote {lines} lines of {size}")
    return done
