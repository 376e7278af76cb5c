//! Makes transactions: the same ones for the same seed, whatever the threads do meanwhile.

use chrono::{DateTime, SecondsFormat};

use crate::catalogue::{
    CITIES, City, Currency, DEVICES, DISCOUNT_CODES, FIRST_NAMES, LAST_NAMES, PAYMENT_METHODS, PRODUCTS,
    STREETS, USERS,
};
use crate::money::Cents;
use crate::rng::SplitMix64;
use crate::transaction::{Address, Event, Item, Location, Transaction, User};

/// How many transactions of one thread may be under way at once: a bound on memory, and it makes histories short.
const OPEN_MAX: usize = 16;

/// Everything that decides what is generated; two equal plans give equal messages.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) threads: u32,
    /// Messages per thread.
    pub(crate) messages: u32,
    pub(crate) start_ms: i64,
    pub(crate) span_ms: i64,
}

impl Plan {
    pub(crate) fn total(&self) -> u64 {
        u64::from(self.threads) * u64::from(self.messages)
    }

    /// The messages of all threads in one fixed order: the first of each thread, the second of each, and so on.
    pub(crate) fn merged(&self) -> impl Iterator<Item = Event> {
        let mut threads: Vec<Generator> = (0..self.threads)
            .map(|thread| Generator::new(self, thread))
            .collect();
        let rounds = self.messages;
        (0..rounds).flat_map(move |_| threads.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>())
    }
}

/// The messages of one thread, in the order in which it sends them; their times never go back.
#[derive(Debug)]
pub(crate) struct Generator {
    plan: Plan,
    thread: u32,
    rng: SplitMix64,
    /// Sets apart the ids of runs with different seeds.
    run_tag: u32,
    sent: u32,
    started: u32,
    open: Vec<Transaction>,
}

impl Generator {
    pub(crate) fn new(plan: &Plan, thread: u32) -> Generator {
        let mut of_run = SplitMix64::new(plan.seed);
        let run_tag = (of_run.next_u64() >> 32) as u32;
        let thread_seed = of_run.next_u64() ^ SplitMix64::new(u64::from(thread)).next_u64();
        let rng = SplitMix64::new(thread_seed);
        Generator {
            plan: plan.clone(),
            thread,
            rng,
            run_tag,
            sent: 0,
            started: 0,
            open: Vec::new(),
        }
    }

    /// Message i falls somewhere into the i-th slice of the span, so threads stay abreast of each other and a real
    /// ksqlDB would not see records later than its windows' grace.
    fn next_time(&mut self) -> i64 {
        let (span, rounds) = (
            i128::from(self.plan.span_ms),
            i128::from(self.plan.messages.max(1)),
        );
        // Below span_ms, hence an i64, for every index up to the number of rounds.
        let slice_start = |index: u32| (span * i128::from(index) / rounds) as i64;
        let (from, to) = (slice_start(self.sent), slice_start(self.sent + 1));
        let offset = self.rng.below(u64::try_from(to - from).unwrap_or(0));
        self.plan.start_ms + from + i64::try_from(offset).unwrap_or(0)
    }

    /// Moves one of the transactions under way to its next status.
    fn advance(&mut self) -> Transaction {
        let index = self.rng.below(self.open.len() as u64) as usize;
        let mut transaction = self.open.swap_remove(index);
        transaction.status = self.next_status(&transaction.status).to_owned();
        if transaction.status == "completed" && self.rng.percent(60) {
            transaction.rating = Some((2 + self.rng.below(9)) as f64 / 2.0);
        }
        transaction
    }

    fn next_status(&mut self, status: &str) -> &'static str {
        match status {
            "pending" if self.rng.percent(92) => "processing",
            "pending" => "cancelled",
            "processing" if self.rng.percent(88) => "processed",
            "processing" => "failed",
            _ => "completed",
        }
    }

    fn start(&mut self) -> Transaction {
        let rng = &mut self.rng;
        let user_number = rng.below(USERS);
        let city = home_of(user_number);
        let product_number = rng.below(PRODUCTS.len() as u64) as usize;
        let product = &PRODUCTS[product_number];
        let transaction_type = draw_type(rng);
        let quantity = 1 + rng.below(4) as u32;
        let usd_wanted = match transaction_type {
            "purchase" | "refund" => Cents(product.usd_cents * i128::from(quantity)),
            "withdrawal" => Cents(i128::from(2 + rng.below(49)) * 10_00),
            _ => Cents(i128::from(1_00 + rng.below(250_000))),
        };
        let amount = from_usd(usd_wanted, city.currency);
        let taxed = matches!(transaction_type, "purchase" | "refund");
        self.started += 1;
        Transaction {
            transaction_id: format!("TXN-{:08X}-{:02}-{:06}", self.run_tag, self.thread, self.started),
            timestamp: String::new(),
            user: User {
                id: format!("USER-{user_number:05}"),
                name: name_of(user_number),
            },
            product: Item {
                id: format!("PROD-{product_number:04}"),
                name: product.name.to_owned(),
            },
            category: product.category.to_owned(),
            quantity,
            amount,
            currency: city.currency.code.to_owned(),
            amount_usd: to_usd(amount, city.currency),
            tax: if taxed { amount.scaled(20, 120) } else { Cents(0) },
            transaction_type: transaction_type.to_owned(),
            status: "pending".to_owned(),
            payment_method: (*rng.pick(&PAYMENT_METHODS)).to_owned(),
            location: Location {
                city: city.name.to_owned(),
                country: city.country.to_owned(),
            },
            address: Address {
                street: format!(
                    "{} {}",
                    1 + user_number % 120,
                    STREETS[user_number as usize % STREETS.len()]
                ),
                postal_code: city.postal_code.to_owned(),
            },
            device: (*rng.pick(&DEVICES)).to_owned(),
            rating: None,
            discount_code: rng.percent(20).then(|| (*rng.pick(&DISCOUNT_CODES)).to_owned()),
        }
    }
}

