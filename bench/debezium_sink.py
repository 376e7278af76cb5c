"""A table topic into MySQL by Debezium's JDBC sink on Kafka Connect: what people would run instead of `lakectl warehouse`.

The connector is set up to be fast: as many tasks as Kafka partitions, large batches, one upsert per key and batch
(the reduction buffer), and a driver that sends a batch as one statement. Its records bring their schema with them.
"""

import itertools
import os
import signal
import subprocess
import sys
import time
import urllib.parse

from measure import BROKERS, WORK, ended, forget

BATCH = 5000
TASKS = 3
DEADLINE_SECONDS = 3600
STARTED = "Sink task finished initialization and start"
FAILED = "Task threw an uncaught and unrecoverable exception"

numbers = itertools.count(1)


def worker():
    return {
        "bootstrap.servers": BROKERS,
        "listeners": "http://127.0.0.1:0",
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "key.converter.schemas.enable": "true",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        "offset.storage.file.filename": WORK / "connect/offsets",
        "plugin.discovery": "service_load",
        # The password stays out of files.
        "config.providers": "env",
        "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
    }


def connector(topic, table):
    url = urllib.parse.urlsplit(os.environ["LAKECTL_WAREHOUSE_URL"])
    place = f"{url.hostname}:{url.port or 3306}{url.path}"
    password = {}
    if os.environ.get("LAKECTL_WAREHOUSE_PASSWORD"):
        password["connection.password"] = "${env:LAKECTL_WAREHOUSE_PASSWORD}"
    return {
        # Another name each time, so that each run is a consumer group that begins at the beginning.
        "name": f"bench-{os.getpid()}-{next(numbers)}",
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "topics": topic,
        "tasks.max": TASKS,
        "connection.url": f"jdbc:mysql://{place}?rewriteBatchedStatements=true&sslMode=DISABLED&allowPublicKeyRetrieval=true",
        "connection.username": urllib.parse.unquote(url.username or ""),
        **password,
        "insert.mode": "upsert",
        "primary.key.mode": "record_key",
        "primary.key.fields": "k",
        "collection.name.format": table,
        "schema.evolution": "none",
        "use.reduction.buffer": "true",
        "batch.size": BATCH,
        "consumer.override.max.poll.records": BATCH,
        "consumer.override.max.partition.fetch.bytes": 16 << 20,
        "consumer.override.fetch.max.bytes": 64 << 20,
        "consumer.override.auto.offset.reset": "earliest",
    }


def write(name, properties):
    path = WORK / "connect" / name
    path.write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
    return path


def drain(topic, table, arrived):
    """Runs Connect until `arrived()` says that all is there; the start is over when all tasks have started."""
    forget("connect")
    (WORK / "connect").mkdir()
    log = WORK / "connect/log"
    began = time.perf_counter()
    process = subprocess.Popen(
        [os.environ["LAKECTL_BENCH_JAVA"], "-Xms256m", "-Xmx2g", "-Dlog4j2.level=INFO",
         "-cp", os.environ["LAKECTL_BENCH_DEBEZIUM"] + "/*", "org.apache.kafka.connect.cli.ConnectStandalone",
         write("worker.properties", worker()), write("sink.properties", connector(topic, table))],
        cwd=WORK, stdin=subprocess.DEVNULL, stdout=open(log, "wb"), stderr=subprocess.STDOUT,
    )
    try:
        start, seconds = follow(process, log, began, arrived)
    finally:
        # Not by Popen, which would collect a process that ended by itself, and what it took with it.
        os.kill(process.pid, signal.SIGKILL)
        took = ended(process, began)
    return took._replace(seconds=seconds, start=start)


def follow(process, log, began, arrived):
    """Seconds until the tasks had started, and until everything was there."""
    start, said = None, ""
    with open(log, encoding="utf-8", errors="replace") as lines:
        while True:
            said += lines.read()
            if start is None and said.count(STARTED) >= TASKS:
                start = time.perf_counter() - began
            if start is not None and arrived():
                return start, time.perf_counter() - began
            if FAILED in said or os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                sys.exit(f"Debezium's sink failed; the end of {log}:\n{tail(log)}")
            if time.perf_counter() - began > DEADLINE_SECONDS:
                sys.exit(f"Debezium's sink was not done after {DEADLINE_SECONDS} s; the end of {log}:\n{tail(log)}")
            time.sleep(0.05)


def tail(log):
    return "\n".join(log.read_text(errors="replace").splitlines()[-40:])
