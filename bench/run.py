"""What scripts/bench runs: contenders in turn, medians, ratios. Standard library only."""

import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import threading
import time

REPO = pathlib.Path(__file__).resolve().parent.parent
RELEASE = REPO / "target/release"
LAKECTL = RELEASE / "lakectl"
WORK = REPO / "target/bench"
BROKERS = os.environ["LAKECTL_BROKERS"]
NAMES = ["stream", "table", "snapshot", "windowed", "warehouse", "idle", "many", "memory", "purge", "linear"]


class Figure:
    """One contender's runs."""

    def __init__(self, name):
        self.name, self.seconds, self.megabytes = name, [], []

    def median(self):
        return statistics.median(self.seconds)

    def memory(self):
        return max(self.megabytes)


def run(command, out=None, stdin=None, watch=None):
    """Runs a command: seconds, peak memory in MB. It must end well."""
    sink = open(out, "wb") if out else subprocess.DEVNULL
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=WORK,
        stdin=open(stdin, "rb") if stdin else subprocess.DEVNULL,
        stdout=sink,
        stderr=open(WORK / "stderr", "wb"),
    )
    if watch:
        threading.Thread(target=watch, args=(process.pid,), daemon=True).start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = status
    if status != 0:
        said = (WORK / "stderr").read_text(errors="replace")
        sys.exit(f"{' '.join(map(str, command))}: status {status}\n{said}")
    return seconds, usage.ru_maxrss / 1024


def in_turn(rounds, contenders):
    """Each contender is (name, prepare, command): A B A B, after a sync so that nobody writes for another."""
    figures = [Figure(name) for name, _, _ in contenders]
    for _ in range(rounds):
        for figure, (_, prepare, measured) in zip(figures, contenders):
            prepare()
            os.sync()
            seconds, megabytes = measured()
            figure.seconds.append(seconds)
            figure.megabytes.append(megabytes)
    return figures


def data(topic, shape, records, *more):
    run([RELEASE / "examples/bench_data", topic, shape, records, *more])
    return topic


def forget(*paths):
    for path in paths:
        shutil.rmtree(WORK / path, ignore_errors=True)
        (WORK / path).unlink(missing_ok=True)


def configuration(topics, lake="", warehouse=""):
    """Writes a configuration; topics is name -> TOML lines."""
    text = f'[kafka]\nbrokers = "{BROKERS}"\ngroup = "bench"\n[lake]\nroot = "lake"\n{lake}\n{warehouse}\n'
    for name, lines in topics.items():
        text += f'[topics."{name}"]\n{lines}\n'
    (WORK / "lakectl.toml").write_text(text)


def lake(*more, **watch):
    return run([LAKECTL, "lake", "-q", "--new-lake", "-c", "lakectl.toml", *more], **watch)


def kcat(topic):
    return run(["kcat", "-C", "-b", BROKERS, "-t", topic, "-o", "beginning", "-e", "-q"], out=WORK / "kcat.out")


def new_lake(topics, **more):
    def prepare():
        forget("lake", "kcat.out")
        configuration(topics, **more)

    return prepare


WINDOW = 'kind = "table"\nkey = { columns = ["k"] }\nwindow = { type = "tumbling", size = "5m" }'


def stream(size, rounds):
    topic = data(f"bench-stream-{size}", "stream", size)
    entry = {topic: 'kind = "stream"'}
    return in_turn(rounds, [
        ("kcat to one file", new_lake(entry), lambda: kcat(topic)),
        ("bare poll loop", new_lake(entry), lambda: run([RELEASE / "examples/poll_floor", topic])),
        ("lakectl lake", new_lake(entry), lake),
        ("lakectl lake, zstd", new_lake(entry, lake='compression = "zstd"'), lake),
    ])


