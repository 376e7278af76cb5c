"""What the serializers are given: for each case its records, and how they are read back."""

import datetime
import json
import uuid
from decimal import Decimal

from confluent_kafka.schema_registry import Schema, SchemaReference, header_schema_id_serializer
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer

PLAIN = {"use.deprecated.format": False}
UTC = datetime.timezone.utc


def logical(plain, kind, /, **more):
    return {"type": plain, "logicalType": kind, **more}


def avro_orders(client, topic, _):
    """All logical types, unions, recursion, a type of another subject; two versions of the schema in one topic."""
    address = {
        "type": "record", "name": "Address", "namespace": "com.shop",
        "fields": [{"name": "street", "type": "string"}, {"name": "number", "type": ["int", "string"]}],
    }
    client.register_schema(f"{topic}-address", Schema(json.dumps(address), "AVRO"))
    reference = SchemaReference("com.shop.Address", f"{topic}-address", 1)
    fields = [
        ("total", logical("bytes", "decimal", precision=38, scale=10)),
        ("vat", logical("fixed", "decimal", name="Vat", size=6, precision=10, scale=4)),
        ("born", logical("int", "date")),
        ("opened", logical("int", "time-millis")),
        ("closed", logical("long", "time-micros")),
        ("at3", logical("long", "timestamp-millis")),
        ("at6", logical("long", "timestamp-micros")),
        ("local3", logical("long", "local-timestamp-millis")),
        ("local6", logical("long", "local-timestamp-micros")),
        ("ref", logical("string", "uuid")),
        ("state", {"type": "enum", "name": "State", "symbols": ["OPEN", "PAID"]}),
        ("raw", "bytes"),
        ("mac", {"type": "fixed", "name": "Mac", "size": 4}),
        ("ratio", "float"),
        ("weight", "double"),
        ("gift", "boolean"),
        ("big", "long"),
        ("note", ["null", "string", "long", "com.shop.Address"]),
        ("ship_to", "com.shop.Address"),
        ("tags", {"type": "map", "values": ["null", "long"]}),
        ("lines", {"type": "array", "items": logical("bytes", "decimal", precision=9, scale=2)}),
        ("tree", ["null", {"type": "record", "name": "Tree", "fields": [
            {"name": "name", "type": "string"},
            {"name": "children", "type": {"type": "array", "items": "Tree"}},
            {"name": "seen", "type": ["null", logical("int", "date")]},
        ]}]),
    ]
    of = lambda fields: {
        "type": "record", "name": "Order", "namespace": "com.shop",
        "fields": [{"name": name, "type": kind} for name, kind in fields],
    }
    first = of(fields)
    # Another order, a field less, and one more: the writer's schema counts.
    second = of([("extra", ["null", "string"])] + [field for field in reversed(fields) if field[0] not in ("tree", "lines")])
    second["fields"] += [{"name": "lines", "type": {"type": "array", "items": logical("bytes", "decimal", precision=9, scale=2)}}]
    conf = {"auto.register.schemas": True}
    one, other = (
        AvroSerializer(client, Schema(json.dumps(schema), "AVRO", [reference]), conf=conf) for schema in (first, second)
    )
    key = AvroSerializer(client, json.dumps({
        "type": "record", "name": "OrderKey",
        "fields": [{"name": "id", "type": "long"}, {"name": "region", "type": ["null", "string"]}],
    }), conf=conf)
    moment = datetime.datetime(2025, 10, 31, 23, 30, 0, 123456, UTC)
    order = {
        "total": Decimal("-9999999999999999999999999999.9999999999"), "vat": Decimal("0.1900"),
        "born": datetime.date(2025, 10, 31), "opened": datetime.time(23, 30, 0, 123000),
        "closed": datetime.time(23, 59, 59, 999999), "at3": moment.replace(microsecond=999000), "at6": moment,
        "local3": datetime.datetime(2025, 10, 31, 0, 0, 0, 1000), "local6": datetime.datetime(1999, 12, 31, 23, 59, 59, 999999),
        "ref": uuid.UUID("12345678-1234-5678-1234-567812345678"), "state": "PAID", "raw": b"\x00\xff\x10", "mac": b"\x01\x02\x03\x04",
        "ratio": 0.1, "weight": -2.2250738585072014e-308, "gift": True, "big": 9223372036854775807, "note": None,
        "ship_to": {"street": "Hauptstraße \"1\"\n", "number": 7}, "tags": {"a": 1, "ü": None}, "lines": [Decimal("1.10"), Decimal("-0.01")],
        "tree": {"name": "a", "children": [{"name": "b", "children": [], "seen": datetime.date(1, 1, 1)}], "seen": None},
    }
    early = order | {
        "total": Decimal("0E-10"), "born": datetime.date(1969, 12, 31), "at6": datetime.datetime(1970, 1, 1, 0, 0, 0, 1, UTC),
        "at3": datetime.datetime(2038, 1, 19, 3, 14, 7, 999000, UTC), "big": -9007199254740993, "state": "OPEN", "raw": b"",
        "note": {"street": "x", "number": "7b"}, "tags": {}, "lines": [], "tree": None, "ratio": 3.4028234663852886e+38,
    }
    newer = {name: item for name, item in order.items() if name != "tree"} | {"extra": "more", "note": 5}
    return [
        ((key, {"id": 9007199254740993, "region": "EU"}), (one, order)),
        ((key, {"id": -1, "region": "EU"}), (one, early)),
        ((key, {"id": 2, "region": "EU"}), (other, newer)),
        ((key, {"id": 3, "region": "EU"}), (one, order)),
        ((key, {"id": 3, "region": "EU"}), (other, None)),
        ((key, {"id": 4, "region": "EU"}), (one, order)),
        ((key, {"id": 4, "region": "EU"}), (other, newer | {"extra": None, "note": "text"})),
    ]


