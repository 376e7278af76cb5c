"""Results: a table for each case, in a file whose other sections stay as they are."""

import datetime
import os
import platform
import re
import shutil
import subprocess

from measure import LAKECTL

HEAD = """# Benchmarks

Made by `scripts/bench`, section by section; each says when, with which commit and on which machine. Only ratios within one section
travel. A ratio is of medians, to the contender that the target names; CPU is the contender's own (user and system, without Kafka's
and MySQL's), memory its peak.
"""


def section(name, figures, conditions):
    lines = [
        f"## {name}", "", conditions, "",
        "| contender | median s | min | max | CPU s | peak MB | ratio | target | |",
        "|---|---|---|---|---|---|---|---|---|"]
    lines += map(row, figures)
    return "\n".join(lines) + "\n"


def row(figure):
    seconds = figure.seconds()
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    target = ", ".join(text for text, _ in figure.targets)
    missed = [text for text, met in figure.targets if not met]
    verdict = f"**missed**: {', '.join(missed)}" if missed else "met" if figure.targets else ""
    return (f"| {figure.name} | {figure.median():.2f} | {min(seconds):.2f} | {max(seconds):.2f} | {figure.cpu():.2f} "
            f"| {figure.memory():.0f} | {ratio} | {target} | {verdict} |")


def conditions(size, rounds, also):
    """When, what and where, in a line."""
    day = datetime.datetime.now(datetime.timezone.utc).date()
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    machine = f"{os.cpu_count()} cores ({model}), {memory:.0f} GB, Linux {platform.release()}"
    turns = f"{rounds} round{'s' if rounds > 1 else ''}"
    return f"{day}, {turns}, size {size:,}; {'; '.join([version(), *kcat(), *also])}; {machine}."


def version():
    return said(LAKECTL, "--version")


def kcat():
    """kcat's version, from lines of which one is `Version 1.7.1 (JSON, …, librdkafka 2.0.2 …)`."""
    found = shutil.which("kcat") and re.search(r"Version (\S+)", said("kcat", "-V"))
    return [f"kcat {found[1]}"] if found else []


def said(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


def replace(path, name, text, order):
    """Puts one section into the file, by the order of cases; what the file says besides stays."""
    parts = re.split(r"^(?=## )", path.read_text() if path.exists() else "", flags=re.MULTILINE)
    sections = {part.splitlines()[0][3:].strip(): part.strip() + "\n" for part in parts[1:]}
    sections[name] = text
    ordered = [sections.pop(known) for known in order if known in sections]
    whole = "\n".join([HEAD, *ordered, *sections.values()])
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_text(whole)
    unfinished.replace(path)
