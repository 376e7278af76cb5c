"""The cases: who does what in turn, and what is asked of it. Each gets the size, the rounds, and the optional contenders."""

import os
import subprocess
import sys
import time

from measure import (
    BROKERS, LAKECTL, MEMORY, RELEASE, REPO, WORK, Figure, by_hand, configuration, data, forget, forget_topics, in_turn, kcat,
    lake, new_lake, run, small_topics)

WINDOW = 'kind = "table"\nkey = { columns = ["k"] }\nwindow = { type = "tumbling", size = "5m" }'
SPARK = ["--driver-memory", "2g", "--conf", "spark.ui.enabled=false"]


def stream(size, rounds, also):
    topic = data(f"bench-stream-{size}", "stream", size)
    entry = {topic: 'kind = "stream"'}
    contenders = [
        ("kcat to one file", new_lake(entry), lambda: kcat(topic)),
        ("bare poll loop", new_lake(entry), lambda: run([RELEASE / "poll_floor", topic])),
        ("lakectl lake", new_lake(entry), lake),
        ("lakectl lake, zstd", new_lake(entry, lake='compression = "zstd"'), lake),
    ]
    if "spark" in also:
        contenders.append(("Spark AvailableNow", new_lake(entry), lambda: spark(topic, size)))
    floor, _, plain, zstd, *others = figures = in_turn(rounds, contenders)
    for figure in plain, zstd:
        figure.beside(floor, at_most=1.0, named="kcat")
        figure.within(megabytes=MEMORY)
    for figure in others:
        figure.beside(plain, at_least=8, named="lakectl")
    forget("spark")
    return figures


