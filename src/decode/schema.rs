//! Schemas as a registry holds them, and the columns that they declare.

/// A column as a schema declares it. For `init-db --for`, `discover` and Parquet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaColumn {
    pub name: String,
    pub kind: SchemaType,
    pub nullable: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaType {
    Boolean,
    /// 32 bits.
    Int,
    Bigint,
    /// 64 bits without a sign.
    UnsignedBigint,
    Float,
    Double,
    Decimal {
        precision: u32,
        scale: u32,
    },
    Text,
    Bytes,
    Date,
    Time {
        digits: u8,
    },
    Timestamp {
        digits: u8,
        utc: bool,
    },
    Enum(Vec<String>),
    Array,
    Map,
    Record,
    Any,
}

/// A schema that another one refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// As the referring schema imports it.
    pub name: String,
    pub text: String,
}
