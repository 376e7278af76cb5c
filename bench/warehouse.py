"""The cases `warehouse`: the same final rows by upserts from a file, by LOAD DATA, by lakectl from the updates, and by Debezium,
for keys of one text and for JSON keys of two columns; and `keys`: how much memory many rows take."""

import itertools
import json
import os
import subprocess
import sys
from typing import NamedTuple

import debezium_sink
from measure import LAKECTL, MEMORY, REPO, WORK, configuration, data, forget, in_turn, lake, new_lake, run

VALUES = ["count_of", "total", "name", "updated_ms", "note"]
TYPES = ["BIGINT", "DECIMAL(20,2)", "VARCHAR(64)", "BIGINT", "TEXT"]


class Keys(NamedTuple):
    """What the keys of a table are like: the shape of `bench_data`, the configuration, the table, and its key's columns."""

    shape: str
    entry: str
    table: str
    columns: tuple

    def all(self):
        return [*self.columns, *VALUES]

    def of(self, shown):
        """The columns' values, from a key as a line of the lake shows it."""
        return (shown,) if isinstance(shown, str) else tuple(shown[name.upper()] for name in self.columns)


PLAIN = Keys("table", 'key = { columns = ["k"] }', "bench_rows", ("k",))
PAIRS = Keys("pairs", 'key = { format = "json" }', "bench_pairs", ("user_id", "transaction_type"))
CLIENT = [str(REPO / "scripts/services"), "mysql-client", "--local-infile=1", "-N"]
# Of its own: what purges have erased elsewhere, every record would be compared with.
DATABASE = "lakectl_bench"
URL = os.environ.get("LAKECTL_WAREHOUSE_URL", "").rsplit("/", 1)[0] + "/" + DATABASE


