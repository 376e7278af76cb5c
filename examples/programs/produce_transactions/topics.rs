//! The topics ksqlDB would write, and which policy it gives them.

/// A topic derived from transaction_log. The order is the one of the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Derived {
    Full,
    Flat,
    Processed,
    Blacklisted,
    Completed,
    HorsUe,
    TotalParType,
    PurchaseCounts,
    Lifecycle,
    DepenseParUserType,
    Sliding,
}

impl Derived {
    pub(crate) const ALL: [Derived; 11] = [
        Derived::Full,
        Derived::Flat,
        Derived::Processed,
        Derived::Blacklisted,
        Derived::Completed,
        Derived::HorsUe,
        Derived::TotalParType,
        Derived::PurchaseCounts,
        Derived::Lifecycle,
        Derived::DepenseParUserType,
        Derived::Sliding,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Derived::Full => "TRANSACTIONS_FULL",
            Derived::Flat => "TRANSACTIONS_FLAT",
            Derived::Processed => "TRANSACTIONS_PROCESSED",
            Derived::Blacklisted => "TRANSACTIONS_BLACKLISTED",
            Derived::Completed => "TRANSACTIONS_COMPLETED",
            Derived::HorsUe => "TRANSACTIONS_HORS_UE",
            Derived::TotalParType => "TOTAL_PAR_TRANSACTION_TYPE",
            Derived::PurchaseCounts => "PRODUCT_PURCHASE_COUNTS",
            Derived::Lifecycle => "TRANSACTION_LIFECYCLE",
            Derived::DepenseParUserType => "TOTAL_DEPENSE_PAR_USER_TYPE",
            Derived::Sliding => "TOTAL_PAR_TYPE_5MIN_SLIDING",
        }
    }

    /// What ksqlDB sets: streams delete, tables compact, windowed tables both.
    pub(crate) fn cleanup_policy(self) -> &'static str {
        match self {
            Derived::Full
            | Derived::Flat
            | Derived::Processed
            | Derived::Blacklisted
            | Derived::Completed
            | Derived::HorsUe => "delete",
            Derived::TotalParType
            | Derived::PurchaseCounts
            | Derived::Lifecycle
            | Derived::DepenseParUserType => "compact",
            Derived::Sliding => "compact,delete",
        }
    }
}

/// A record of a derived topic, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) topic: Derived,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) timestamp_ms: i64,
}
