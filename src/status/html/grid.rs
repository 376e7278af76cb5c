//! Sections, and tables that stay tables for screen readers and become cards on a phone.

use maud::{Markup, Render, html};

/// A cell, with the heading of its column; numbers are aligned to the right.
#[derive(Debug)]
pub(super) struct GridCell {
    head: &'static str,
    class: Option<&'static str>,
    content: Markup,
}

pub(super) fn text(head: &'static str, content: impl Render) -> GridCell {
    let class = None;
    let content = content.render();
    GridCell { head, class, content }
}

pub(super) fn number(head: &'static str, content: impl Render) -> GridCell {
    let class = Some("n");
    GridCell {
        class,
        ..text(head, content)
    }
}

pub(super) fn section(id: &str, title: &str, content: &Markup) -> Markup {
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            (content)
        }
    }
}

/// A section with one table; empty if it has no rows.
pub(super) fn table_section(id: &str, title: &str, caption: impl Render, rows: &[Vec<GridCell>]) -> Markup {
    html! {
        @if !rows.is_empty() { (section(id, title, &table(caption, rows))) }
    }
}

/// A table, in whose rows the first cell is the heading.
pub(super) fn table(caption: impl Render, rows: &[Vec<GridCell>]) -> Markup {
    html! {
        table role="table" {
            caption { (caption) }
            thead role="rowgroup" {
                tr role="row" {
                    @for cell in rows.iter().take(1).flatten() {
                        th role="columnheader" scope="col" class=[cell.class] { (cell.head) }
                    }
                }
            }
            tbody role="rowgroup" {
                @for row in rows {
                    tr role="row" {
                        @for (at, cell) in row.iter().enumerate() {
                            @if at == 0 {
                                th role="rowheader" scope="row" { (cell.content) }
                            } @else {
                                td role="cell" data-label=(cell.head) class=[cell.class] { div { (cell.content) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
