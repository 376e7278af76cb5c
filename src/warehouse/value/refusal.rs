//! Why a record can't become a row. It is put into words only when it is stored or shown.

use crate::decode::Reason;
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
    Key(Reason),
    /// The value can't be read, or has no fields.
    Value(Reason),
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
    pub fn key(reason: impl Into<Reason>) -> RefusalKind {
        RefusalKind::Key(reason.into().of_the("key"))
    }

    pub fn value(reason: impl Into<Reason>) -> RefusalKind {
        RefusalKind::Value(reason.into().of_the("value"))
    }

    pub fn in_words(&self) -> String {
        match self {
            RefusalKind::Key(reason) | RefusalKind::Value(reason) => reason.to_string(),
            RefusalKind::Unfit(reason) => reason.clone(),
            RefusalKind::TooLarge { packet_max } => {
                format!("larger than the server's max_allowed_packet, {packet_max} bytes")
            }
            RefusalKind::Missing => "NOT NULL, and the record has no value for it".to_owned(),
            RefusalKind::Null => "the column is NOT NULL, and the value is null".to_owned(),
        }
    }
}

impl Refusal {
    /// The same for all records with this fault.
    pub fn without_place(self) -> Refusal {
        let kind = match self.kind {
            RefusalKind::Key(reason) => RefusalKind::Key(reason.without_place()),
            RefusalKind::Value(reason) => RefusalKind::Value(reason.without_place()),
            other => other,
        };
        Refusal { kind, ..self }
    }

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
