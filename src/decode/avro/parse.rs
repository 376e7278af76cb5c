//! Reads Avro's schemas. It takes all that Confluent's registry does and more: odd names, defaults that don't match, types that
//! are defined after they are named. A payload is read by its writer's schema, so defaults don't matter.

use serde_json::{Map, Value};
use std::collections::HashMap;

use super::super::Reason;
use super::super::schema::Reference;
use super::logical;
use super::types::{AvroField, AvroName, AvroType, TypeId};

#[derive(Default)]
pub(super) struct AvroParser {
    types: Vec<AvroType>,
    /// By full name: namespace, a dot, name.
    named: HashMap<String, TypeId>,
    /// Places of types that were named before they were defined.
    undefined: Vec<UndefinedType>,
}

struct UndefinedType {
    at: TypeId,
    full_name: String,
    name: String,
}

impl AvroParser {
    /// Reads a schema and those that it refers to, and returns all types with the place of the schema's own.
    pub fn parse(text: &str, references: &[Reference]) -> Result<(Vec<AvroType>, TypeId), Reason> {
        let mut parser = AvroParser::default();
        for reference in references {
            let of = parser
                .read_text(&reference.text)
                .map_err(|reason| reason.of_the(&format!("reference {}", reference.name)))?;
            parser.named.entry(reference.name.clone()).or_insert(of);
        }
        let top = parser.read_text(text)?;
        let top = parser.resolve(top)?;
        parser.check_unions()?;
        parser.find_maps();
        Ok((parser.types, top))
    }

    fn read_text(&mut self, text: &str) -> Result<TypeId, Reason> {
        // Some clients register a primitive type without its quotes.
        if let Some(primitive) = primitive(text.trim()) {
            return Ok(self.add(primitive));
        }
        let schema: Value = serde_json::from_str(text)?;
        self.read(&schema, "")
    }

    /// Reads a type. Names in it are of this namespace, if they don't name one.
    fn read(&mut self, schema: &Value, namespace: &str) -> Result<TypeId, Reason> {
        match schema {
            Value::String(name) => Ok(self.read_name(name, namespace)),
            Value::Array(branches) => self.read_union(branches, namespace),
            Value::Object(attributes) => self.read_object(attributes, namespace),
            _ => Err("a type is not a name, a list or an object".into()),
        }
    }

    fn read_name(&mut self, name: &str, namespace: &str) -> TypeId {
        if let Some(primitive) = primitive(name) {
            return self.add(primitive);
        }
        let full_name = full_name(name, namespace);
        if let Some(&defined) = self.named.get(&full_name) {
            return defined;
        }
        let at = self.add(AvroType::Null);
        self.undefined.push(UndefinedType {
            at,
            full_name,
            name: name.to_owned(),
        });
        at
    }

    fn read_union(&mut self, branches: &[Value], namespace: &str) -> Result<TypeId, Reason> {
        let branches = branches.iter().map(|branch| self.read(branch, namespace));
        let branches = branches.collect::<Result<_, _>>()?;
        Ok(self.add(AvroType::Union(branches)))
    }

    fn read_object(&mut self, attributes: &Map<String, Value>, namespace: &str) -> Result<TypeId, Reason> {
        let kind = attributes.get("type").ok_or("an object has no type")?;
        match kind.as_str() {
            Some("record" | "error") => self.read_record(attributes, namespace),
            Some("enum") => self.read_enum(attributes, namespace),
            Some("fixed") => self.read_fixed(attributes, namespace),
            Some("array") => {
                let items = attributes.get("items").ok_or("an array has no items")?;
                let items = self.read(items, namespace)?;
                Ok(self.add(AvroType::Array(items)))
            }
            Some("map") => {
                let values = attributes.get("values").ok_or("a map has no values")?;
                let values = self.read(values, namespace)?;
                Ok(self.add(AvroType::Map(values)))
            }
            Some(name) => match primitive(name) {
                Some(plain) => Ok(self.add(logical::with_attributes(plain, attributes))),
                None => Ok(self.read_name(name, namespace)),
            },
            None => {
                let of = self.read(kind, namespace)?;
                // Attributes may stand around a type that has a pair of braces of its own, but not around a named one.
                let plain = match &self.types[of] {
                    plain @ (AvroType::Int | AvroType::Long | AvroType::Bytes) => plain.clone(),
                    _ => return Ok(of),
                };
                Ok(self.add(logical::with_attributes(plain, attributes)))
            }
        }
    }

    fn read_record(&mut self, attributes: &Map<String, Value>, namespace: &str) -> Result<TypeId, Reason> {
        // It has its place before its fields are read, since they may be of its own type.
        let at = self.add(AvroType::Null);
        let name = self.define(at, attributes, namespace);
        let inner = name.rsplit_once('.').map_or("", |(namespace, _)| namespace);
        let fields = attributes.get("fields").and_then(Value::as_array);
        let fields = fields.ok_or("a record has no list of fields")?;
        let fields = fields.iter().map(|field| self.read_field(field, inner));
        let fields = fields.collect::<Result<_, _>>()?;
        let internal_type = attributes.get("connect.internal.type").and_then(Value::as_str);
        self.types[at] = AvroType::Record {
            fields,
            is_map_entry: internal_type == Some("MapEntry") || name == "io.confluent.connect.avro.MapEntry",
        };
        Ok(at)
    }

