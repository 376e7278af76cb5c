//! The streams ksqlDB derives: `examples/ksqldb/02` to `04` and `10`. Each is keyed by TRANSACTION_ID, which
//! therefore does not stand in the value.

use anyhow::Result;
use serde::Serialize;

use crate::money::Cents;
use crate::topics::{Derived, Record};
use crate::transaction::{Event, Transaction};
use crate::wire;

/// Who ends up in TRANSACTIONS_BLACKLISTED: whoever lives there, or is one of these.
const BLACKLISTED_CITIES: [&str; 2] = ["Macao", "Panamá"];
const BLACKLISTED_USERS: [&str; 3] = ["USER-00013", "USER-00042", "USER-00066"];

/// The members of the European Union, by the names transaction_log uses.
const EU: [&str; 27] = [
    "Allemagne",
    "Autriche",
    "Belgique",
    "Bulgarie",
    "Chypre",
    "Croatie",
    "Danemark",
    "Espagne",
    "Estonie",
    "Finlande",
    "France",
    "Grèce",
    "Hongrie",
    "Irlande",
    "Italie",
    "Lettonie",
    "Lituanie",
    "Luxembourg",
    "Malte",
    "Pays-Bas",
    "Pologne",
    "Portugal",
    "Roumanie",
    "Slovaquie",
    "Slovénie",
    "Suède",
    "Tchéquie",
];

/// TRANSACTIONS_FULL: every field, nested, with upper-case names.
pub(crate) fn full(event: &Event) -> Result<Record> {
    record(
        Derived::Full,
        event,
        wire::json(&FullValue::of(&event.transaction))?,
    )
}

/// The other streams a transaction appears in; all of them have the columns of TRANSACTIONS_FLAT.
pub(crate) fn flat_ones(event: &Event, hors_ue: bool) -> Result<Vec<Record>> {
    let transaction = &event.transaction;
    let value = wire::json(&FlatValue::of(transaction))?;
    let mut topics = vec![Derived::Flat];
    if transaction.status == "processed" {
        topics.push(Derived::Processed);
    }
    if is_blacklisted(transaction) {
        topics.push(Derived::Blacklisted);
    }
    if transaction.status == "completed" {
        topics.push(Derived::Completed);
    }
    if hors_ue && !EU.contains(&transaction.location.country.as_str()) {
        topics.push(Derived::HorsUe);
    }
    topics
        .into_iter()
        .map(|topic| record(topic, event, value.clone()))
        .collect()
}

fn is_blacklisted(transaction: &Transaction) -> bool {
    BLACKLISTED_CITIES.contains(&transaction.location.city.as_str())
        || BLACKLISTED_USERS.contains(&transaction.user.id.as_str())
}

fn record(topic: Derived, event: &Event, value: Vec<u8>) -> Result<Record> {
    let key = event.transaction.transaction_id.clone().into_bytes();
    Ok(Record {
        topic,
        key,
        value,
        timestamp_ms: event.timestamp_ms,
    })
}

#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct FullValue<'a> {
    timestamp: &'a str,
    user: Named<'a>,
    product: Named<'a>,
    category: &'a str,
    quantity: u32,
    amount: Cents,
    currency: &'a str,
    amount_usd: Cents,
    tax: Cents,
    transaction_type: &'a str,
    status: &'a str,
    payment_method: &'a str,
    location: FullLocation<'a>,
    address: FullAddress<'a>,
    device: &'a str,
    rating: Option<f64>,
    discount_code: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct Named<'a> {
    id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct FullLocation<'a> {
    city: &'a str,
    country: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct FullAddress<'a> {
    street: &'a str,
    postal_code: &'a str,
}

