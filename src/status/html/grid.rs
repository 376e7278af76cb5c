//! Tables that stay tables for screen readers and become cards on a phone.

/// A column's heading; numbers stand to the right.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head(pub(super) &'static str, pub(super) bool);

pub(super) const fn text(name: &'static str) -> Head {
    Head(name, false)
}

pub(super) const fn number(name: &'static str) -> Head {
    Head(name, true)
}

/// Cells are markup already. The first of a row names it.
pub(super) fn table(caption: &str, heads: &[Head], rows: &[Vec<String>]) -> String {
    let class = |head: &Head| if head.1 { " class=\"n\"" } else { "" };
    let names: String = heads
        .iter()
        .map(|head| {
            format!(
                "<th role=\"columnheader\" scope=\"col\"{}>{}</th>",
                class(head),
                head.0
            )
        })
        .collect();
    let mut body = String::new();
    for row in rows {
        body.push_str("<tr role=\"row\">");
        for (at, (cell, head)) in row.iter().zip(heads).enumerate() {
            match at {
                0 => body.push_str(&format!("<th role=\"rowheader\" scope=\"row\">{cell}</th>")),
                _ => body.push_str(&format!(
                    "<td role=\"cell\" data-label=\"{}\"{}><div>{cell}</div></td>",
                    head.0,
                    class(head)
                )),
            }
        }
        body.push_str("</tr>\n");
    }
    format!(
        "<table role=\"table\">\n<caption>{caption}</caption>\n<thead role=\"rowgroup\"><tr role=\"row\">{names}</tr></thead>\n\
         <tbody role=\"rowgroup\">\n{body}</tbody>\n</table>\n"
    )
}
