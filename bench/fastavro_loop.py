"""What many write in place of lakectl: a loop that reads a topic, decodes Avro, and appends JSON lines to a file for each day.

    fastavro_loop.py BROKERS TOPIC RECORDS SCHEMA FOLDER
"""

import datetime
import decimal
import io
import json
import pathlib
import sys

import confluent_kafka
import fastavro


def text(value):
    """What json doesn't know."""
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise TypeError(value)


def main():
    brokers, topic, records, schema, folder = sys.argv[1:]
    schema = fastavro.parse_schema(json.loads(pathlib.Path(schema).read_text()))
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": brokers, "group.id": f"loop-{topic}", "auto.offset.reset": "earliest", "enable.auto.commit": False})
    metadata = consumer.list_topics(topic).topics[topic]
    consumer.assign([confluent_kafka.TopicPartition(topic, partition, confluent_kafka.OFFSET_BEGINNING) for partition in metadata.partitions])
    files = {}
    for _ in range(int(records)):
        message = None
        while message is None:
            message = consumer.poll(1)
        if message.error():
            sys.exit(str(message.error()))
        row = fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), schema)
        timestamp = message.timestamp()[1]
        day = datetime.datetime.fromtimestamp(timestamp / 1000, datetime.timezone.utc).date()
        line = {"_partition": message.partition(), "_offset": message.offset(), "_timestamp": timestamp, "_key": message.key().decode(), **row}
        if day not in files:
            path = pathlib.Path(folder) / f"{day:year=%Y/month=%m/day=%d}" / "part.json"
            path.parent.mkdir(parents=True)
            files[day] = open(path, "w", encoding="utf-8")
        files[day].write(json.dumps(line, default=text, ensure_ascii=False) + "\n")
    for file in files.values():
        file.close()
    consumer.close()


main()