def avro_bare(client, topic, _):
    """Keys and values that are no records, as ksqlDB has them of one column."""
    conf = {"auto.register.schemas": True}
    key, value = (AvroSerializer(client, text, conf=conf) for text in ('"long"', '["null", "double"]'))
    return [((key, 1), (value, 0.1)), ((key, 2), (value, 1e23)), ((key, 1), (value, 5e-324))]


def proto_orders(messages):
    order, key = messages["shop.Orders.Order"], messages["shop.OrderKey"]
    big = order(
        big=9223372036854775807, huge=18446744073709551615, small=-1, fixed=4294967295, ratio=0.1, weight=1e300, gift=True,
        name="Zoë \"Z\"\n", raw=b"\x00\xff", state=1, maybe=0, tags={"a": 1, "b": -1}, by_number={7: "seven"},
        lines=[messages["shop.Money"](currency="EUR", units=12, nanos=1)], price=messages["shop.Money"](currency="€"),
        words=["x", ""], card="4711", wrapped={"value": 0}, note={"value": ""},
    )
    big.at.seconds, big.at.nanos = 1761953400, 123456789
    big.born.year, big.born.month, big.born.day = 2025, 10, 31
    big.opened.hours, big.opened.minutes, big.opened.nanos = 23, 59, 999999000
    big.total.value, big.total.precision, big.total.scale = (-123456789).to_bytes(5, "big", signed=True), 20, 4
    big.states.extend([1, 0])
    unknown = order(state=9, inner={"inner": {"depth": 2}})
    unknown.at.seconds, unknown.at.nanos = -1, 999000000
    return key, [(1, big), (2, order()), (3, unknown), (4, big), (4, None), (5, order(iban="DE"))]


def protobuf_orders(client, topic, messages):
    """A nested message, imports of another subject and of well-known files, everything that a field can be."""
    key_class, orders = proto_orders(messages)
    key = ProtobufSerializer(key_class, client, PLAIN)
    value = ProtobufSerializer(messages["shop.Orders.Order"], client, PLAIN)
    return [((key, key_class(id=number)), (value, order)) for number, order in orders]


def protobuf_descriptors(client, topic, messages):
    """As the serializer registers it itself: the base64 of descriptors."""
    client.texts.clear()
    return protobuf_orders(client, topic, messages)


def json_orders(client, topic, _):
    """JSON Schema, of keys too."""
    schema = lambda title, **properties: json.dumps({
        "$schema": "http://json-schema.org/draft-07/schema#", "title": title, "type": "object", "properties": properties,
    })
    key = JSONSerializer(schema("Key", id={"type": "integer"}), client)
    value = JSONSerializer(schema("Order", total={"type": "number"}, name={"type": ["string", "null"]}), client)
    return [
        ((key, {"id": 1}), (value, {"total": 12.5, "name": "Zoë \"Z\"\n", "more": [1, {"a": None}]})),
        ((key, {"id": 9007199254740993}), (value, {"total": 9223372036854775807, "name": None, "more": []})),
        ((key, {"id": 3}), (value, {"total": 1e-7, "name": "", "more": [True]})),
        ((key, {"id": 1}), (value, None)),
    ]


IN_HEADERS = {"schema.id.serializer": header_schema_id_serializer}
AVRO_KEY = '{"type": "record", "name": "K", "fields": [{"name": "id", "type": "long"}]}'
AVRO_VALUE = '{"type": "record", "name": "V", "fields": [{"name": "name", "type": "string"}]}'
# Python's deserializers take no payload below six bytes.
BIG = 1 << 40


def avro_headers(client, topic, _):
    """GUIDs in record headers, nothing before the payload."""
    key, value = (AvroSerializer(client, text, conf=IN_HEADERS) for text in (AVRO_KEY, AVRO_VALUE))
    return [
        ((key, {"id": BIG}), (value, {"name": "first name"})),
        ((key, {"id": BIG + 1}), (value, {"name": "Zoë, Zoë"})),
        ((key, {"id": BIG}), (value, None)),
    ]


def protobuf_headers(client, topic, messages):
    """Protobuf's indexes follow the GUID."""
    outer, inner = messages["nested.Outer"], messages["nested.Outer.Inner"]
    key, value = (ProtobufSerializer(message, client, PLAIN | IN_HEADERS) for message in (outer, inner))
    return [
        ((key, outer(id=BIG)), (value, inner(name="first name"))),
        ((key, outer(id=BIG + 1)), (value, inner(name="other"))),
        ((key, outer(id=BIG)), (value, inner(name="Zoë, Zoë"))),
        ((key, outer(id=BIG + 1)), (value, None)),
    ]


RECORDS = {
    "avro_orders": avro_orders,
    "avro_bare": avro_bare,
    "protobuf_orders": protobuf_orders,
    "protobuf_descriptors": protobuf_descriptors,
    "json_orders": json_orders,
    "avro_headers": avro_headers,
    "protobuf_headers": protobuf_headers,
}

PROTOBUF = ("protobuf", "shop.OrderKey", "shop.Orders.Order")
# The kind of reader, and the messages of key and value.
READ = {
    "avro_orders": ("avro", None, None),
    "avro_bare": ("avro", None, None),
    "protobuf_orders": PROTOBUF,
    "protobuf_descriptors": PROTOBUF,
    "json_orders": ("json", None, None),
    "avro_headers": ("avro", None, None),
    "protobuf_headers": ("protobuf", "nested.Outer", "nested.Outer.Inner"),
}