def table(size, rounds):
    topic = data(f"bench-table-{size}", "table", size, size // 5)
    entry = {topic: 'kind = "table"'}
    return in_turn(rounds, [
        ("kcat to one file", new_lake(entry), lambda: kcat(topic)),
        ("lakectl lake", new_lake(entry), lake),
    ])


def windowed(size, rounds):
    topic = data(f"bench-windowed-{size}", "windowed", size, size // 5)
    entry = {topic: WINDOW}
    return in_turn(rounds, [
        ("kcat to one file", new_lake(entry), lambda: kcat(topic)),
        ("lakectl lake", new_lake(entry), lake),
    ])


def snapshot(size, rounds):
    """A large snapshot, and then a few updates: what it costs beside copying the file."""
    keys = 10 * size
    topic = data(f"bench-keys-{os.getpid()}", "keys", keys, keys)
    configuration({topic: 'kind = "table"'})
    forget("lake", "kept", "copy")
    first = Figure("the first run, all keys")
    seconds, megabytes = lake("--max-messages", keys)
    first.seconds.append(seconds)
    first.megabytes.append(megabytes)
    current = (WORK / "lake/current" / f"{topic}.json").resolve()
    size_mb = current.stat().st_size / 1e6

    updates = [0]

    def update():
        forget("copy")
        updates[0] += 1
        data(topic, "keys", keys + 1000 * updates[0], keys)

    def copied():
        at = (WORK / "lake/current" / f"{topic}.json").resolve()
        return run(["sh", "-c", f"cp '{at}' copy && sync copy"])

    figures = in_turn(rounds, [
        (f"cp and sync of the snapshot ({size_mb:.0f} MB)", lambda: forget("copy"), copied),
        ("lakectl lake, 1,000 updates", update, lake),
    ])
    forget("copy")
    return [*figures, first]


def idle(size, rounds):
    topics = {}
    for number in range(10):
        shape, entry = [("stream", 'kind = "stream"'), ("table", 'kind = "table"')][number % 2]
        more = [100] if shape == "table" else []
        topics[data(f"bench-idle-{number}", shape, 1000, *more)] = entry
    configuration(topics)
    forget("lake")
    lake()
    return in_turn(2 * rounds, [("lakectl lake, ten topics, nothing new", lambda: None, lake)])


def many(size, rounds):
    number = max(10, size // 5000)
    topics = {
        data(f"bench-many-{at}", "stream", 120, "--partitions", 12, "--days", 1, "--bytes", 300): 'kind = "stream"'
        for at in range(number)
    }

    def by_hand():
        """As many files and folders, each synced, in one thread: what the filesystem alone costs."""
        began = time.perf_counter()
        for topic in topics:
            day = WORK / "lake" / topic / "year=2025/month=10/day=01"
            day.mkdir(parents=True)
            for partition in range(12):
                with open(day / f"part-{partition:05}.json", "wb") as file:
                    file.write(b"x" * 3600)
                    os.fsync(file.fileno())
            folder = os.open(day, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        return time.perf_counter() - began, 0

    old = []

    def fresh():
        """The lake before is moved aside, not removed: ext4 passes over inodes that were deleted in the last minutes
        one by one, and that costs several times what is measured here."""
        if (WORK / "lake").exists():
            old.append(f"old-{len(old)}")
            (WORK / "lake").rename(WORK / old[-1])
        configuration(topics)

    forget("lake")
    figures = in_turn(rounds, [
        (f"{number * 12:,} files in {number * 4} folders, made and synced by hand", fresh, by_hand),
        (f"lakectl lake, {number} topics of 12 Kafka partitions", fresh, lake),
    ])
    forget("lake", *old)
    return figures


def memory(size, rounds):
    """Peak memory where it could grow: much data, many days, very large records."""
    figures = []
    open_files = [0]

    def watch(pid):
        try:
            while True:
                open_files[0] = max(open_files[0], len(os.listdir(f"/proc/{pid}/fd")))
                time.sleep(0.01)
        except OSError:
            pass

    cases = [
        (f"{10 * size * 1000 / 1e9:.0f} GB drained", f"bench-large-{size}", [10 * size, "--bytes", 1000], ""),
        ("5,000 day folders in one run", f"bench-days-{size}", [size // 10, "--days", 5000], ""),
        ("records of 64 MiB", "bench-huge", [8, "--bytes", 64 << 20, "--partitions", 1], ""),
    ]
    for name, topic, arguments, settings in cases:
        data(topic, "stream", *arguments)
        open_files[0] = 0
        for figure in in_turn(1, [(name, new_lake({topic: 'kind = "stream"'}, lake=settings), lambda: lake(watch=watch))]):
            figure.name += f" ({open_files[0]} open files)"
            figures.append(figure)
        forget("lake")
    return figures


def linear(size, rounds):
    figures = []
    for times in [1, 2, 4, 8]:
        topic = data(f"bench-linear-{times * size}", "stream", times * size, "--bytes", 700)
        figures += in_turn(rounds, [(f"lakectl lake, {times * size:,} records", new_lake({topic: 'kind = "stream"'}), lake)])
    return figures


def purge(size, rounds):
    """As many files as records; each copy of the lake is purged, or removed by rm."""
    topic = data(f"bench-files-{size}", "stream", size, "--days", 1000, "--bytes", 200)
    configuration({topic: 'kind = "stream"'}, lake='files = "message"')
    forget("lake", "kept")
    lake()
    (WORK / "lake").rename(WORK / "kept")

    def copy():
        forget("lake")
        run(["cp", "-a", "kept", "lake"])

    figures = in_turn(min(rounds, 3), [
        (f"rm -rf of {size:,} files in 1,000 day folders", copy, lambda: run(["rm", "-rf", f"lake/streams/{topic}"])),
        ("lakectl purge", copy, lambda: run(
            [LAKECTL, "purge", "-q", "-c", "lakectl.toml", "--only", "lake", "--yes", "--older-than", "1d", "--max-fraction", 1])),
    ])
    forget("lake", "kept")
    return figures


def sql(statement, database=None):
    words = [REPO / "scripts/services", "mysql-client", "--local-infile=1", "-N"]
    done = subprocess.run([*map(str, words), *([database] if database else []), "-e", statement], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stdout


def warehouse(size, rounds):
    """The same final rows by upserts from a file, by LOAD DATA, and by lakectl from the updates."""
    topic = data(f"bench-table-{size}", "table", size, size // 5)
    configuration({topic: 'kind = "table"'})
    forget("lake")
    lake()
    rows = []
    with open(WORK / "lake/current" / f"{topic}.json", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line, parse_float=str)
            rows.append((row["_key"], row["COUNT_OF"], row["TOTAL"], row["NAME"], row["UPDATED_MS"], row["NOTE"]))
    columns = "k VARCHAR(64) NOT NULL PRIMARY KEY, count_of BIGINT, total DECIMAL(20,2), name VARCHAR(64), updated_ms BIGINT, note TEXT"
    head = "INSERT INTO bench_rows (k,count_of,total,name,updated_ms,note) VALUES "
    tail = " AS n ON DUPLICATE KEY UPDATE " + ",".join(
        f"{c}=n.{c}" for c in ["count_of", "total", "name", "updated_ms", "note"])
    quoted = lambda text: "'" + str(text).replace("\\", "\\\\").replace("'", "''") + "'"
    with open(WORK / "rows.sql", "w", encoding="utf-8") as out:
        out.write("SET NAMES utf8mb4; START TRANSACTION;\n")
        for at in range(0, len(rows), 1000):
            values = ",".join("(" + ",".join(map(quoted, row)) + ")" for row in rows[at:at + 1000])
            out.write(f"{head}{values}{tail};\n")
        out.write("COMMIT;\n")
    with open(WORK / "rows.tsv", "w", encoding="utf-8") as out:
        out.writelines("\t".join(map(str, row)) + "\n" for row in rows)
    database = os.environ["LAKECTL_WAREHOUSE_URL"].rsplit("/", 1)[1]
    client = [REPO / "scripts/services", "mysql-client", "--local-infile=1", database]
    (WORK / "load.sql").write_text(
        f"LOAD DATA LOCAL INFILE '{WORK}/rows.tsv' REPLACE INTO TABLE bench_rows CHARACTER SET utf8mb4;")
    url = os.environ["LAKECTL_WAREHOUSE_URL"]
    entry = {topic: 'kind = "table"\nkey = { columns = ["k"] }\nwarehouse.table = "bench_rows"'}
    configuration(entry, warehouse=f'[warehouse]\nurl = "{url}"')
    run([LAKECTL, "init-db", "-q", "-c", "lakectl.toml"])

    def empty():
        sql(f"DROP TABLE IF EXISTS bench_rows; CREATE TABLE bench_rows ({columns}) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_bin", database)
        no_progress()

    def no_progress():
        sql(f"DELETE FROM lakectl_progress WHERE topic = '{topic}'", database)

    def from_file(name):
        return lambda: run(client, stdin=WORK / name)

    def load():
        return run([LAKECTL, "warehouse", "-q", "-c", "lakectl.toml", "--topics", topic])

    figures = in_turn(rounds, [
        (f"upserts of {len(rows):,} rows, empty table", empty, from_file("rows.sql")),
        ("upserts, rows exist", no_progress, from_file("rows.sql")),
        ("LOAD DATA, empty table", empty, from_file("load.sql")),
        ("LOAD DATA REPLACE, rows exist", no_progress, from_file("load.sql")),
        (f"lakectl warehouse, {size:,} updates, empty table", empty, load),
        ("lakectl warehouse, rows exist", no_progress, load),
    ])
    sql("DROP TABLE bench_rows", database)
    no_progress()
    return figures


# Case -> (contender, what it is compared with, at most this ratio), by position; limits in seconds and MB.
TARGETS = {
    "stream": [(2, 0, 1.0), (3, 0, 1.0)],
    "table": [(1, 0, 1.5)],
    "windowed": [(1, 0, None)],
    "snapshot": [(1, 0, 1.5)],
    "warehouse": [(4, 0, 1.3), (5, 1, 1.3)],
    "purge": [(1, 0, 1.1)],
    "linear": [(1, 0, 2.2), (2, 0, 4.4), (3, 0, 8.8)],
}


def section(name, figures):
    ratios = {at: (base, limit) for at, base, limit in TARGETS.get(name, [])}
    lines = [f"## {name}", "", "| contender | median s | min | max | peak MB | ratio | target |", "|---|---|---|---|---|---|---|"]
    for at, figure in enumerate(figures):
        ratio = target = ""
        if at in ratios:
            base, limit = ratios[at]
            ratio = f"{figure.median() / figures[base].median():.2f}"
            target = f"≤ {limit}" if limit else ""
        lines.append(
            f"| {figure.name} | {figure.median():.2f} | {min(figure.seconds):.2f} | {max(figure.seconds):.2f} "
            f"| {figure.memory():.0f} | {ratio} | {target} |")
    return "\n".join(lines) + "\n"


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    version = subprocess.run([LAKECTL, "--version"], capture_output=True, text=True).stdout.strip()
    kcat_version = subprocess.run(["kcat", "-V"], capture_output=True, text=True).stdout.split("\n")[3:4]
    return (f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, Linux {platform.release()}; "
            f"{version}; kcat {' '.join(kcat_version).split('(')[0].strip()}")


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--size", type=int)
    parser.add_argument("--only", default=",".join(NAMES))
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--out")
    args = parser.parse_args()
    chosen = args.only.split(",")
    if unknown := set(chosen) - set(NAMES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    size, rounds = (100_000, 2) if args.quick else (1_000_000, 5)
    size, rounds = args.size or size, args.rounds or rounds
    WORK.mkdir(parents=True, exist_ok=True)
    text = f"# Benchmarks\n\nMade by `scripts/bench`. Only ratios within one run travel.\n\n{machine()}. {rounds} rounds, {size:,} records.\n"
    for name in chosen:
        result = section(name, globals()[name](size, rounds))
        print("\n" + result, flush=True)
        text += "\n" + result
    forget("lake", "kcat.out", "rows.sql", "rows.tsv", "load.sql", "stderr", "lakectl.toml")
    if not args.keep:
        run([RELEASE / "examples/bench_data", "--forget"])
    out = args.out or (None if args.quick or args.size or chosen != NAMES else REPO / "bench/RESULTS.md")
    if out:
        pathlib.Path(out).write_text(text)


main()
