"""What all cases stand on: commands measured and contenders in turn, figures and their targets, data in Kafka."""

import concurrent.futures
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from typing import NamedTuple

REPO = pathlib.Path(__file__).resolve().parent.parent
# Tests of the cases themselves take a build that is there already.
RELEASE = REPO / os.environ.get("LAKECTL_BENCH_BUILD", "target/release")
LAKECTL = RELEASE / "lakectl"
WORK = REPO / "target/bench"
BROKERS = os.environ.get("LAKECTL_BROKERS", "")
# What a lakectl run may take, however much there is to do.
MEMORY = 200

made = set()  # topics that this run filled or found filled


class Run(NamedTuple):
    """One turn: wall and CPU seconds, peak memory in MiB, and how much of the time was only a start."""

    seconds: float
    megabytes: float = 0
    cpu: float = 0
    start: float = 0


class Figure:
    """One contender's runs, and what is asked of them."""

    def __init__(self, name):
        self.name, self.runs, self.ratio, self.targets = name, [], None, []

    def seconds(self):
        return [run.seconds for run in self.runs]

    def median(self):
        return statistics.median(self.seconds())

    def cpu(self):
        return statistics.median(run.cpu for run in self.runs)

    def memory(self):
        return max(run.megabytes for run in self.runs)

    def without_start(self, name):
        """The same runs, as if the contender had been up and waiting."""
        figure = Figure(name)
        figure.runs = [run._replace(seconds=run.seconds - run.start, start=0) for run in self.runs]
        return figure

    def beside(self, base, at_most=None, at_least=None, named=""):
        """The ratio to another figure, and its limits."""
        self.ratio = self.median() / base.median()
        named = f" {named}" if named else ""
        if at_most:
            self.targets.append((f"≤ {at_most} ×{named}", self.ratio <= at_most))
        if at_least:
            self.targets.append((f"≥ {at_least} ×{named}", self.ratio >= at_least))

    def within(self, seconds=None, megabytes=None, open_files=None):
        """Limits of its own; open_files is (found, fewer than)."""
        if seconds:
            self.targets.append((f"≤ {seconds} s", self.median() <= seconds))
        if megabytes:
            self.targets.append((f"≤ {megabytes} MB", self.memory() <= megabytes))
        if open_files:
            found, limit = open_files
            self.targets.append((f"< {limit} open files", found < limit))


def run(command, out=None, stdin=None, watch=None, env=None):
    """Runs a command, which must end well."""
    sink = open(out, "wb") if out else subprocess.DEVNULL
    began = time.perf_counter()
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=WORK,
        stdin=open(stdin, "rb") if stdin else subprocess.DEVNULL,
        stdout=sink,
        stderr=open(WORK / "stderr", "wb"),
        env={**os.environ, **(env or {})},
    )
    if watch:
        threading.Thread(target=watch, args=(process.pid,), daemon=True).start()
    done = ended(process, began)
    if process.returncode != 0:
        said = (WORK / "stderr").read_text(errors="replace")
        sys.exit(f"{' '.join(map(str, command))}: status {process.returncode}\n{said}")
    return done


def ended(process, began):
    """Waits for a process and those it waited for: what they took."""
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    return Run(seconds, usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)


def by_hand(work):
    """Times what this script does itself."""
    def cpu():
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    began, before = time.perf_counter(), cpu()
    work()
    return Run(time.perf_counter() - began, 0, cpu() - before)


def in_turn(rounds, contenders):
    """Each contender is (name, prepare, measured): A B A B, after a sync so that nobody writes for another."""
    figures = [Figure(name) for name, _, _ in contenders]
    for _ in range(rounds):
        for figure, (_, prepare, measured) in zip(figures, contenders):
            prepare()
            os.sync()
            figure.runs.append(measured())
    return figures


def data(topic, shape, records, *more):
    made.add(topic)
    run([RELEASE / "bench_data", topic, shape, records, *more])
    return topic


def small_topics(each):
    """Many small topics, some at a time: most of making one is waiting. Each is what `data` takes."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda arguments: data(*arguments), each))


def forget_topics(topics):
    topics = sorted(set(topics) & made)
    made.difference_update(topics)
    if topics:
        run([RELEASE / "bench_data", "--forget", *topics])


def forget(*paths):
    for path in paths:
        shutil.rmtree(WORK / path, ignore_errors=True)
        if not (WORK / path).is_dir():
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
    """What comes before a first run."""
    def prepare():
        forget("lake", "kcat.out", "spark")
        configuration(topics, **more)

    return prepare
