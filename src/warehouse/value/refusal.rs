//! Why a record can't become a row. It is put into words only when it is stored or shown.

use crate::warehouse::table::target::TargetTable;

/// What is refused, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::warehouse) struct Refusal {
    /// The column that refused, as an index into the table's columns.
    pub column: Option<usize>,
    pub kind: RefusalKind,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::warehouse) enum RefusalKind {
    /// The key can't be read, or is not what the primary key needs.
    Key(String),
    /// The value can't be read, or has no fields.
    Value(String),
    /// The row is larger than the server takes in one packet.
    TooLarge { packet_max: usize },
    /// The column must be filled, and the record does not fill it.
    Missing,
    /// The field is null, and the column is NOT NULL.
    Null,
    /// The column can't hold the value.
    Unfit(String),
}

impl From<RefusalKind> for Refusal {
    /// Refuses the record as a whole.
    fn from(kind: RefusalKind) -> Refusal {
        Refusal { column: None, kind }
    }
}

impl RefusalKind {
    pub fn key(reason: impl std::fmt::Display) -> RefusalKind {
        RefusalKind::Key(format!("key: {reason}"))
    }

    pub fn value(reason: impl std::fmt::Display) -> RefusalKind {
        RefusalKind::Value(format!("value: {reason}"))
    }

    pub fn in_words(&self) -> String {
        match self {
            RefusalKind::Key(reason) | RefusalKind::Value(reason) | RefusalKind::Unfit(reason) => {
                reason.clone()
            }
            RefusalKind::TooLarge { packet_max } => {
                format!("larger than the server's max_allowed_packet, {packet_max} bytes")
            }
            RefusalKind::Missing => "NOT NULL, and the record has no value for it".to_owned(),
            RefusalKind::Null => "the column is NOT NULL, and the value is null".to_owned(),
        }
    }
}

impl Refusal {
    pub fn of_column(column: usize, kind: RefusalKind) -> Refusal {
        Refusal {
            column: Some(column),
            kind,
        }
    }

    /// The reason as `lakectl_rejects` keeps it. It never repeats the value.
    pub fn in_words(&self, table: &TargetTable) -> String {
        match self.column.and_then(|at| table.columns.get(at)) {
            Some(column) => format!("column {}: {}", column.name, self.kind.in_words()),
            None => self.kind.in_words(),
        }
    }
}
