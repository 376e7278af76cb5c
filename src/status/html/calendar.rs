//! Records per topic and day: a calendar of the last weeks, and older records by month or year. Its size is bounded, however
//! many topics and days there are.

use chrono::{Datelike, Days, NaiveDate};
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::grid::section;
use super::grouped;
use crate::config::Kind;
use crate::status::ask::StatusAnswer;
use crate::status::model::{DayStatus, TopicStatus};
use crate::words::one_line;

/// A year of weeks, if there is room.
const WEEKS_MAX: u64 = 53;
const WEEKS_MIN: u64 = 4;
/// Days that are drawn at most, of all topics together.
const DAYS_DRAWN_MAX: u64 = 40_000;
/// Older months that are drawn at most, of all topics together; if there are more, they are summed by year.
const MONTHS_DRAWN_MAX: usize = 12_000;

/// Pixels from one cell to the next, and of the largest square.
const PITCH: u64 = 14;
const SIDE: u64 = 12;
/// Pixels of the dot on a day without records.
const DOT: u64 = 2;
const LEFT: u64 = 30;
const TOP: u64 = 16;
/// Pixels of the squares: they grow with the number of records, so that colour is not the only sign.
const SIDES: [u64; 5] = [0, 6, 8, 10, 12];
const LEVELS: u64 = 4;
const MONTHS: [&str; 12] = ["J", "F", "M", "A", "M", "J", "J", "A", "S", "O", "N", "D"];

/// How the days of all topics are drawn.
pub(super) struct Calendars<'a> {
    topics: Vec<&'a TopicStatus>,
    /// The Monday of the first week.
    first: NaiveDate,
    today: NaiveDate,
    weeks: u64,
    by_year: bool,
}

