//! Values as Avro, written by the crate `apache-avro`, which lakectl doesn't read with.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Value, json};

use crate::exact::Exact;
use crate::kinds::Kind;

/// How fields are called.
#[derive(Clone, Copy)]
enum Names {
    /// As in the value.
    Real,
    /// By their place: the writer takes no odd names, and names are not in the bytes.
    Places,
}

/// The schema to be registered. All fields of records may be null, as in ksqlDB's.
pub fn schema(kind: &Kind) -> String {
    of(kind, Names::Real, "Value").to_string()
}

pub fn payload(kind: &Kind, value: &Exact) -> Vec<u8> {
    let schema = Schema::parse_str(&of(kind, Names::Places, "Value").to_string()).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    writer.write_value_to_vec(avro(kind, value)).unwrap()
}

fn of(kind: &Kind, names: Names, path: &str) -> Value {
    match kind {
        Kind::Boolean => json!("boolean"),
        Kind::Long => json!("long"),
        Kind::Unknown | Kind::Text => json!("string"),
        Kind::Decimal { precision, scale } => {
            json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
        }
        Kind::Array(items) => json!({"type": "array", "items": ["null", of(items, names, path)]}),
        Kind::Record(fields) => {
            let fields = fields.iter().enumerate().map(|(place, (name, kind))| {
                let inner = of(kind, names, &format!("{path}_{place}"));
                json!({"name": names.of(place, name), "type": ["null", inner], "default": null})
            });
            json!({"type": "record", "name": path, "fields": fields.collect::<Vec<_>>()})
        }
    }
}

impl Names {
    fn of(self, place: usize, name: &str) -> String {
        match self {
            Names::Real => name.to_owned(),
            Names::Places => format!("f{place}"),
        }
    }
}

fn avro(kind: &Kind, value: &Exact) -> Avro {
    match (kind, value) {
        (_, Exact::Bool(value)) => Avro::Boolean(*value),
        (Kind::Long, Exact::Number(number)) => Avro::Long(number.parse().unwrap()),
        (Kind::Decimal { .. }, Exact::Number(number)) => {
            Avro::Decimal(Kind::unscaled(number).to_be_bytes().to_vec().into())
        }
        (_, Exact::Text(text)) => Avro::String(text.clone()),
        (Kind::Array(kind), Exact::Array(items)) => {
            Avro::Array(items.iter().map(|item| nullable(kind, item)).collect())
        }
        (Kind::Record(kinds), Exact::Object(fields)) => {
            let fields = kinds.iter().zip(fields).enumerate();
            let fields = fields.map(|(place, ((name, kind), (own, value)))| {
                assert_eq!(name, own);
                (Names::Places.of(place, name), nullable(kind, value))
            });
            Avro::Record(fields.collect())
        }
        (kind, value) => panic!("{value:?} is no {kind:?}"),
    }
}

fn nullable(kind: &Kind, value: &Exact) -> Avro {
    match value {
        Exact::Null => Avro::Union(0, Box::new(Avro::Null)),
        value => Avro::Union(1, Box::new(avro(kind, value))),
    }
}
