//! The order in which tables are loaded: a row that a foreign key refers to must be there first.

use anyhow::{Context, Result};
use mysql::prelude::Queryable;

use crate::warehouse::connected::Warehouse;
use crate::warehouse::server::connect;
use crate::warehouse::server::table_name::folded;

/// Tables by their places in the list that was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct LoadOrder {
    pub places: Vec<usize>,
    /// Tables that refer to each other in a circle, in which none can be the first.
    pub circle: Vec<usize>,
}

impl Warehouse {
    /// Orders tables of the database so that those come first which others refer to. Otherwise their order stays.
    pub fn load_order(&self, tables: &[&str]) -> Result<LoadOrder> {
        let references: Vec<(String, String)> = self.look(connect::READ_TIMEOUT, |conn| {
            conn.query(
                "SELECT DISTINCT TABLE_NAME, REFERENCED_TABLE_NAME FROM information_schema.KEY_COLUMN_USAGE \
                 WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_SCHEMA = DATABASE()",
            )
            .context("reading the foreign keys")
        })?;
        let name = |table: &str| folded(&self.server, table);
        let tables: Vec<String> = tables.iter().map(|table| name(table)).collect();
        let references: Vec<_> = references
            .iter()
            .map(|(child, parent)| (name(child), name(parent)))
            .collect();
        let refers = |child: &String, parent: &String| {
            child != parent
                && references
                    .iter()
                    .any(|(one, other)| (one, other) == (child, parent))
        };
        let parents = |child: &String| {
            let places = 0..tables.len();
            places.filter(|&at| refers(child, &tables[at])).collect()
        };
        Ok(parents_first(&tables.iter().map(parents).collect::<Vec<_>>()))
    }
}

/// `parents`: for each place, those that must come before it.
fn parents_first(parents: &[Vec<usize>]) -> LoadOrder {
    let mut order = LoadOrder::default();
    let mut waiting: Vec<usize> = (0..parents.len()).collect();
    while !waiting.is_empty() {
        let waits = |at: usize| parents[at].iter().find(|parent| waiting.contains(parent));
        let ready = waiting.iter().position(|&at| waits(at).is_none());
        let next = ready.unwrap_or_else(|| {
            // From parent to parent it comes to one that it has been at: that one is in a circle.
            let mut way = vec![waiting[0]];
            while let Some(&parent) = way.last().and_then(|&at| waits(at)) {
                if let Some(start) = way.iter().position(|&at| at == parent) {
                    order.circle.extend(&way[start..]);
                    break;
                }
                way.push(parent);
            }
            let in_circle = |at: &usize| order.circle.contains(at);
            waiting.iter().position(in_circle).unwrap_or(0)
        });
        order.places.push(waiting.remove(next));
    }
    order.circle.sort_unstable();
    order.circle.dedup();
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(parents: &[&[usize]]) -> (Vec<usize>, Vec<usize>) {
        let parents: Vec<Vec<usize>> = parents.iter().map(|list| list.to_vec()).collect();
        let order = parents_first(&parents);
        (order.places, order.circle)
    }

    #[test]
    fn parents_come_first_and_all_else_stays() {
        assert_eq!(order(&[&[], &[], &[]]), (vec![0, 1, 2], vec![]));
        assert_eq!(order(&[&[2], &[], &[3], &[]]), (vec![1, 3, 2, 0], vec![]));
        assert_eq!(order(&[&[1, 2], &[2], &[]]), (vec![2, 1, 0], vec![]));
    }

    #[test]
    fn a_circle_is_named_and_keeps_its_order() {
        assert_eq!(order(&[&[1], &[0], &[]]), (vec![2, 0, 1], vec![0, 1]));
        // The first one only waits for the circle.
        assert_eq!(order(&[&[1], &[2], &[1]]), (vec![1, 0, 2], vec![1, 2]));
    }
}
