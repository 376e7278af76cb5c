//! JSON whose numbers stay as they are written.

use serde_json::value::RawValue;

use crate::common::files::fields;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exact {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Exact>),
    /// In the order of the text.
    Object(Vec<(String, Exact)>),
}

impl Exact {
    pub fn parse(text: &str) -> Exact {
        let text = text.trim();
        match text.as_bytes()[0] {
            b'{' => Exact::Object(
                fields(text)
                    .into_iter()
                    .map(|(name, raw)| (name, Exact::parse(raw.get())))
                    .collect(),
            ),
            b'[' => {
                let items: Vec<&RawValue> = serde_json::from_str(text).unwrap();
                Exact::Array(items.into_iter().map(|raw| Exact::parse(raw.get())).collect())
            }
            b'"' => Exact::Text(serde_json::from_str(text).unwrap()),
            b't' => Exact::Bool(true),
            b'f' => Exact::Bool(false),
            b'n' => Exact::Null,
            _ => Exact::Number(text.to_owned()),
        }
    }

    /// The fields of an object.
    pub fn fields(&self) -> &[(String, Exact)] {
        match self {
            Exact::Object(fields) => fields,
            other => panic!("no object: {other:?}"),
        }
    }

    pub fn field(&self, name: &str) -> Option<&Exact> {
        let mut fields = self.fields().iter();
        fields.find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// With the fields of all objects in one order, because MySQL's JSON has its own.
    pub fn sorted(&self) -> Exact {
        match self {
            Exact::Array(items) => Exact::Array(items.iter().map(Exact::sorted).collect()),
            Exact::Object(fields) => {
                let mut fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| (name.clone(), value.sorted()))
                    .collect();
                fields.sort_by(|(one, _), (other, _)| one.cmp(other));
                Exact::Object(fields)
            }
            other => other.clone(),
        }
    }
}

/// Without any blanks, as ksqlDB writes it.
impl std::fmt::Display for Exact {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |text: &str| serde_json::to_string(text).unwrap();
        match self {
            Exact::Null => f.write_str("null"),
            Exact::Bool(value) => write!(f, "{value}"),
            Exact::Number(number) => f.write_str(number),
            Exact::Text(own) => f.write_str(&text(own)),
            Exact::Array(items) => {
                let items: Vec<_> = items.iter().map(Exact::to_string).collect();
                write!(f, "[{}]", items.join(","))
            }
            Exact::Object(fields) => {
                let fields = fields
                    .iter()
                    .map(|(name, value)| format!("{}:{value}", text(name)));
                write!(f, "{{{}}}", fields.collect::<Vec<_>>().join(","))
            }
        }
    }
}