def sql(statement, *database):
    done = subprocess.run([*CLIENT, *database, "-e", statement], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


def warehouse(size, rounds, also):
    kinds = {kind: data(f"bench-{kind.shape}-{size}", kind.shape, size, size // 5) for kind in (PLAIN, PAIRS)}
    contenders = []
    for kind, topic in kinds.items():
        rows = write_floor(kind, topic)
        contenders += beside_each_other(kind, topic, rows, size)
    configure(kinds)
    if "debezium" in also:
        enveloped = data(f"bench-enveloped-{size}", "enveloped", size, size // 5)
        contenders.append((f"Debezium's JDBC sink, {size:,} updates, empty table",
                           lambda: new_table("bench_debezium", PLAIN), lambda: debezium(enveloped)))
    figures = in_turn(rounds, contenders)
    for floor, ours in (0, 4), (1, 5), (6, 10), (7, 11):
        figures[ours].beside(figures[floor], at_most=1.3, named="upserts")
        figures[ours].within(megabytes=MEMORY)
    for sink in figures[12:]:
        sink.beside(figures[4], at_least=8, named="lakectl")
        started = sink.without_start("Debezium's JDBC sink, without the start of Java and Connect")
        started.beside(figures[4], at_least=8, named="lakectl")
        figures.append(started)
    sql(f"DROP DATABASE {DATABASE}")
    return figures


def beside_each_other(kind, topic, rows, size):
    """The same rows by each contender: into an empty table, and where they exist."""
    def from_file(what):
        return lambda: run([*CLIENT, DATABASE], stdin=WORK / f"{kind.table}.{what}")

    def is_empty():
        empty(kind, topic)

    def have_rows():
        no_progress(topic)

    named = f", {len(kind.columns)} JSON key columns" if kind is PAIRS else ""
    return [
        (f"upserts of {rows:,} rows{named}, empty table", is_empty, from_file("upserts.sql")),
        (f"upserts{named}, rows exist", have_rows, from_file("upserts.sql")),
        (f"LOAD DATA{named}, empty table", is_empty, from_file("load.sql")),
        (f"LOAD DATA REPLACE{named}, rows exist", have_rows, from_file("load.sql")),
        (f"lakectl warehouse, {size:,} updates{named}, empty table", is_empty, lambda: load(topic)),
        (f"lakectl warehouse{named}, rows exist", have_rows, lambda: load(topic)),
    ]


def keys(size, rounds, also):
    """Peak memory with many keys, none of which is updated: a first load, and a rebuild of the same."""
    number = 10 * size
    topic = data(f"bench-keys-{number}", "keys", number, number, "--partitions", 4)
    configure({PLAIN: topic})

    figures = in_turn(rounds, [
        (f"lakectl warehouse, {number:,} keys, empty table", lambda: empty(PLAIN, topic), lambda: load(topic)),
        (f"lakectl warehouse --rebuild, {number:,} keys", lambda: None, lambda: load(topic, "--rebuild")),
    ])
    for figure in figures:
        figure.within(megabytes=MEMORY)
    sql(f"DROP DATABASE {DATABASE}")
    return figures


def configure(kinds):
    entries = {topic: f'kind = "table"\n{kind.entry}\nwarehouse.table = "{kind.table}"' for kind, topic in kinds.items()}
    configuration(entries, warehouse=f'[warehouse]\nurl = "{URL}"')
    # Variables win over files.
    os.environ["LAKECTL_WAREHOUSE_URL"] = URL
    run([LAKECTL, "init-db", "-q", "-c", "lakectl.toml"])


def load(topic, *more):
    return run([LAKECTL, "warehouse", "-q", "-c", "lakectl.toml", "--topics", topic, *more])


def empty(kind, topic):
    new_table(kind.table, kind)
    no_progress(topic)


def no_progress(topic):
    sql(f"DELETE FROM lakectl_progress WHERE topic = '{topic}'", DATABASE)


def new_table(name, kind):
    columns = [f"{column} VARCHAR(64) NOT NULL" for column in kind.columns]
    columns += map(" ".join, zip(VALUES, TYPES))
    columns.append(f"PRIMARY KEY ({', '.join(kind.columns)})")
    sql(f"DROP TABLE IF EXISTS {name}; CREATE TABLE {name} ({', '.join(columns)}) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_bin", DATABASE)


def write_floor(kind, topic):
    """The final rows, as lakectl's own snapshot has them, as statements and as a file to load."""
    format_of_keys = kind.entry if kind is PAIRS else ""
    new_lake({topic: f'kind = "table"\n{format_of_keys}'})()
    lake()
    head = f"INSERT INTO {kind.table} ({','.join(kind.all())}) VALUES "
    tail = " AS n ON DUPLICATE KEY UPDATE " + ",".join(f"{c}=n.{c}" for c in VALUES)
    quoted = lambda text: "'" + str(text).replace("\\", "\\\\").replace("'", "''") + "'"
    count = 0
    file = lambda what: WORK / f"{kind.table}.{what}"
    # Not all of them in memory: a contender's peak is at least that of this script, from which it was forked.
    with (open(WORK / "lake/current" / f"{topic}.json", encoding="utf-8") as lines,
          open(file("upserts.sql"), "w", encoding="utf-8") as statements,
          open(file("tsv"), "w", encoding="utf-8") as table):
        statements.write("SET NAMES utf8mb4; START TRANSACTION;\n")
        while rows := [final_row(kind, line) for line in itertools.islice(lines, 1000)]:
            values = ",".join("(" + ",".join(map(quoted, row)) + ")" for row in rows)
            statements.write(f"{head}{values}{tail};\n")
            table.writelines("\t".join(map(str, row)) + "\n" for row in rows)
            count += len(rows)
        statements.write("COMMIT;\n")
    forget("lake")
    file("load.sql").write_text(
        f"SET GLOBAL local_infile = ON; LOAD DATA LOCAL INFILE '{file('tsv')}' REPLACE INTO TABLE {kind.table} CHARACTER SET utf8mb4;")
    return count


def final_row(kind, line):
    row = json.loads(line, parse_float=str)
    return (*kind.of(row["_key"]), row["COUNT_OF"], row["TOTAL"], row["NAME"], row["UPDATED_MS"], row["NOTE"])


def debezium(topic):
    """Done when it has each Kafka partition's last update; then both must have made the same rows."""
    last = sql(f"SELECT MAX(count_of) FROM bench_rows GROUP BY SUBSTRING(k, 5) % {debezium_sink.TASKS}", DATABASE).split()
    keys = sql(f"SELECT CONCAT('(k = ''', k, ''' AND count_of = ', count_of, ')') FROM bench_rows WHERE count_of IN ({','.join(last)})",
               DATABASE).splitlines()
    # One client that stays: starting one for each question would take a core from those who are measured.
    client = subprocess.Popen([*CLIENT, "--unbuffered", DATABASE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(question):
        client.stdin.write(question + ";\n")
        client.stdin.flush()
        return client.stdout.readline()

    def arrived():
        return int(ask(f"SELECT COUNT(*) FROM bench_debezium WHERE {' OR '.join(keys)}")) == len(keys)

    try:
        took = debezium_sink.drain(topic, "bench_debezium", arrived)
    finally:
        client.stdin.close()
        client.wait()
    ours, theirs = checksum("bench_rows"), checksum("bench_debezium")
    if ours != theirs:
        sys.exit(f"Debezium made other rows than lakectl: {theirs}, not {ours} (count and checksum)")
    return took


def checksum(table):
    """How many rows, and a sum over all columns of all of them."""
    return sql(f"SELECT COUNT(*), SUM(CAST(CONV(LEFT(SHA2(CONCAT_WS('|',{','.join(PLAIN.all())}),256),15),16,10) AS UNSIGNED)) FROM {table}",
               DATABASE).split()
