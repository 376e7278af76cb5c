//! The page, in a real browser.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use crate::browser::{self, between, text};
use crate::common::kafka::{DAY_MS, record};
use crate::common::lake::number;
use crate::scene::{Scene, days};

/// The scene's page in the browser, as it was written last: no complaint and no request, whatever it shows.
pub fn opened(scene: &Scene) -> String {
    let seen = browser::open(&scene.world.folder().join("page.html"));
    assert_eq!((&seen.console, &seen.requests), (&Vec::new(), &Vec::new()));
    seen.dom
}

/// The same, written anew.
pub fn seen(scene: &Scene, code: i32) -> String {
    scene.run(&["-q", "--html", "page.html"]).expect(code);
    opened(scene)
}

/// Topic -> what its squares say: `2025-10-30: 4 records in 2 files`, `2025-10: 10 records on 2 days`.
fn squares(dom: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for figure in between(dom, "<figure>", "</figure>") {
        let name = text(between(figure, "<h3>", "</h3>")[0]);
        let titles = between(figure, "<rect class=\"l", "</rect>");
        let told = titles.iter().filter(|rect| rect.contains("<title>"));
        let pairs = told.map(|rect| {
            let title = text(between(rect, "<title>", "</title>")[0]);
            let (day, what) = title.split_once(": ").unwrap();
            (day.to_owned(), what.to_owned())
        });
        found.insert(name, pairs.collect());
    }
    found
}

/// The cells of a table's rows, by its section's heading.
fn rows(dom: &str, id: &str) -> Vec<Vec<String>> {
    let section = between(dom, &format!("<h2 id=\"{id}\">"), "</section>");
    let body = between(section[0], "<tbody", "</tbody>")[0];
    let cells = |row: &&str| {
        let cells = row
            .split("<t")
            .skip(1)
            .filter(|cell| cell.starts_with("h ") || cell.starts_with("d "));
        cells.map(|cell| text(&format!("<{cell}"))).collect()
    };
    between(body, "<tr", "</tr>").iter().map(cells).collect()
}

#[test]
fn the_browser_tells_what_a_page_complains_of_and_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("bad.html");
    let bad =
        "<title>x</title><img src=\"http://elsewhere.test/x.png\"><script>console.error('boo')</script>";
    std::fs::write(&page, bad).unwrap();
    let seen = browser::open(&page);
    assert!(seen.console.iter().any(|line| line.contains("boo")), "{seen:?}");
    assert!(
        seen.requests.iter().any(|line| line.contains("elsewhere.test")),
        "{seen:?}"
    );
}

#[test]
fn every_day_has_its_square_and_every_topic_its_figures() {
    let (scene, ..) = Scene::drained();
    // Yesterday, a year and a half ago, tomorrow, and never.
    let now = chrono::Utc::now().timestamp_millis();
    let at = |ms: i64| record("k", "{\"n\":1}").at(ms);
    let (yesterday, long_ago) = (now - DAY_MS, now - 550 * DAY_MS);
    scene.stream.send(&[
        at(yesterday),
        at(yesterday),
        at(long_ago),
        at(now + 3 * DAY_MS),
        at(-1),
    ]);
    scene.world.lakectl(&["lake"]).expect(0);
    scene.stream.send(&[at(now)]);
    let status = scene.status(0);
    let lake = &scene.stream_of(&status)["lake"];
    let dom = seen(&scene, 0);
    let found = squares(&dom);
    assert_eq!(found.keys().collect::<Vec<_>>(), [&scene.stream.name]);
    let found = &found[&scene.stream.name];
    let today = chrono::Utc::now().date_naive();
    let first = today - chrono::Duration::days(53 * 7);
    let mut by_month: BTreeMap<String, i64> = BTreeMap::new();
    for (day, records) in days(lake) {
        let date: chrono::NaiveDate = day.parse().unwrap();
        if date > today {
            assert!(!found.contains_key(&day), "{day}");
        } else if let Some(what) = found.get(&day) {
            let noun = if records == 1 { "record" } else { "records" };
            assert!(
                what.starts_with(&format!("{records} {noun} in ")),
                "{day}: {what}"
            );
        } else {
            assert!(date < first + chrono::Duration::days(7), "{day} has no square");
            *by_month.entry(day[..7].to_owned()).or_default() += records;
        }
    }
    for (month, records) in by_month {
        assert!(
            found[&month].starts_with(&format!("{records} record")),
            "{month}: {}",
            found[&month]
        );
    }
    assert!(dom.contains("1 record dated after today") && dom.contains("1 record without a usable date"));

    let lake_rows = rows(&dom, "lake");
    let row = lake_rows.iter().find(|row| row[0] == scene.stream.name).unwrap();
    assert_eq!(
        (row[1].as_str(), row[2].trim(), row[4].as_str()),
        ("stream", "1", "18"),
        "{row:?}"
    );
    assert_eq!(number(lake, "records"), 18);
    let in_warehouse = rows(&dom, "warehouse");
    assert_eq!(in_warehouse.len(), 1);
    assert_eq!(
        in_warehouse[0][..2],
        ["product_purchase_counts", &scene.table.name]
    );
    assert_eq!(
        (in_warehouse[0][2].trim(), in_warehouse[0][4].as_str()),
        ("0", "2")
    );
    assert_eq!(rows(&dom, "partitions").len(), 4);
    assert!(dom.contains("no warnings"));
}

