//! Lists in order, in which something is found without a look at every entry.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// A list in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sorted<T>(Vec<T>);

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Sorted<T> {
    /// The entries from the least to the greatest, each once.
    pub fn of(entries: Vec<T>) -> Self {
        let mut entries = sorted(entries);
        entries.dedup();
        Self(entries)
    }

    /// Whether this is one of the entries.
    pub fn contains(&self, entry: &T) -> bool {
        self.0.binary_search(entry).is_ok()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<K: Ord, V> Sorted<(K, V)> {
    /// The entries from the least key to the greatest. No key may be there twice.
    pub fn by_key(entries: Vec<(K, V)>) -> Self {
        Self(sorted_by_key(entries))
    }

    /// The value of a key.
    pub fn value_of(&self, key: &K) -> Option<&V> {
        let place = self.0.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }
}

/// The entries from the least to the greatest. By a heap: the standard library's sorts, which are quicker, put
/// 4 KiB into the module for each type.
pub(crate) fn sorted<T: Ord>(entries: Vec<T>) -> Vec<T> {
    BinaryHeap::from(entries).into_sorted_vec()
}

/// The entries from the least key to the greatest.
pub(crate) fn sorted_by_key<K: Ord, V>(entries: Vec<(K, V)>) -> Vec<(K, V)> {
    let entries = entries.into_iter().map(|(key, value)| Entry { key, value });
    let entries = sorted(entries.collect());
    entries.into_iter().map(|it| (it.key, it.value)).collect()
}

/// Known by its key.
struct Entry<K, V> {
    key: K,
    value: V,
}

impl<K: Ord, V> Ord for Entry<K, V> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl<K: Ord, V> PartialOrd for Entry<K, V> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Ord, V> Eq for Entry<K, V> {}

impl<K: Ord, V> PartialEq for Entry<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_whatever_order_they_came_in() {
        let numbers = Sorted::of((0..1000).map(|number| number * 7919 % 1000).collect());
        assert_eq!(numbers.0, (0..1000).collect::<Vec<_>>());
        assert!((0..1000).all(|number| numbers.contains(&number)));
        assert!(!numbers.contains(&1000));
        assert!(!Sorted::default().contains(&0));
        let names = Sorted::by_key(vec![("b", 1), ("c", 2), ("a", 3)]);
        assert_eq!(names.value_of(&"a"), Some(&3));
        assert_eq!(names.value_of(&"d"), None);
    }

    #[test]
    fn what_is_given_twice_is_there_once() {
        assert_eq!(Sorted::of(vec![2, 1, 2]), Sorted::of(vec![1, 2]));
    }
}
