//! The tables ksqlDB derives: `examples/ksqldb/05` to `09`. Each event updates an aggregate and emits its new state,
//! as a changelog does; the record's timestamp is the highest of the events that went into it.

use std::collections::HashMap;

use anyhow::Result;
use serde::Serialize;

use crate::money::Cents;
use crate::topics::{Derived, Record};
use crate::transaction::{Event, Transaction};
use crate::wire;

const WINDOW_SIZE_MS: i64 = 5 * 60_000;
const WINDOW_ADVANCE_MS: i64 = 60_000;

/// The state of all five tables. It grows with the number of keys, as ksqlDB's own stores do.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    by_type: HashMap<String, Aggregate<(Cents, u64)>>,
    purchases: HashMap<String, Aggregate<u64>>,
    lifecycles: HashMap<String, Aggregate<Vec<String>>>,
    spent: HashMap<(String, String), Aggregate<Cents>>,
    sliding: HashMap<(String, i64), Aggregate<Cents>>,
}

#[derive(Debug, Default)]
struct Aggregate<T> {
    state: T,
    timestamp_ms: i64,
}

impl<T> Aggregate<T> {
    fn update(&mut self, timestamp_ms: i64, change: impl FnOnce(&mut T)) {
        change(&mut self.state);
        self.timestamp_ms = self.timestamp_ms.max(timestamp_ms);
    }

    fn record(&self, topic: Derived, key: Vec<u8>, value: &impl Serialize) -> Result<Record> {
        Ok(Record {
            topic,
            key,
            value: wire::json(value)?,
            timestamp_ms: self.timestamp_ms,
        })
    }
}

impl Tables {
    /// Takes in one event; returns one update per table it touches, for the hopping table one per window.
    pub(crate) fn apply(&mut self, event: &Event) -> Result<Vec<Record>> {
        let (transaction, now) = (&event.transaction, event.timestamp_ms);
        let mut records = vec![
            self.apply_by_type(transaction, now)?,
            self.apply_lifecycle(transaction, now)?,
            self.apply_spent(transaction, now)?,
        ];
        if transaction.transaction_type == "purchase" {
            records.push(self.apply_purchase(transaction, now)?);
        }
        self.apply_sliding(transaction, now, &mut records)?;
        Ok(records)
    }

    /// The sum of TOTAL_DEPENSE_USD over all rows.
    pub(crate) fn total_usd(&self) -> Cents {
        self.spent.values().map(|aggregate| aggregate.state).sum()
    }

