"""Confluent's own serializers and deserializers.

    serializers.py write PLAN       serialises and produces the records of every case
    serializers.py compare PLAN     compares the lake's lines and the rows with what the deserializers give of the topics

The working folder holds `descriptors`, the compiled .proto files, and their texts. PLAN is a JSON file: {"brokers", "registry", "cases": {NAME: {"topic", "lines",
"columns", "json", "rows"}}}.
"""

import base64
import datetime
import json
import math
import os
import re
import struct
import sys
import uuid
from decimal import Decimal

import attr
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient, dual_schema_id_deserializer
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import serializer_cases


# Ids before the payload and in record headers.
ANYWHERE = {"schema.id.deserializer": dual_schema_id_deserializer}
# Of a line, beside the value's own fields.
OURS = ("_partition", "_offset", "_timestamp", "_key", "_headers")


# Files of this folder, by the names under which they are imported.
PROTOS = {"order.proto": "order.proto", "shop/money.proto": "money.proto", "nested.proto": "nested.proto"}


class Messages:
    """The compiled .proto files, and classes of their messages."""

    def __init__(self):
        self.pool = descriptor_pool.DescriptorPool()
        with open("descriptors", "rb") as descriptors:
            for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors.read()).file:
                self.pool.Add(file)

    def __getitem__(self, name):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))


class Client(SchemaRegistryClient):
    """Confluent's registry keeps a .proto as text, and has descriptors for those who ask for format=serialized. Others keep
    what they are sent, so that is done here."""

    def __init__(self, plan):
        super().__init__({"url": plan["registry"]})
        self.descriptors, self.texts = {}, {}
        for path, name in PROTOS.items():
            descriptors = base64.b64encode(Messages().pool.FindFileByName(path).serialized_pb).decode()
            with open(name, encoding="utf-8") as file:
                text = file.read()
            self.descriptors[text], self.texts[descriptors] = descriptors, text

    def register_schema_full_response(self, subject_name, schema, normalize_schemas=False):
        return super().register_schema_full_response(subject_name, self.as_text(schema))

    def lookup_schema(self, subject_name, schema, *_, **__):
        return super().lookup_schema(subject_name, self.as_text(schema))

    def as_text(self, schema):
        return attr.evolve(schema, schema_str=self.texts.get(schema.schema_str, schema.schema_str))

    def get_version(self, subject_name, version="latest", deleted=False, fmt=None):
        registered = super().get_version(subject_name, version)
        return attr.evolve(registered, schema=self.serialised(registered.schema, fmt))

    def get_schema(self, schema_id, subject_name=None, fmt=None, reference_format=None):
        return self.serialised(super().get_schema(schema_id, subject_name), fmt)

    def get_schema_by_guid(self, guid, fmt=None):
        return self.serialised(super().get_schema_by_guid(guid), fmt)

    def serialised(self, schema, fmt):
        if fmt == "serialized":
            schema = attr.evolve(schema, schema_str=self.descriptors.get(schema.schema_str, schema.schema_str))
        return schema


def write(plan):
    client = Client(plan)
    producer = Producer({"bootstrap.servers": plan["brokers"], "linger.ms": 5})
    refused = []
    for name, case in plan["cases"].items():
        records = serializer_cases.RECORDS[name](client, case["topic"], Messages())
        for (write_key, key), (write_value, value) in records:
            headers = []
            key = write_key(key, SerializationContext(case["topic"], MessageField.KEY, headers))
            value = value and write_value(value, SerializationContext(case["topic"], MessageField.VALUE, headers))
            producer.produce(
                case["topic"], key=key, value=value, headers=headers, partition=0,
                on_delivery=lambda error, _: refused.append(error) if error else None,
            )
    assert producer.flush(60) == 0 and not refused, refused


def compare(plan):
    client = Client(plan)
    for name, case in plan["cases"].items():
        records = deserialised(plan, client, name, case["topic"])
        assert records, name
        with open(case["lines"], encoding="utf-8") as file:
            lines = [json.loads(line, parse_float=Decimal) for line in file]
        assert len(lines) == len(records), f"{name}: {len(lines)} lines of {len(records)} records"
        for line, (key, value) in zip(lines, records):
            own = {field: item for field, item in line.items() if field not in OURS}
            check(f"{name}: _key", line["_key"], key)
            check(name, own, {"_value": None} if value is None else fields_of("VALUE", value))
        check_rows(name, case, records)
        print(f"{name}: {len(records)} records, {len(case['rows'])} rows")