def spark(topic, size):
    home = os.environ["LAKECTL_BENCH_SPARK"]
    jars = ",".join(str(jar) for jar in sorted((WORK / os.environ["LAKECTL_BENCH_SPARK_JARS"]).glob("*.jar")))
    done = run(
        [f"{home}/bin/spark-submit", "--master", "local[*]", *SPARK, "--jars", jars, REPO / "bench/spark_available_now.py",
         BROKERS, topic, "spark"],
        env={"SPARK_HOME": home, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"})
    lines = subprocess.run("find spark/data -name '*.txt' -exec cat {} + | wc -l", shell=True, cwd=WORK, capture_output=True, text=True)
    if int(lines.stdout) != size:
        sys.exit(f"Spark wrote {lines.stdout.strip()} lines of {size}")
    return done


def table(size, rounds, also):
    topic = data(f"bench-table-{size}", "table", size, size // 5)
    return beside_kcat(topic, 'kind = "table"', rounds, 1.5)


def windowed(size, rounds, also):
    topic = data(f"bench-windowed-{size}", "windowed", size, size // 5)
    return beside_kcat(topic, WINDOW, rounds, None)


def beside_kcat(topic, entry, rounds, limit):
    floor, ours = in_turn(rounds, [
        ("kcat to one file", new_lake({topic: entry}), lambda: kcat(topic)),
        ("lakectl lake", new_lake({topic: entry}), lake),
    ])
    ours.beside(floor, at_most=limit, named="kcat")
    ours.within(megabytes=MEMORY)
    return [floor, ours]


def snapshot(size, rounds, also):
    """A large snapshot, and then a few updates: what it costs beside copying the file."""
    keys = 10 * size
    # Updates stay in it, so that no other run finds the topic as it was made.
    topic = data(f"bench-keys-{os.getpid()}", "keys", keys, keys)
    new_lake({topic: 'kind = "table"'})()
    forget("copy")
    first = Figure(f"the first run, all {keys:,} keys")
    first.runs.append(lake("--max-messages", keys))
    first.within(megabytes=MEMORY)
    current = WORK / "lake/current" / f"{topic}.json"
    size_mb = current.resolve().stat().st_size / 1e6
    updates = [0]

    def update():
        forget("copy")
        updates[0] += 1
        data(topic, "keys", keys + 1000 * updates[0], keys)

    copied, updated = in_turn(rounds, [
        (f"cp and sync of the snapshot ({size_mb:,.0f} MB)", lambda: forget("copy"),
         lambda: run(["sh", "-c", f"cp '{current.resolve()}' copy && sync copy"])),
        ("lakectl lake, 1,000 updates", update, lake),
    ])
    updated.beside(copied, at_most=1.5, named="cp and sync")
    updated.within(megabytes=MEMORY)
    forget("lake", "copy")
    forget_topics([topic])
    return [copied, updated, first]


def idle(size, rounds, also):
    streams = small_topics((f"bench-idle-{number}", "stream", 1000) for number in range(0, 10, 2))
    tables = small_topics((f"bench-idle-{number}", "table", 1000, 100) for number in range(1, 10, 2))
    new_lake({topic: f'kind = "{kind}"' for kind, topics in [("stream", streams), ("table", tables)] for topic in topics})()
    lake()
    [ours] = in_turn(rounds, [("lakectl lake, ten topics, nothing new", lambda: None, lake)])
    ours.within(seconds=0.15, megabytes=40)
    return [ours]


def many(size, rounds, also):
    number = max(10, size // 5000)
    small = ["stream", 120, "--partitions", 12, "--days", 1, "--bytes", 300]
    topics = {topic: 'kind = "stream"' for topic in small_topics((f"bench-many-{at}", *small) for at in range(number))}

    def files():
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

    old = []

    def fresh():
        """The lake before is moved aside, not removed: ext4 passes over inodes that were deleted in the last minutes
        one by one, and that costs several times what is measured here."""
        if (WORK / "lake").exists():
            old.append(f"old-{len(old)}")
            (WORK / "lake").rename(WORK / old[-1])
        configuration(topics)

    forget("lake")
    floor, ours = in_turn(rounds, [
        (f"{number * 12:,} files in {number * 4} folders, made and synced by hand", fresh, lambda: by_hand(files)),
        (f"lakectl lake, {number} topics of 12 Kafka partitions", fresh, lake),
    ])
    forget("lake", *old)
    ours.beside(floor)
    ours.within(seconds=3, megabytes=MEMORY)
    return [floor, ours]


def memory(size, rounds, also):
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
        (f"{10 * size * 1000 / 1e9:.0f} GB drained", f"bench-large-{size}", [10 * size, "--bytes", 1000], MEMORY),
        (f"{size:,} records in 50 Kafka partitions, compressed", f"bench-zstd-{size}",
         [size, "--partitions", 50, "--bytes", 300, "--zstd", 1], MEMORY),
        ("5,000 day folders in one run", f"bench-days-{size}", [size // 10, "--days", 5000], MEMORY),
        # Three times the record is what a run may take more.
        ("records of 64 MiB", "bench-huge", [8, "--bytes", 64 << 20, "--partitions", 1], MEMORY + 3 * 64),
    ]
    for name, topic, arguments, limit in cases:
        data(topic, "stream", *arguments)
        open_files[0] = 0
        [ours] = in_turn(rounds, [(name, new_lake({topic: 'kind = "stream"'}), lambda: lake(watch=watch))])
        ours.name += f" ({open_files[0]} open files)"
        ours.within(megabytes=limit, open_files=(open_files[0], 512))
        figures.append(ours)
        forget("lake")
    return figures


def linear(size, rounds, also):
    """In turn, so that an hour in which the machine is slower is not taken for a longer way."""
    topics = {times: data(f"bench-linear-{times * size}", "stream", times * size) for times in [1, 2, 4, 8]}
    figures = in_turn(rounds, [
        (f"lakectl lake, {times * size:,} records", new_lake({topic: 'kind = "stream"'}), lake) for times, topic in topics.items()
    ])
    for times, figure in zip(topics, figures):
        if times > 1:
            figure.beside(figures[0], at_most=round(1.1 * times, 1))
        figure.within(megabytes=MEMORY)
    return figures


def purge(size, rounds, also):
    """As many files as records; each copy of the lake is purged, or removed by rm."""
    topic = data(f"bench-files-{size}", "stream", size, "--days", 1000, "--bytes", 200)
    forget("kept")
    new_lake({topic: 'kind = "stream"'}, lake='files = "message"')()
    lake()
    (WORK / "lake").rename(WORK / "kept")

    def copy():
        forget("lake")
        run(["cp", "-a", "kept", "lake"])

    floor, ours = in_turn(rounds, [
        (f"rm -rf of {size:,} files in 1,000 day folders", copy, lambda: run(["rm", "-rf", f"lake/streams/{topic}"])),
        ("lakectl purge", copy, lambda: run(
            [LAKECTL, "purge", "-q", "-c", "lakectl.toml", "--only", "lake", "--yes", "--older-than", "1d", "--max-fraction", 1])),
    ])
    ours.beside(floor, at_most=1.1, named="rm -rf")
    ours.within(megabytes=MEMORY)
    forget("lake", "kept")
    return [floor, ours]
