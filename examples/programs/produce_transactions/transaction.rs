//! One message of transaction_log: what an application would write, lower-case names, nested where it is natural.

use serde::{Deserialize, Serialize};

use crate::money::Cents;

/// A transaction at one moment of its life: the same id comes again with every new status.
///
/// The amounts are JSON numbers with two decimals; `amount_usd` is `amount` at a fixed rate, so that totals can be
/// computed from these messages alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Transaction {
    pub(crate) transaction_id: String,
    /// ISO 8601 in UTC with milliseconds; the record's Kafka timestamp is the same instant.
    pub(crate) timestamp: String,
    pub(crate) user: User,
    pub(crate) product: Item,
    pub(crate) category: String,
    pub(crate) quantity: u32,
    pub(crate) amount: Cents,
    pub(crate) currency: String,
    pub(crate) amount_usd: Cents,
    pub(crate) tax: Cents,
    pub(crate) transaction_type: String,
    pub(crate) status: String,
    pub(crate) payment_method: String,
    pub(crate) location: Location,
    pub(crate) address: Address,
    pub(crate) device: String,
    /// In halves, so that a double holds it exactly.
    pub(crate) rating: Option<f64>,
    pub(crate) discount_code: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub(crate) id: String,
    pub(crate) name: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Location {
    pub(crate) city: String,
    pub(crate) country: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) street: String,
    pub(crate) postal_code: String,
}

/// A transaction and the instant of its record, in milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) transaction: Transaction,
    pub(crate) timestamp_ms: i64,
}