impl Iterator for Generator {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        if self.sent >= self.plan.messages {
            return None;
        }
        let timestamp_ms = self.next_time();
        let goes_on = !self.open.is_empty() && (self.open.len() >= OPEN_MAX || self.rng.percent(60));
        let mut transaction = if goes_on { self.advance() } else { self.start() };
        transaction.timestamp = iso_utc(timestamp_ms);
        if !matches!(transaction.status.as_str(), "completed" | "failed" | "cancelled") {
            self.open.push(transaction.clone());
        }
        self.sent += 1;
        Some(Event {
            transaction,
            timestamp_ms,
        })
    }
}

fn draw_type(rng: &mut SplitMix64) -> &'static str {
    match rng.below(100) {
        0..50 => "purchase",
        50..62 => "refund",
        62..75 => "withdrawal",
        75..90 => "deposit",
        _ => "transfer",
    }
}

/// A user keeps name, home and currency through all runs: they follow from the number alone.
fn name_of(user_number: u64) -> String {
    let first = FIRST_NAMES[user_number as usize % FIRST_NAMES.len()];
    let last = LAST_NAMES[user_number as usize % LAST_NAMES.len()];
    format!("{first} {last}")
}

fn home_of(user_number: u64) -> &'static City {
    &CITIES[SplitMix64::new(user_number).below(CITIES.len() as u64) as usize]
}

fn from_usd(usd: Cents, currency: Currency) -> Cents {
    usd.scaled(1_000_000, currency.usd_millionths)
}

fn to_usd(amount: Cents, currency: Currency) -> Cents {
    amount.scaled(currency.usd_millionths, 1_000_000)
}

/// `2025-10-29T00:00:00.000Z`; empty for an instant that chrono's calendar does not reach.
pub(crate) fn iso_utc(timestamp_ms: i64) -> String {
    DateTime::from_timestamp_millis(timestamp_ms)
        .map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn plan(seed: u64) -> Plan {
        Plan {
            seed,
            threads: 4,
            messages: 250,
            start_ms: 1_761_696_000_000,
            span_ms: 3 * DAY_MS,
        }
    }

    fn bytes(plan: &Plan) -> Vec<String> {
        plan.merged()
            .map(|event| serde_json::to_string(&event.transaction).expect("JSON"))
            .collect()
    }

    #[test]
    fn one_seed_gives_one_sequence_and_another_seed_another() {
        assert_eq!(bytes(&plan(7)), bytes(&plan(7)));
        assert_ne!(bytes(&plan(7)), bytes(&plan(8)));
    }

    #[test]
    fn merged_holds_what_the_threads_send_in_turn() {
        let plan = plan(7);
        let merged: Vec<Event> = plan.merged().collect();
        assert_eq!(merged.len() as u64, plan.total());
        for thread in 0..plan.threads {
            let own: Vec<Event> = Generator::new(&plan, thread).collect();
            let taken: Vec<Event> = merged.iter().skip(thread as usize).step_by(4).cloned().collect();
            assert_eq!(own, taken);
        }
    }

    #[test]
    fn times_fill_the_days_and_never_go_back_within_a_thread() {
        let plan = plan(1);
        let times: Vec<i64> = Generator::new(&plan, 2).map(|event| event.timestamp_ms).collect();
        assert!(times.is_sorted());
        assert!(
            times
                .iter()
                .all(|time| (plan.start_ms..plan.start_ms + plan.span_ms).contains(time))
        );
        let days: BTreeSet<i64> = times.iter().map(|time| time / DAY_MS).collect();
        assert_eq!(days.len(), 3);
    }

    #[test]
    fn ids_recur_and_their_statuses_follow_the_lifecycle() {
        let mut histories: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for event in plan(3).merged() {
            histories
                .entry(event.transaction.transaction_id)
                .or_default()
                .push(event.transaction.status);
        }
        assert!(histories.values().all(|history| history[0] == "pending"));
        assert!(
            histories
                .values()
                .any(|history| history == &["pending", "processing", "processed", "completed"])
        );
        assert!(
            histories
                .values()
                .any(|history| history == &["pending", "processing", "failed"])
        );
    }

    #[test]
    fn amounts_agree_with_their_rate_and_fields_vary() {
        let all: Vec<Transaction> = plan(5).merged().map(|event| event.transaction).collect();
        assert!(
            all.iter()
                .all(|one| one.amount > Cents(0) && one.amount_usd > Cents(0))
        );
        assert!(all.iter().any(|one| one.rating.is_some()) && all.iter().any(|one| one.rating.is_none()));
        assert!(all.iter().any(|one| one.discount_code.is_some()));
        assert!(
            all.iter()
                .any(|one| one.product.name.chars().any(|letter| letter > '\u{ffff}'))
        );
    }

    #[test]
    fn an_absurd_span_does_not_overflow() {
        let plan = Plan {
            seed: 1,
            threads: 1,
            messages: u32::MAX,
            start_ms: 0,
            span_ms: 36_500 * DAY_MS,
        };
        assert_eq!(Generator::new(&plan, 0).take(3).count(), 3);
    }
}
