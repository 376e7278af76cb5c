//! Which topics of a run are open at the same time.

use std::collections::BTreeSet;

/// Groups topics, by their index, into waves that are open at the same time: at most `open_max` each. Topics that fill the
/// same MySQL table share its lock, and come in different waves.
pub(super) fn waves(places: impl Iterator<Item = String>, open_max: usize) -> Vec<Vec<usize>> {
    let mut waves: Vec<(BTreeSet<String>, Vec<usize>)> = Vec::new();
    for (at, place) in places.enumerate() {
        let place = place.to_lowercase();
        let has_room = |taken: &BTreeSet<String>| taken.len() < open_max && !taken.contains(&place);
        match waves.iter_mut().find(|(taken, _)| has_room(taken)) {
            Some((taken, wave)) => {
                taken.insert(place);
                wave.push(at);
            }
            None => waves.push((BTreeSet::from([place]), vec![at])),
        }
    }
    waves.into_iter().map(|(_, wave)| wave).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_are_bounded_and_hold_each_place_once() {
        let of = |places: &[&str], open_max| waves(places.iter().map(|&place| place.to_owned()), open_max);
        assert_eq!(
            of(&["a", "b", "c", "d", "e"], 2),
            [vec![0, 1], vec![2, 3], vec![4]]
        );
        assert_eq!(of(&["a", "A", "b", "a"], 3), [vec![0, 2], vec![1], vec![3]]);
        assert_eq!(
            of(&["a", "b", "b", "a", "c"], 2),
            [vec![0, 1], vec![2, 3], vec![4]]
        );
        assert!(of(&[], 2).is_empty());
    }
}