impl<'a> FullValue<'a> {
    fn of(transaction: &'a Transaction) -> FullValue<'a> {
        let Transaction {
            user,
            product,
            location,
            address,
            ..
        } = transaction;
        FullValue {
            timestamp: &transaction.timestamp,
            user: Named {
                id: &user.id,
                name: &user.name,
            },
            product: Named {
                id: &product.id,
                name: &product.name,
            },
            category: &transaction.category,
            quantity: transaction.quantity,
            amount: transaction.amount,
            currency: &transaction.currency,
            amount_usd: transaction.amount_usd,
            tax: transaction.tax,
            transaction_type: &transaction.transaction_type,
            status: &transaction.status,
            payment_method: &transaction.payment_method,
            location: FullLocation {
                city: &location.city,
                country: &location.country,
            },
            address: FullAddress {
                street: &address.street,
                postal_code: &address.postal_code,
            },
            device: &transaction.device,
            rating: transaction.rating,
            discount_code: transaction.discount_code.as_deref(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
struct FlatValue<'a> {
    timestamp: &'a str,
    user_id: &'a str,
    user_name: &'a str,
    product_id: &'a str,
    product_name: &'a str,
    category: &'a str,
    quantity: u32,
    amount: Cents,
    currency: &'a str,
    amount_usd: Cents,
    tax: Cents,
    transaction_type: &'a str,
    status: &'a str,
    payment_method: &'a str,
    city: &'a str,
    country: &'a str,
    street: &'a str,
    postal_code: &'a str,
    device: &'a str,
    rating: Option<f64>,
    discount_code: Option<&'a str>,
}

impl<'a> FlatValue<'a> {
    fn of(transaction: &'a Transaction) -> FlatValue<'a> {
        FlatValue {
            timestamp: &transaction.timestamp,
            user_id: &transaction.user.id,
            user_name: &transaction.user.name,
            product_id: &transaction.product.id,
            product_name: &transaction.product.name,
            category: &transaction.category,
            quantity: transaction.quantity,
            amount: transaction.amount,
            currency: &transaction.currency,
            amount_usd: transaction.amount_usd,
            tax: transaction.tax,
            transaction_type: &transaction.transaction_type,
            status: &transaction.status,
            payment_method: &transaction.payment_method,
            city: &transaction.location.city,
            country: &transaction.location.country,
            street: &transaction.address.street,
            postal_code: &transaction.address.postal_code,
            device: &transaction.device,
            rating: transaction.rating,
            discount_code: transaction.discount_code.as_deref(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::Value;

    use super::*;
    use crate::generate::Plan;

    pub(crate) fn events() -> Vec<Event> {
        let plan = Plan {
            seed: 11,
            threads: 3,
            messages: 400,
            start_ms: 1_761_696_000_000,
            span_ms: 86_400_000,
        };
        plan.merged().collect()
    }

    #[test]
    fn names_are_upper_case_nulls_are_written_and_the_key_is_not_in_the_value() {
        for event in events() {
            let record = full(&event).expect("a record");
            assert_eq!(record.key, event.transaction.transaction_id.as_bytes());
            let value: Value = serde_json::from_slice(&record.value).expect("JSON");
            let fields = value.as_object().expect("an object");
            assert_eq!(fields.len(), 17);
            assert!(
                fields
                    .keys()
                    .all(|name| *name == name.to_uppercase() && name != "TRANSACTION_ID")
            );
            assert!(fields.contains_key("RATING") && fields.contains_key("DISCOUNT_CODE"));
        }
    }

    #[test]
    fn every_filter_lets_some_through_and_keeps_some_out() {
        let events = events();
        let records: Vec<Record> = events
            .iter()
            .flat_map(|event| flat_ones(event, true).expect("records"))
            .collect();
        let count = |topic: Derived| records.iter().filter(|record| record.topic == topic).count();
        assert_eq!(count(Derived::Flat), events.len());
        for topic in [
            Derived::Processed,
            Derived::Blacklisted,
            Derived::Completed,
            Derived::HorsUe,
        ] {
            assert!(
                (1..events.len()).contains(&count(topic)),
                "{topic:?}: {}",
                count(topic)
            );
        }
        let europeans = events
            .iter()
            .filter(|event| EU.contains(&event.transaction.location.country.as_str()));
        assert_eq!(europeans.count() + count(Derived::HorsUe), events.len());
        assert!(
            flat_ones(&events[0], false)
                .expect("records")
                .iter()
                .all(|one| one.topic != Derived::HorsUe)
        );
    }

    #[test]
    fn amounts_keep_two_decimals_on_the_wire() {
        let mut event = events().swap_remove(0);
        event.transaction.amount_usd = Cents(1230);
        let flat = flat_ones(&event, false).expect("records").swap_remove(0);
        assert!(String::from_utf8_lossy(&flat.value).contains(r#""AMOUNT_USD":12.30,"#));
    }
}