#[test]
fn warnings_rejects_and_cutoffs_are_on_it() {
    let (scene, ..) = Scene::drained();
    scene
        .table
        .send(&[record("d", "no json"), record("e", "no json either")]);
    scene.world.lakectl(&["warehouse"]).expect(3);
    scene.world.execute(
        "INSERT INTO lakectl_cutoffs (table_name, column_name, cutoff) VALUES ('product_purchase_counts', 'last_updated_at', '2025-01-02')",
    );
    scene.stream.delete_below(0, 10);
    scene.stream.send(&crate::scene::on_day(1, 0, 2));
    scene.stream.delete_below(0, 11);
    let dom = seen(&scene, 3);
    let rejects = rows(&dom, "rejects");
    let number: i64 = rejects.iter().map(|row| row[4].parse::<i64>().unwrap()).sum();
    assert_eq!(
        (number, rejects[0][0].as_str()),
        (2, "product_purchase_counts"),
        "{rejects:?}"
    );
    let kept = rows(&dom, "retention");
    assert!(
        kept.iter().any(|row| row[3] == "2025-01-02 00:00:00 UTC"),
        "{kept:?}"
    );
    let warnings = text(between(&dom, "<h2 id=\"warnings\">", "</section>")[0]);
    assert!(warnings.contains("--accept-gap"), "{warnings}");
    assert!(dom.contains("1 thing needs a look"));
}

#[test]
fn the_page_is_replaced_as_a_whole_and_stands_alone() {
    let (scene, ..) = Scene::drained();
    let path = scene.world.folder().join("page.html");
    scene.run(&["-q", "--html", "page.html"]).expect(0);
    let before = std::fs::metadata(&path).unwrap().ino();
    let reader = std::fs::File::open(&path).unwrap();
    scene.run(&["-q", "--html", "page.html"]).expect(0);
    assert_ne!(std::fs::metadata(&path).unwrap().ino(), before);
    let old = std::io::read_to_string(reader).unwrap();
    assert!(old.ends_with("</html>\n"));
    let page = std::fs::read_to_string(&path).unwrap();
    for outside in [
        "http:",
        "https:",
        "<script",
        "<iframe",
        "<link rel=\"stylesheet",
        "url(h",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'; img-src data:"));
    let printed = scene.run(&["--html", "-"]).expect(0).stdout;
    assert!(printed.starts_with("<!DOCTYPE html>") && printed.ends_with("</html>\n"));
    // Where it can't be written, that is said, and the status all the same.
    let run = scene.run(&["--html", "missing/page.html"]).fails(
        1,
        &["missing/page.html", "there is no folder missing", "mkdir -p"],
    );
    assert!(run.stdout.contains(&scene.stream.name));
    scene.run(&["--html", "-", "--json"]).fails(2, &["--html"]);
    assert!(!scene.world.password.is_empty() && !page.contains(&scene.world.password));
}
