"""What scripts/bench runs: the cases one after another, each reported as soon as it is done. Standard library only."""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import time
from typing import Callable, NamedTuple

sys.dont_write_bytecode = True

import cases
import report
from avro import avro
from measure import REPO, WORK, forget, forget_topics, made
from parquet import parquet
from warehouse import keys, warehouse


class Case(NamedTuple):
    """A case: its rounds, and what it needs for each record of the size, in Kafka, in its folder, and in inodes."""

    work: Callable
    rounds: int
    kafka: float
    folder: float
    inodes: float = 0
    # Topics by how their names begin.
    topics: tuple = ()


KB = 1000
CASES = {
    "stream": Case(cases.stream, 5, 0.8 * KB, 1.6 * KB, topics=("bench-stream-",)),
    "table": Case(cases.table, 5, 0.3 * KB, 0.6 * KB, topics=("bench-table-",)),
    "snapshot": Case(cases.snapshot, 3, 3 * KB, 12 * KB),
    "windowed": Case(cases.windowed, 5, 0.3 * KB, 0.6 * KB, topics=("bench-windowed-",)),
    "warehouse": Case(warehouse, 5, 1.6 * KB, 0.7 * KB, topics=("bench-table-", "bench-pairs-", "bench-enveloped-")),
    "keys": Case(keys, 1, 6 * KB, 0, topics=("bench-keys-",)),
    "avro": Case(avro, 3, 1.2 * KB, 0.8 * KB, topics=("bench-ten-",)),
    "parquet": Case(parquet, 3, 0.8 * KB, 2.4 * KB, topics=("bench-stream-",)),
    "idle": Case(cases.idle, 10, 0, 0, topics=("bench-idle-",)),
    "many": Case(cases.many, 5, 0.2 * KB, 0.1 * KB, 0.02, topics=("bench-many-",)),
    "memory": Case(cases.memory, 1, 12 * KB, 11 * KB, 0.05, topics=("bench-large-", "bench-zstd-", "bench-days-", "bench-huge")),
    "purge": Case(cases.purge, 1, 0.4 * KB, 9 * KB, 2.1, topics=("bench-files-",)),
    "linear": Case(cases.linear, 2, 12 * KB, 6 * KB, topics=("bench-linear-",)),
}
# Contenders that --with adds, and the case that they take part in.
OPTIONAL = {"spark": "stream", "debezium": "warehouse", "fastavro": "avro"}
GIGABYTE = 1_000_000_000
# Kafka removes the files of a deleted topic a minute later.
SPACE_DEADLINE_SECONDS = 90


def main():
    # Whoever ends this ends what it runs, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    args = arguments()
    WORK.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for at, name in enumerate(args.only):
        case = CASES[name]
        enough_space(name, case, args.size)
        rounds = args.rounds or min(case.rounds, 2 if args.quick else case.rounds)
        since = time.monotonic()
        figures = case.work(args.size, rounds, args.also)
        others = [os.environ[f"LAKECTL_BENCH_{other.upper()}_VERSION"] for other in args.also if OPTIONAL[other] == name]
        text = report.section(name, figures, report.conditions(args.size, rounds, others))
        print(f"\n{text}\n({time.monotonic() - since:.0f} s)", flush=True)
        if args.out:
            report.replace(args.out, name, text, list(CASES))
        if not args.keep:
            clear(case, [CASES[later] for later in args.only[at + 1:]])
    print(f"\nAll in {(time.monotonic() - began) / 60:.1f} minutes.", flush=True)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--size", type=int)
    parser.add_argument("--only", type=names(CASES), default=list(CASES))
    parser.add_argument("--with", type=names(OPTIONAL), default=[], dest="also")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--out", type=pathlib.Path)
    args = parser.parse_args()
    if "LAKECTL_BROKERS" not in os.environ or "LAKECTL_WAREHOUSE_URL" not in os.environ:
        parser.error("LAKECTL_BROKERS or LAKECTL_WAREHOUSE_URL is not set; run scripts/bench")
    if "avro" in args.only and "LAKECTL_SCHEMA_REGISTRY_URL" not in os.environ:
        parser.error("LAKECTL_SCHEMA_REGISTRY_URL is not set; run scripts/bench")
    if "parquet" in args.only and "LAKECTL_BENCH_DUCKDB" not in os.environ:
        parser.error("LAKECTL_BENCH_DUCKDB is not set; run scripts/bench")
    for name in args.also:
        if f"LAKECTL_BENCH_{name.upper()}" not in os.environ:
            parser.error(f"{name} is not there; run scripts/bench --with {name}")
    usual = not (args.quick or args.size) and args.only == list(CASES)
    args.size = args.size or (100_000 if args.quick else 1_000_000)
    args.out = args.out or (REPO / "bench/RESULTS.md" if usual else None)
    return args


def names(known):
    """Reads a list of names, each of which must be known."""
    def read(text):
        wanted = text.split(",")
        if unknown := sorted(set(wanted) - set(known)):
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {', '.join(known)}")
        return wanted

    return read


def enough_space(name, case, size):
    """Stops before a case for which there is too little space, and waits a little for what the case before it left."""
    folders = {WORK: case.folder * size}
    services = pathlib.Path(os.environ.get("LAKECTL_SERVICES_DIR", WORK))
    kafka = services if services.is_dir() else WORK
    if kafka.stat().st_dev == WORK.stat().st_dev:
        folders[WORK] += case.kafka * size
    else:
        folders[kafka] = case.kafka * size
    until = time.monotonic() + SPACE_DEADLINE_SECONDS
    for folder, needed in folders.items():
        needed += GIGABYTE
        while (free := shutil.disk_usage(folder).free) < needed:
            if time.monotonic() > until:
                sys.exit(f"{name} needs {needed / GIGABYTE:.0f} GB on the disk of {folder}, where {free / GIGABYTE:.0f} are free; "
                         f"make room, or take --size or --only")
            time.sleep(1)
    inodes, free = case.inodes * size, os.statvfs(WORK).f_favail
    # Some file systems count none.
    if os.statvfs(WORK).f_files and free < inodes:
        sys.exit(f"{name} makes {inodes:,.0f} files and folders on the disk of {WORK}, which has inodes for {free:,} more; "
                 f"take --size or --only")


def clear(case, later):
    """Frees what no later case needs."""
    needed = tuple(begin for other in later for begin in other.topics)
    forget_topics([topic for topic in made if topic.startswith(case.topics) and not topic.startswith(needed)])
    forget("lake", "spark", "connect", "kcat.out", *(path.name for path in WORK.glob("bench_*.*")), "stderr", "lakectl.toml")


main()