    fn apply_by_type(&mut self, transaction: &Transaction, now: i64) -> Result<Record> {
        #[derive(Serialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        struct Value {
            total_amount: Cents,
            transaction_count: u64,
        }
        let key = &transaction.transaction_type;
        let aggregate = self.by_type.entry(key.clone()).or_default();
        aggregate.update(now, |(total, count)| {
            *total += transaction.amount_usd;
            *count += 1;
        });
        let (total_amount, transaction_count) = aggregate.state;
        let value = Value {
            total_amount,
            transaction_count,
        };
        aggregate.record(Derived::TotalParType, key.clone().into_bytes(), &value)
    }

    fn apply_purchase(&mut self, transaction: &Transaction, now: i64) -> Result<Record> {
        #[derive(Serialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        struct Value {
            purchase_count: u64,
        }
        let key = &transaction.product.id;
        let aggregate = self.purchases.entry(key.clone()).or_default();
        aggregate.update(now, |count| *count += 1);
        let value = Value {
            purchase_count: aggregate.state,
        };
        aggregate.record(Derived::PurchaseCounts, key.clone().into_bytes(), &value)
    }

    fn apply_lifecycle(&mut self, transaction: &Transaction, now: i64) -> Result<Record> {
        #[derive(Serialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        struct Value<'a> {
            status_history: &'a [String],
            last_update_time: &'a str,
        }
        let key = &transaction.transaction_id;
        let aggregate = self.lifecycles.entry(key.clone()).or_default();
        aggregate.update(now, |history| history.push(transaction.status.clone()));
        let value = Value {
            status_history: &aggregate.state,
            last_update_time: &transaction.timestamp,
        };
        aggregate.record(Derived::Lifecycle, key.clone().into_bytes(), &value)
    }

    fn apply_spent(&mut self, transaction: &Transaction, now: i64) -> Result<Record> {
        #[derive(Serialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        struct Key<'a> {
            user_id: &'a str,
            transaction_type: &'a str,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "SCREAMING_SNAKE_CASE")]
        struct Value {
            total_depense_usd: Cents,
        }
        let (user_id, transaction_type) = (&transaction.user.id, &transaction.transaction_type);
        let aggregate = self
            .spent
            .entry((user_id.clone(), transaction_type.clone()))
            .or_default();
        aggregate.update(now, |total| *total += transaction.amount_usd);
        let key = wire::json(&Key {
            user_id,
            transaction_type,
        })?;
        let value = Value {
            total_depense_usd: aggregate.state,
        };
        aggregate.record(Derived::DepenseParUserType, key, &value)
    }

    fn apply_sliding(
        &mut self,
        transaction: &Transaction,
        now: i64,
        records: &mut Vec<Record>,
    ) -> Result<()> {
        #[derive(Serialize)]
        struct Value {
            #[serde(rename = "TOTAL_AMOUNT_5MIN")]
            total: Cents,
        }
        let transaction_type = &transaction.transaction_type;
        for start_ms in wire::hopping_starts(now, WINDOW_SIZE_MS, WINDOW_ADVANCE_MS) {
            let aggregate = self
                .sliding
                .entry((transaction_type.clone(), start_ms))
                .or_default();
            aggregate.update(now, |total| *total += transaction.amount_usd);
            let key = wire::windowed_key(transaction_type, start_ms);
            let value = Value {
                total: aggregate.state,
            };
            records.push(aggregate.record(Derived::Sliding, key, &value)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::generate::Plan;

    fn events() -> Vec<Event> {
        let plan = Plan {
            seed: 23,
            threads: 5,
            messages: 200,
            start_ms: 1_761_696_000_000,
            span_ms: 7_200_000,
        };
        plan.merged().collect()
    }

    fn changelog(events: &[Event]) -> Vec<Record> {
        let mut tables = Tables::default();
        events
            .iter()
            .flat_map(|event| tables.apply(event).expect("records"))
            .collect()
    }

    /// The newest value and timestamp per key, as a reader of the topic ends up with.
    fn fold(records: &[Record], topic: Derived) -> BTreeMap<Vec<u8>, (String, i64)> {
        let newest = |record: &Record| {
            (
                String::from_utf8_lossy(&record.value).into_owned(),
                record.timestamp_ms,
            )
        };
        records
            .iter()
            .filter(|one| one.topic == topic)
            .map(|one| (one.key.clone(), newest(one)))
            .collect()
    }

    /// Sum and highest timestamp of the events per key, computed without the tables.
    fn direct<K: Ord>(events: &[Event], key: impl Fn(&Event) -> Vec<K>) -> BTreeMap<K, (Cents, i64)> {
        let mut sums: BTreeMap<K, (Cents, i64)> = BTreeMap::new();
        for event in events {
            for key in key(event) {
                let (sum, latest) = sums.entry(key).or_default();
                *sum += event.transaction.amount_usd;
                *latest = event.timestamp_ms.max(*latest);
            }
        }
        sums
    }

    #[test]
    fn the_changelog_is_the_same_each_time() {
        assert_eq!(changelog(&events()), changelog(&events()));
    }

    #[test]
    fn one_update_per_event_and_five_for_the_hopping_windows() {
        let events = events();
        let records = changelog(&events);
        let count = |topic: Derived| records.iter().filter(|record| record.topic == topic).count();
        let purchases = events
            .iter()
            .filter(|event| event.transaction.transaction_type == "purchase")
            .count();
        for topic in [
            Derived::TotalParType,
            Derived::Lifecycle,
            Derived::DepenseParUserType,
        ] {
            assert_eq!(count(topic), events.len(), "{topic:?}");
        }
        assert_eq!(count(Derived::PurchaseCounts), purchases);
        assert_eq!(count(Derived::Sliding), 5 * events.len());
    }

    #[test]
    fn the_fold_of_the_spent_table_is_the_direct_sum() {
        let events = events();
        let folded = fold(&changelog(&events), Derived::DepenseParUserType);
        let expected = direct(&events, |event| {
            let (user, kind) = (&event.transaction.user.id, &event.transaction.transaction_type);
            vec![format!(r#"{{"USER_ID":"{user}","TRANSACTION_TYPE":"{kind}"}}"#).into_bytes()]
        });
        let expected: BTreeMap<_, _> = expected
            .into_iter()
            .map(|(key, (sum, latest))| (key, (format!(r#"{{"TOTAL_DEPENSE_USD":{sum}}}"#), latest)))
            .collect();
        assert_eq!(folded, expected);
    }

    #[test]
    fn the_fold_of_the_windows_is_the_direct_sum() {
        let events = events();
        let folded = fold(&changelog(&events), Derived::Sliding);
        let minute = |ms: i64| ms / 60_000 * 60_000;
        let expected = direct(&events, |event| {
            (0..5)
                .map(|back| minute(event.timestamp_ms) - back * 60_000)
                .map(|start| wire::windowed_key(&event.transaction.transaction_type, start))
                .collect()
        });
        let expected: BTreeMap<_, _> = expected
            .into_iter()
            .map(|(key, (sum, latest))| (key, (format!(r#"{{"TOTAL_AMOUNT_5MIN":{sum}}}"#), latest)))
            .collect();
        assert_eq!(folded, expected);
    }

    #[test]
    fn counts_totals_and_histories_agree_with_the_events() {
        let events = events();
        let records = changelog(&events);
        for (key, (value, _)) in fold(&records, Derived::TotalParType) {
            let of_type = events
                .iter()
                .filter(|one| one.transaction.transaction_type.as_bytes() == key);
            let sum: Cents = of_type.clone().map(|one| one.transaction.amount_usd).sum();
            let count = of_type.count();
            assert_eq!(
                value,
                format!(r#"{{"TOTAL_AMOUNT":{sum},"TRANSACTION_COUNT":{count}}}"#)
            );
        }
        for (key, (value, latest)) in fold(&records, Derived::Lifecycle) {
            let own: Vec<&Event> = events
                .iter()
                .filter(|one| one.transaction.transaction_id.as_bytes() == key)
                .collect();
            let history: Vec<String> = own
                .iter()
                .map(|one| format!("{:?}", one.transaction.status))
                .collect();
            let last = own.last().expect("an event");
            assert_eq!(latest, last.timestamp_ms);
            let time = &last.transaction.timestamp;
            let expected = format!(
                r#"{{"STATUS_HISTORY":[{}],"LAST_UPDATE_TIME":"{time}"}}"#,
                history.join(",")
            );
            assert_eq!(value, expected);
        }
    }

    #[test]
    fn the_total_is_the_sum_over_all_messages() {
        let mut tables = Tables::default();
        let events = events();
        for event in &events {
            tables.apply(event).expect("records");
        }
        assert_eq!(
            tables.total_usd(),
            events.iter().map(|event| event.transaction.amount_usd).sum()
        );
    }
}