impl<'a> Calendars<'a> {
    pub(super) fn new(status: &'a StatusAnswer) -> Calendars<'a> {
        // A table's snapshot is one day, which is not a history.
        let least = |kind| if kind == Kind::Table { 2 } else { 1 };
        let has_days = |topic: &&TopicStatus| {
            let lake = topic.lake.as_ref();
            lake.is_some_and(|lake| lake.by_day.len() >= least(topic.kind))
        };
        let topics: Vec<&TopicStatus> = status.topics.iter().filter(has_days).collect();
        let room = DAYS_DRAWN_MAX / (7 * topics.len().max(1) as u64);
        let weeks = room.clamp(WEEKS_MIN, WEEKS_MAX);
        let today = status.today;
        let monday = before(today, u64::from(today.weekday().num_days_from_monday()));
        let mut calendars = Calendars {
            topics,
            first: before(monday, 7 * (weeks - 1)),
            today,
            weeks,
            by_year: false,
        };
        let months: usize = calendars
            .topics
            .iter()
            .map(|topic| calendars.older(topic).len())
            .sum();
        calendars.by_year = months > MONTHS_DRAWN_MAX;
        calendars
    }

    pub(super) fn section(&self) -> Markup {
        let older = if self.by_year { "year" } else { "month" };
        let content = html! {
            p.note {
                "The last " (self.weeks) " weeks to " (self.today) ", a square a day; what is older, by " (older)
                ". The larger and stronger the square, the more records, measured by each topic's own largest; "
                "point at it for its number. " (legend())
            }
            @for (number, topic) in self.topics.iter().enumerate() { (self.figure(number, topic)) }
        };
        html! {
            @if !self.topics.is_empty() { (section("days", "Records by day", &content)) }
        }
    }

    fn figure(&self, number: usize, topic: &TopicStatus) -> Markup {
        let days = topic.lake.as_ref().map_or(&[][..], |lake| &lake.by_day);
        let summary = self.summary(topic, days);
        let name = one_line(&topic.topic);
        let older = self.older(topic);
        html! {
            figure {
                figcaption { h3 { bdi { (name) } } " " span { (summary) } }
                div.calendars {
                    div.weeks role="group" tabindex="0" aria-label={ (name) ", last weeks" } {
                        (self.weeks_of(number, &name, &summary, days))
                    }
                    @if !older.is_empty() {
                        @if self.by_year { (years(&name, &older)) } @else { (months(number, &name, &older)) }
                    }
                }
            }
        }
    }

    /// The calendar in words, for readers who can't see the picture.
    fn summary(&self, topic: &TopicStatus, days: &[DayStatus]) -> String {
        let noun = match topic.kind {
            Kind::Stream => "record",
            Kind::Table => "row",
        };
        let told = |n: u64| format!("{} {noun}{}", grouped(n), if n == 1 { "" } else { "s" });
        let total = days.iter().map(|day| day.records).sum();
        let mut text = match days {
            [day] => format!("{} on {}", told(total), day.day),
            _ => format!("{} on {}", told(total), count_grouped(days.len() as u64, "day")),
        };
        let busiest = days.iter().max_by_key(|day| day.records);
        if let (Some(busiest), true) = (busiest, days.len() > 1) {
            let _ = write!(text, "; most on {}: {}", busiest.day, grouped(busiest.records));
        }
        let ahead: u64 = days
            .iter()
            .filter(|day| day.day > self.today)
            .map(|day| day.records)
            .sum();
        if ahead > 0 {
            let _ = write!(text, "; {} dated after today", told(ahead));
        }
        let undated = topic
            .lake
            .as_ref()
            .and_then(|lake| lake.undated_records)
            .unwrap_or(0);
        if undated > 0 {
            let _ = write!(text, "; {} without a usable date", told(undated));
        }
        text
    }

    fn weeks_of(&self, number: usize, name: &str, summary: &str, days: &[DayStatus]) -> Markup {
        let shown = |day: &&DayStatus| (self.first..=self.today).contains(&day.day);
        let most = days.iter().filter(shown).map(|day| day.records).max();
        let content = html! {
            (self.scale())
            (self.empty_days(number))
            @for day in days.iter().filter(shown) {
                @let at = (day.day - self.first).num_days().unsigned_abs();
                @let records = count_grouped(day.records, "record");
                @let files = count_grouped(day.files, "file");
                (square(
                    (LEFT + at / 7 * PITCH, TOP + at % 7 * PITCH),
                    level(day.records, most.unwrap_or(0)),
                    &format!("{}: {records} in {files}", day.day),
                ))
            }
        };
        picture(
            &format!("c{number}"),
            (LEFT + self.weeks * PITCH, TOP + 7 * PITCH),
            &format!("Records of {name} by day"),
            summary,
            &content,
        )
    }

    /// Names of weekdays on the left, and of months above their first week.
    fn scale(&self) -> Markup {
        let monday = |week: u64| self.first.checked_add_days(Days::new(7 * week));
        // The last name would not fit into the picture.
        let weeks = (0..self.weeks - 1).filter_map(|week| Some((LEFT + week * PITCH, monday(week)?)));
        html! {
            @for (row, name) in [(0, "Mon"), (2, "Wed"), (4, "Fri"), (6, "Sun")] {
                text x="0" y=(TOP + row * PITCH + 10) { (name) }
            }
            @for (x, monday) in weeks.filter(|(_, monday)| monday.day() <= 7) {
                text x=(x) y="10" {
                    @if monday.month() == 1 { (monday.year()) } @else { (monday.format("%b")) }
                }
            }
        }
    }

    /// A dot for each day up to today, all as one pattern.
    fn empty_days(&self, number: usize) -> Markup {
        let today = (self.today - self.first).num_days().unsigned_abs();
        let width = (self.weeks - 1) * PITCH;
        let (x, whole, rest) = (LEFT + width, 7 * PITCH, (today % 7 + 1) * PITCH);
        let area = format!("M{LEFT} {TOP}h{width}v{whole}h-{width}zM{x} {TOP}h{PITCH}v{rest}h-{PITCH}z");
        html! {
            pattern id={ "e" (number) } x=(LEFT) y=(TOP) width=(PITCH) height=(PITCH) patternUnits="userSpaceOnUse" {
                (dot((0, 0)))
            }
            path fill={ "url(#e" (number) ")" } d=(area) {}
        }
    }

    /// Records by month before the first week, or by year (month 0).
    fn older(&self, topic: &TopicStatus) -> BTreeMap<(i32, u32), (u64, u64)> {
        let mut older = BTreeMap::new();
        let days = topic.lake.as_ref().map_or(&[][..], |lake| &lake.by_day);
        for day in days.iter().filter(|day| day.day < self.first) {
            let month = if self.by_year { 0 } else { day.day.month() };
            let (records, days) = older.entry((day.day.year(), month)).or_insert((0, 0));
            *records += day.records;
            *days += 1;
        }
        older
    }
}

fn before(day: NaiveDate, days: u64) -> NaiveDate {
    day.checked_sub_days(Days::new(days)).unwrap_or(NaiveDate::MIN)
}

/// A picture and its description in words. All elements are closed by hand, as SVG needs it.
fn picture(id: &str, (width, height): (u64, u64), title: &str, desc: &str, content: &Markup) -> Markup {
    html! {
        svg role="img" aria-labelledby={ (id) "t " (id) "d" } width=(width) height=(height)
            viewBox={ "0 0 " (width) " " (height) } {
            title id={ (id) "t" } { (title) }
            desc id={ (id) "d" } { (desc) }
            (content)
        }
    }
}

/// A square in the middle of its cell, with the number as its title.
fn square((x, y): (u64, u64), level: usize, what: &str) -> Markup {
    let side = SIDES[level];
    let inset = (SIDE - side) / 2;
    html! {
        rect class={ "l" (level) } x=(x + inset) y=(y + inset) width=(side) height=(side) rx="2" {
            @if !what.is_empty() { title { (what) } }
        }
    }
}

/// The dot in the middle of a cell without records.
fn dot((x, y): (u64, u64)) -> Markup {
    let inset = (SIDE - DOT) / 2;
    html! { rect.l0 x=(x + inset) y=(y + inset) width=(DOT) height=(DOT) {} }
}

/// The level from 1 to 4, by the square root of the share, so that one large day does not make all others small.
fn level(records: u64, most: u64) -> usize {
    let share = (records as f64 / most.max(1) as f64).sqrt();
    let level = (share * LEVELS as f64).ceil().clamp(1.0, LEVELS as f64);
    level as usize
}

fn months(number: usize, name: &str, older: &BTreeMap<(i32, u32), (u64, u64)>) -> Markup {
    let most = older.values().map(|(records, _)| *records).max().unwrap_or(0);
    let total: u64 = older.values().map(|(records, _)| records).sum();
    let years: BTreeSet<i32> = older.keys().map(|(year, _)| *year).collect();
    let content = html! {
        @for (x, month) in columns().zip(MONTHS) { text.m x=(x + SIDE / 2) y="10" { (month) } }
        @for (y, year) in (TOP..).step_by(PITCH as usize).zip(&years) {
            text x="0" y=(y + 10) { (year) }
            @for (x, month) in columns().zip(1..) {
                @if let Some((records, days)) = older.get(&(*year, month)) {
                    @let (told, days) = (count_grouped(*records, "record"), count_grouped(*days, "day"));
                    (square((x, y), level(*records, most), &format!("{year}-{month:02}: {told} on {days}")))
                } @else {
                    (dot((x, y)))
                }
            }
        }
    };
    let summary = format!(
        "{} in {}",
        count_grouped(total, "record"),
        count_grouped(older.len() as u64, "month")
    );
    html! {
        div.months {
            (picture(
                &format!("m{number}"),
                (LEFT + 12 * PITCH, TOP + years.len() as u64 * PITCH),
                &format!("Older records of {name} by month"),
                &summary,
                &content,
            ))
        }
    }
}

/// The places of the twelve months of a year.
fn columns() -> impl Iterator<Item = u64> {
    (0..12).map(|month| LEFT + month * PITCH)
}

fn years(name: &str, older: &BTreeMap<(i32, u32), (u64, u64)>) -> Markup {
    html! {
        ul.years aria-label={ "Older records of " (name) " by year" } {
            @for ((year, _), (records, _)) in older { li { (year) ": " (count_grouped(*records, "record")) } }
        }
    }
}

fn legend() -> Markup {
    html! {
        span.scale {
            "fewer "
            svg.legend aria-hidden="true" width="56" height="12" viewBox="0 0 56 12" {
                @for level in 1..SIDES.len() { (square(((level as u64 - 1) * PITCH, 0), level, "")) }
            }
            " more"
        }
    }
}

fn count_grouped(n: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(n), if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::ask::tests::of_streams;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_more_than_a_year_ago_is_summed_by_month() {
        let days = [
            ("2026-11-23", 7),
            ("2025-11-24", 3),
            ("2025-11-23", 2),
            ("2025-11-01", 1),
            ("2027-01-01", 9),
        ];
        let status = of_streams(1, day("2026-11-23"), days.map(|(text, n)| (day(text), n)).into());
        let page = Calendars::new(&status).section().into_string();
        for told in [
            "2026-11-23: 7 records",
            "2025-11-24: 3 records",
            "2025-11: 3 records on 2 days",
            "9 records dated after today",
        ] {
            assert!(page.contains(told), "no {told:?} in {page}");
        }
        assert!(!page.contains(">2025-11-23: ") && !page.contains(">2027-01-01: "));
    }

    #[test]
    fn the_flood_of_one_day_does_not_drown_the_others() {
        assert_eq!([1, 60, 250, 600, 1_000].map(|n| level(n, 1_000)), [1, 1, 2, 4, 4]);
        assert_eq!(level(0, 0), 1);
    }

    /// Five thousand days of a few topics, and a few days of thousands of topics: the page stays one that opens.
    #[test]
    fn however_much_there_is_the_page_stays_small() {
        let today = day("2026-11-23");
        let days: Vec<_> = (0..5_000).map(|n| (before(today, n), n + 1)).collect();
        for (topics, count, bytes_max) in [
            (5, 5_000, 1_000_000),
            (300, 5_000, 10_000_000),
            (3_000, 30, 20_000_000),
        ] {
            let status = of_streams(topics, today, days[..count].to_vec());
            let page = crate::status::page(&status);
            assert!(
                page.len() < bytes_max,
                "{topics} topics of {count} days: {} bytes",
                page.len()
            );
        }
    }
}