def check_rows(name, case, records):
    expected = {}
    for key, value in records:
        # A column that a record has no field for stays as it was.
        before = expected.pop(repr(key), {})
        if value is not None:
            fields = before | fields_of("ID", key) | fields_of("VALUE", value)
            expected[repr(key)] = {field.lower(): item for field, item in fields.items()}
    assert len(case["rows"]) == len(expected), f"{name}: {case['rows']}"
    cells = [dict(zip(case["columns"], row)) for row in case["rows"]]
    for fields in expected.values():
        [row] = [row for row in cells if row["id"] == str(fields["id"])]
        for column, cell in row.items():
            is_json = column in case["json"]
            check_cell(f"{name}: column {column}", cell, fields.get(column), is_json)


def fields_of(name, value):
    return value if isinstance(value, dict) else {name: value}


def deserialised(plan, client, name, topic):
    """The topic's records, as Confluent's deserializers give them."""
    readers = {
        "avro": lambda _: AvroDeserializer(client, conf=ANYWHERE),
        "json": lambda _: JSONDeserializer(None, schema_registry_client=client),
        "protobuf": lambda message: ProtobufDeserializer(
            Messages()[message], ANYWHERE | {"use.deprecated.format": False}, client
        ),
    }
    kind, key_message, value_message = serializer_cases.READ[name]
    read_key, read_value = readers[kind](key_message), readers[kind](value_message)
    consumer = Consumer({"bootstrap.servers": plan["brokers"], "group.id": "serializers", "enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, 0, 0)])
    records = []
    while True:
        message = consumer.poll(60)
        if message is None or message.error():
            assert message and message.error().name() == "_PARTITION_EOF", message and message.error()
            break
        headers = message.headers()
        key = read_key(message.key(), SerializationContext(topic, MessageField.KEY, headers))
        value = message.value()
        if value is not None:
            value = read_value(value, SerializationContext(topic, MessageField.VALUE, headers))
        records.append((plain(key), plain(value)))
    consumer.close()
    return records


class Instant:
    """A Timestamp of Protobuf."""

    def __init__(self, seconds, nanos):
        self.seconds, self.nanos = seconds, nanos

    def text(self):
        time = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=self.seconds)
        return f"{time.isoformat()}.{self.nanos:09}"


def plain(value):
    """A message of Protobuf as a dictionary, by FORMATS: all else stays."""
    if not hasattr(value, "DESCRIPTOR"):
        return value
    known = {
        "google.protobuf.Timestamp": lambda: Instant(value.seconds, value.nanos),
        "google.type.Date": lambda: datetime.date(value.year, value.month, value.day),
        "google.type.TimeOfDay": lambda: datetime.time(
            value.hours, value.minutes, value.seconds, value.nanos // 1000
        ),
        "confluent.type.Decimal": lambda: Decimal(
            int.from_bytes(value.value, "big", signed=True)
        ).scaleb(-value.scale),
        "google.protobuf.Int64Value": lambda: value.value,
        "google.protobuf.StringValue": lambda: value.value,
    }
    if value.DESCRIPTOR.full_name in known:
        return known[value.DESCRIPTOR.full_name]()
    fields = {}
    for field in value.DESCRIPTOR.fields:
        own = getattr(value, field.name)
        message, oneof = field.message_type, field.containing_oneof
        is_map = message is not None and message.GetOptions().map_entry
        if is_map:
            fields[field.name] = {str(key).lower() if isinstance(key, bool) else str(key): plain(own[key]) for key in own}
        elif hasattr(own, "append") or hasattr(own, "add"):
            fields[field.name] = [symbol(field, plain(item)) for item in own]
        elif field.has_presence and not value.HasField(field.name):
            is_optional = oneof is None or len(oneof.fields) == 1 and oneof.name.startswith("_")
            if is_optional:
                fields[field.name] = None
        else:
            fields[field.name] = symbol(field, plain(own))
    return fields


def symbol(field, value):
    """An enum's name, where it has one."""
    known = field.enum_type and field.enum_type.values_by_number.get(value)
    return known.name if known else value


def check(where, ours, theirs, with_scale=True):
    """Whether JSON of lakectl says what a deserializer has given. MySQL's JSON drops zeros at the end of a number."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict) and set(ours) == set(theirs), f"{where}: {ours} is not {theirs}"
        for name, item in theirs.items():
            check(f"{where}.{name}", ours[name], item, with_scale)
    elif isinstance(theirs, (list, tuple)):
        assert isinstance(ours, list) and len(ours) == len(theirs), f"{where}: {ours} is not {theirs}"
        for one, other in zip(ours, theirs):
            check(f"{where}[]", one, other, with_scale)
    elif isinstance(theirs, Decimal) and not with_scale:
        assert ours == theirs, f"{where}: {ours!r} is not {theirs!r}"
    else:
        assert is_same(ours, theirs), f"{where}: {ours!r} is not {theirs!r}"


def is_same(ours, theirs):
    if theirs is None or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(theirs, float):
        if not math.isfinite(theirs):
            return ours == {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(theirs)]
        return isinstance(ours, (int, Decimal)) and is_float(ours, theirs)
    if isinstance(theirs, Decimal):
        return isinstance(ours, (int, Decimal)) and Decimal(ours).as_tuple() == theirs.as_tuple()
    if isinstance(theirs, int):
        return type(ours) is int and ours == theirs
    if not isinstance(ours, str):
        return False
    if isinstance(theirs, bytes):
        return base64.b64decode(ours, validate=True) == theirs
    if isinstance(theirs, datetime.datetime):
        is_utc = theirs.tzinfo is not None
        return ours.endswith("Z") == is_utc and datetime.datetime.fromisoformat(ours) == theirs
    if isinstance(theirs, datetime.date):
        return ours == theirs.isoformat()
    if isinstance(theirs, datetime.time):
        return datetime.time.fromisoformat(ours) == theirs
    if isinstance(theirs, Instant):
        found = re.fullmatch(r"(.*\.)(\d{3}|\d{6}|\d{9})Z", ours)
        return found and (found[1] + found[2].ljust(9, "0")) == theirs.text()
    if isinstance(theirs, uuid.UUID):
        return ours == str(theirs)
    return ours == theirs


def is_float(ours, theirs):
    """Whether a text gives a number back; one of 32 bits may be written shorter than Python, which knows 64, needs it."""
    return float(ours) == theirs or struct.unpack("f", struct.pack("f", float(ours)))[0] == theirs


def check_cell(where, cell, theirs, is_json):
    """Whether a column says it. Bytes are read as hexadecimal, times with all six digits."""
    if theirs is None:
        same = cell is None
    elif is_json:
        return check(where, json.loads(cell, parse_float=Decimal), theirs, with_scale=False)
    elif isinstance(theirs, bool):
        same = cell == str(int(theirs))
    elif isinstance(theirs, float):
        same = is_float(cell, theirs)
    elif isinstance(theirs, Decimal):
        same = cell == f"{theirs:f}"
    elif isinstance(theirs, bytes):
        same = cell == theirs.hex().upper()
    elif isinstance(theirs, datetime.datetime):
        same = cell == theirs.replace(tzinfo=None).isoformat(" ", "microseconds")
    elif isinstance(theirs, datetime.time):
        same = cell == theirs.isoformat("microseconds")
    elif isinstance(theirs, Instant):
        # Truncated, never rounded.
        same = cell == theirs.text().replace("T", " ")[:-3]
    elif isinstance(theirs, int) and "." in cell:
        same = Decimal(cell) == theirs
    else:
        same = cell == str(theirs)
    assert same, f"{where}: {cell!r} is not {theirs!r}"


if __name__ == "__main__":
    with open(sys.argv[2], encoding="utf-8") as plan_file:
        {"write": write, "compare": compare}[sys.argv[1]](json.load(plan_file))