    fn read_field(&mut self, field: &Value, namespace: &str) -> Result<AvroField, Reason> {
        let name = field.get("name").and_then(Value::as_str);
        let name = AvroName::new(name.ok_or("a field has no name")?);
        let of = match field.get("type") {
            Some(schema) => self.read(schema, namespace),
            None => Err("it has no type".into()),
        };
        let of = of.map_err(|reason| reason.of_the(&format!("field {}", name.in_messages())))?;
        Ok(AvroField::new(name, of))
    }

    fn read_enum(&mut self, attributes: &Map<String, Value>, namespace: &str) -> Result<TypeId, Reason> {
        let symbols = attributes.get("symbols").and_then(Value::as_array);
        let symbols =
            symbols.and_then(|symbols| symbols.iter().map(Value::as_str).collect::<Option<Vec<_>>>());
        let symbols = symbols.ok_or("an enum has no list of symbols")?;
        let at = self.add(AvroType::Enum(symbols.into_iter().map(AvroName::new).collect()));
        self.define(at, attributes, namespace);
        Ok(at)
    }

    fn read_fixed(&mut self, attributes: &Map<String, Value>, namespace: &str) -> Result<TypeId, Reason> {
        let size = attributes.get("size").and_then(Value::as_u64);
        let size = size.and_then(|size| usize::try_from(size).ok());
        let plain = AvroType::Fixed(size.ok_or("a fixed has no size")?);
        let at = self.add(logical::with_attributes(plain, attributes));
        self.define(at, attributes, namespace);
        Ok(at)
    }

    /// Puts a named type under its name and aliases; returns its full name.
    fn define(&mut self, at: TypeId, attributes: &Map<String, Value>, namespace: &str) -> String {
        let text = |key| attributes.get(key).and_then(Value::as_str);
        let name = full_name(text("name").unwrap_or(""), text("namespace").unwrap_or(namespace));
        let own_namespace = name.rsplit_once('.').map_or("", |(namespace, _)| namespace);
        let aliases = attributes.get("aliases").and_then(Value::as_array);
        for alias in aliases.into_iter().flatten().filter_map(Value::as_str) {
            self.named.entry(full_name(alias, own_namespace)).or_insert(at);
        }
        self.named.insert(name.clone(), at);
        name
    }

    fn add(&mut self, of: AvroType) -> TypeId {
        self.types.push(of);
        self.types.len() - 1
    }

    /// Puts the defined types in place of those that were only named; returns where `top` is then.
    fn resolve(&mut self, top: TypeId) -> Result<TypeId, Reason> {
        let mut targets: HashMap<TypeId, TypeId> = HashMap::new();
        for undefined in &self.undefined {
            // Java falls back to the name without a namespace as well.
            let of = self.named.get(&undefined.full_name);
            let of = of.or_else(|| self.named.get(&undefined.name)).ok_or_else(|| {
                Reason::from(format!(
                    "the type {} is not defined",
                    AvroName::new(&undefined.full_name).json
                ))
            })?;
            targets.insert(undefined.at, *of);
        }
        // A reference may itself be just a name. Then there is a chain, which must end.
        let target = |start: TypeId| {
            let mut at = start;
            for _ in 0..=targets.len() {
                match targets.get(&at) {
                    Some(&next) => at = next,
                    None => return Ok(at),
                }
            }
            Err(Reason::from("a type is defined by its own name"))
        };
        for part in self.types.iter_mut().flat_map(AvroType::parts_mut) {
            *part = target(*part)?;
        }
        target(top)
    }

    /// A union must not be right in a union: it could lead to itself without end.
    fn check_unions(&self) -> Result<(), Reason> {
        let is_union = |&of: &TypeId| matches!(self.types[of], AvroType::Union(_));
        let nested = self.types.iter().any(|of| match of {
            AvroType::Union(branches) => branches.iter().any(is_union),
            _ => false,
        });
        if nested {
            return Err("a union has a union among its types".into());
        }
        Ok(())
    }

    /// Turns arrays of a map's entries into maps, where the keys are text.
    fn find_maps(&mut self) {
        for at in 0..self.types.len() {
            let AvroType::Array(items) = self.types[at] else {
                continue;
            };
            let AvroType::Record {
                fields,
                is_map_entry: true,
            } = &self.types[items]
            else {
                continue;
            };
            let [key, value] = &fields[..] else {
                continue;
            };
            if key.name.raw == "key" && value.name.raw == "value" && self.is_text(key.of) {
                self.types[at] = AvroType::Entries {
                    key: key.of,
                    value: value.of,
                };
            }
        }
    }

    /// Whether values are text, or null too.
    fn is_text(&self, of: TypeId) -> bool {
        match &self.types[of] {
            AvroType::Text => true,
            AvroType::Union(branches) => branches
                .iter()
                .all(|&branch| matches!(self.types[branch], AvroType::Text | AvroType::Null)),
            _ => false,
        }
    }
}

fn primitive(name: &str) -> Option<AvroType> {
    Some(match name {
        "null" => AvroType::Null,
        "boolean" => AvroType::Boolean,
        "int" => AvroType::Int,
        "long" => AvroType::Long,
        "float" => AvroType::Float,
        "double" => AvroType::Double,
        "bytes" => AvroType::Bytes,
        "string" => AvroType::Text,
        _ => return None,
    })
}

fn full_name(name: &str, namespace: &str) -> String {
    if let Some(bare) = name.strip_prefix('.') {
        return bare.to_owned();
    }
    if name.contains('.') || namespace.is_empty() {
        return name.to_owned();
    }
    format!("{namespace}.{name}")
}
