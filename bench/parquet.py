"""The case `parquet`: lines into Parquet, small files into large ones, and a day read back, each beside DuckDB."""

import os
import shutil

from measure import LAKECTL, MEMORY, WORK, Run, configuration, data, forget, in_turn, lake, new_lake, run

PARQUET = 'format = "parquet"'
ZSTD = "(FORMAT parquet, COMPRESSION zstd)"
# About so many files of JSON lines are 3,000 for 1,000,000 records.
SMALL = 'max_file_size = "240KiB"'
COMPACT = [LAKECTL, "compact", "-q", "-c", "lakectl.toml", "--older-than", "0s", "--format", "parquet"]


def parquet(size, rounds, also):
    topic = data(f"bench-stream-{size}", "stream", size)
    entry = {topic: 'kind = "stream"'}
    lines = f"'lake/streams/{topic}/*/*/*/*.json'"
    copy = f"COPY (SELECT * FROM read_json({lines}, format = 'newline_delimited')) TO 'copy.parquet' {ZSTD}"
    small_files(entry)
    copied, written, copied_small, compacted, of_json, of_parquet = figures = in_turn(rounds, [
        ("lakectl lake to JSON, then DuckDB's COPY to Parquet", new_lake(entry), lambda: both(lake(), duckdb(copy))),
        ("lakectl lake to Parquet", new_lake(entry, lake=PARQUET), lake),
        ("DuckDB's COPY of small files of JSON", lambda: again(entry), lambda: duckdb(copy)),
        ("lakectl compact of them to Parquet", lambda: again(entry), lambda: run(COMPACT)),
        ("DuckDB reads all from JSON", filled(entry, ""), lambda: duckdb(query(f"read_json({lines}, format = 'newline_delimited')"))),
        ("DuckDB reads all from Parquet", filled(entry, PARQUET), lambda: duckdb(query(f"read_parquet('lake/streams/{topic}/*/*/*/*.parquet')"))),
    ])
    ours = sum(file.stat().st_size for file in (WORK / "lake/streams" / topic).rglob("*.parquet"))
    theirs = (WORK / "copy.parquet").stat().st_size
    written.name += f" ({ours / 1e6:.0f} MB, DuckDB's file {theirs / 1e6:.0f} MB)"
    written.beside(copied, at_most=1.0, named="lake and COPY")
    compacted.beside(copied_small, at_most=1.0, named="COPY")
    of_parquet.beside(of_json, named="from JSON")
    for figure in written, compacted:
        figure.within(megabytes=MEMORY)
    forget("lake", "lake-small", "copy.parquet")
    return figures


def small_files(entry):
    new_lake(entry, lake=SMALL)()
    lake()
    forget("lake-small")
    (WORK / "lake").rename(WORK / "lake-small")


def again(entry):
    """The small files, as if nobody had compacted them."""
    forget("lake", "copy.parquet")
    shutil.copytree(WORK / "lake-small", WORK / "lake", symlinks=True)
    configuration(entry)


def filled(entry, settings):
    """A lake that is there already."""
    def prepare():
        new_lake(entry, lake=settings)()
        lake()

    return prepare


def query(files):
    return f"SELECT count(*), count(DISTINCT _key), max(_offset) FROM {files}"


def duckdb(statement):
    return run([os.environ["LAKECTL_BENCH_DUCKDB"], "-c", "import duckdb, sys; duckdb.connect().execute(sys.argv[1]).fetchall()", statement])


def both(first, second):
    return Run(first.seconds + second.seconds, max(first.megabytes, second.megabytes), first.cpu + second.cpu)
