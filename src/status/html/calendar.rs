//! Records per topic and day: a calendar of the last weeks, and what is older by month or year. Bounded, however many
//! topics and days there are.

use chrono::{Datelike, Days, NaiveDate};
use std::collections::BTreeMap;
use std::fmt::Write;

use super::{escape, grouped};
use crate::config::Kind;
use crate::status::ask::Status;
use crate::status::model::{DayStatus, TopicStatus};

/// A year of weeks, where there is room for it.
const WEEKS_MAX: u64 = 53;
const WEEKS_MIN: u64 = 4;
/// Days that are drawn, of all topics.
const DAYS_DRAWN_MAX: u64 = 40_000;
/// Older months that are drawn, of all topics; above that they are summed by year.
const MONTHS_DRAWN_MAX: usize = 12_000;

/// Pixels from one cell to the next, and of the largest square in it.
const PITCH: u64 = 14;
const SIDE: u64 = 12;
/// Of the dot on a day without records.
const DOT: u64 = 2;
const LEFT: u64 = 30;
const TOP: u64 = 16;
/// Squares grow with the number of records: colour is not the only sign.
const SIDES: [u64; 5] = [0, 6, 8, 10, 12];
const LEVELS: u64 = 4;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

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
    pub(super) fn new(status: &'a Status) -> Calendars<'a> {
        // The one day of a table's snapshot is no history.
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

    pub(super) fn section(&self) -> String {
        if self.topics.is_empty() {
            return String::new();
        }
        let older = if self.by_year { "year" } else { "month" };
        let figures: String = self
            .topics
            .iter()
            .enumerate()
            .map(|(number, topic)| self.figure(number, topic))
            .collect();
        format!(
            "<section aria-labelledby=\"days\">\n<h2 id=\"days\">Records by day</h2>\n\
             <p class=\"note\">The last {} weeks to {}, a square a day; what is older, by {older}. The larger and stronger the \
             square, the more records, measured by each topic's own largest; point at it for its number. {}</p>\n{figures}</section>\n",
            self.weeks,
            self.today,
            legend(),
        )
    }

    fn figure(&self, number: usize, topic: &TopicStatus) -> String {
        let days = topic.lake.as_ref().map_or(&[][..], |lake| &lake.by_day);
        let summary = self.summary(topic, days);
        let name = escape(&topic.topic);
        let older = self.older(topic);
        let older = match (older.is_empty(), self.by_year) {
            (true, _) => String::new(),
            (false, false) => months(number, &name, &older),
            (false, true) => years(&name, &older),
        };
        format!(
            "<figure>\n<figcaption><h3><bdi>{name}</bdi></h3> <span>{summary}</span></figcaption>\n<div class=\"calendars\">\n\
             <div class=\"weeks\" role=\"group\" tabindex=\"0\" aria-label=\"{name}, last weeks\">{}</div>\n{older}</div>\n</figure>\n",
            self.weeks_of(number, &name, &summary, days)
        )
    }

    /// The same in words, for whoever does not see the picture, and what has no place in it.
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

    fn weeks_of(&self, number: usize, name: &str, summary: &str, days: &[DayStatus]) -> String {
        let shown = |day: &&DayStatus| (self.first..=self.today).contains(&day.day);
        let most = days
            .iter()
            .filter(shown)
            .map(|day| day.records)
            .max()
            .unwrap_or(0);
        let (width, height) = (LEFT + self.weeks * PITCH, TOP + 7 * PITCH);
        let mut svg = opening(
            &format!("c{number}"),
            width,
            height,
            &format!("Records of {name} by day"),
            summary,
        );
        self.scale(&mut svg);
        self.empty_days(&mut svg, number);
        for day in days.iter().filter(shown) {
            let at = (day.day - self.first).num_days().unsigned_abs();
            let (x, y) = (LEFT + at / 7 * PITCH, TOP + at % 7 * PITCH);
            let what = format!(
                "{}: {} in {}",
                day.day,
                count_grouped(day.records, "record"),
                count_grouped(day.files, "file")
            );
            square(&mut svg, (x, y), level(day.records, most), &what);
        }
        svg + "</svg>"
    }

    /// Names of weekdays on the left, of months above the week in which they begin.
    fn scale(&self, svg: &mut String) {
        for (row, name) in [(0, "Mon"), (2, "Wed"), (4, "Fri"), (6, "Sun")] {
            let y = TOP + row * PITCH + 10;
            let _ = write!(svg, "<text x=\"0\" y=\"{y}\">{name}</text>");
        }
        for week in 0..self.weeks {
            let Some(monday) = self.first.checked_add_days(Days::new(7 * week)) else {
                break;
            };
            // The last name would stand out of the picture.
            if monday.day() <= 7 && week + 2 <= self.weeks {
                let name = MONTHS[monday.month0() as usize % 12];
                let x = LEFT + week * PITCH;
                let _ = match monday.month() {
                    1 => write!(svg, "<text x=\"{x}\" y=\"10\">{}</text>", monday.year()),
                    _ => write!(svg, "<text x=\"{x}\" y=\"10\">{name}</text>"),
                };
            }
        }
    }

    /// A dot for each day up to today, drawn at once.
    fn empty_days(&self, svg: &mut String, number: usize) {
        let today = (self.today - self.first).num_days().unsigned_abs();
        let (whole, rest) = (self.weeks - 1, today % 7 + 1);
        let dot = (SIDE - DOT) / 2;
        let (x, width) = (LEFT + whole * PITCH, whole * PITCH);
        let _ = write!(
            svg,
            "<pattern id=\"e{number}\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{PITCH}\" height=\"{PITCH}\" \
             patternUnits=\"userSpaceOnUse\"><rect class=\"l0\" x=\"{dot}\" y=\"{dot}\" width=\"{DOT}\" height=\"{DOT}\"/></pattern>\
             <path fill=\"url(#e{number})\" d=\"M{LEFT} {TOP}h{width}v{}h-{width}zM{x} {TOP}h{PITCH}v{}h-{PITCH}z\"/>",
            7 * PITCH,
            rest * PITCH
        );
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

fn opening(id: &str, width: u64, height: u64, title: &str, desc: &str) -> String {
    format!(
        "<svg role=\"img\" aria-labelledby=\"{id}t {id}d\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\
         <title id=\"{id}t\">{title}</title><desc id=\"{id}d\">{desc}</desc>"
    )
}

/// A square in the middle of its cell, that says its number.
fn square(svg: &mut String, (x, y): (u64, u64), level: usize, what: &str) {
    let side = SIDES[level];
    let inset = (SIDE - side) / 2;
    let _ = write!(
        svg,
        "<rect class=\"l{level}\" x=\"{}\" y=\"{}\" width=\"{side}\" height=\"{side}\" rx=\"2\"><title>{what}</title></rect>",
        x + inset,
        y + inset
    );
}

/// 1 to 4, by the root of the share, so that a flood does not drown all other days.
fn level(records: u64, most: u64) -> usize {
    let share = (records as f64 / most.max(1) as f64).sqrt();
    let level = (share * LEVELS as f64).ceil().clamp(1.0, LEVELS as f64);
    level as usize
}

fn months(number: usize, name: &str, older: &BTreeMap<(i32, u32), (u64, u64)>) -> String {
    let most = older.values().map(|(records, _)| *records).max().unwrap_or(0);
    let years: Vec<i32> = older
        .keys()
        .map(|(year, _)| *year)
        .fold(Vec::new(), |mut years, year| {
            if years.last() != Some(&year) {
                years.push(year);
            }
            years
        });
    let (width, height) = (LEFT + 12 * PITCH, TOP + years.len() as u64 * PITCH);
    let total: u64 = older.values().map(|(records, _)| records).sum();
    let desc = format!(
        "{} in {}",
        count_grouped(total, "record"),
        count_grouped(older.len() as u64, "month")
    );
    let mut svg = opening(
        &format!("m{number}"),
        width,
        height,
        &format!("Older records of {name} by month"),
        &desc,
    );
    for (at, month) in MONTHS.iter().enumerate() {
        let x = LEFT + at as u64 * PITCH + SIDE / 2;
        let _ = write!(svg, "<text class=\"m\" x=\"{x}\" y=\"10\">{}</text>", &month[..1]);
    }
    for (row, year) in years.iter().enumerate() {
        let y = TOP + row as u64 * PITCH;
        let _ = write!(svg, "<text x=\"0\" y=\"{}\">{year}</text>", y + 10);
        for month in 1..=12u32 {
            let x = LEFT + u64::from(month - 1) * PITCH;
            match older.get(&(*year, month)) {
                Some((records, days)) => {
                    let what = format!(
                        "{year}-{month:02}: {} on {}",
                        count_grouped(*records, "record"),
                        count_grouped(*days, "day")
                    );
                    square(&mut svg, (x, y), level(*records, most), &what);
                }
                None => {
                    let (x, y) = (x + (SIDE - DOT) / 2, y + (SIDE - DOT) / 2);
                    let _ = write!(
                        svg,
                        "<rect class=\"l0\" x=\"{x}\" y=\"{y}\" width=\"{DOT}\" height=\"{DOT}\"/>"
                    );
                }
            }
        }
    }
    format!("<div class=\"months\">{svg}</svg></div>\n")
}

fn years(name: &str, older: &BTreeMap<(i32, u32), (u64, u64)>) -> String {
    let items: String = older
        .iter()
        .map(|((year, _), (records, _))| format!("<li>{year}: {}</li>", count_grouped(*records, "record")))
        .collect();
    format!("<ul class=\"years\" aria-label=\"Older records of {name} by year\">{items}</ul>\n")
}

fn legend() -> String {
    let mut svg = String::from(
        "<svg class=\"legend\" aria-hidden=\"true\" width=\"56\" height=\"12\" viewBox=\"0 0 56 12\">",
    );
    for (level, side) in SIDES.into_iter().enumerate().skip(1) {
        let (x, y) = ((level as u64 - 1) * PITCH + (SIDE - side) / 2, (SIDE - side) / 2);
        let _ = write!(
            svg,
            "<rect class=\"l{level}\" x=\"{x}\" y=\"{y}\" width=\"{side}\" height=\"{side}\" rx=\"2\"/>"
        );
    }
    format!("<span class=\"scale\">fewer {svg}</svg> more</span>")
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
        let page = Calendars::new(&status).section();
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
