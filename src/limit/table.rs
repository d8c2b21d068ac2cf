//! The shared store of limits: a fixed table of slots, each with a few entries.
//!
//! Shared data can be neither deleted nor created atomically, so there is no key per user: a user's state is
//! an entry in the one slot that the hash of user and quota names. What cannot be kept is the state that
//! matters least, so that nobody is refused who has used nothing: see [`charge`].

use crate::limit::gcra::{Nanoseconds, Quota, TheoreticalArrivalTime, Verdict};

/// How many slots the table has.
pub const SLOTS: u64 = 4096;

/// How many entries a slot has at most.
pub const ENTRIES: usize = 8;

/// The bytes of an entry: the hash of user and quota, and the theoretical arrival time.
const ENTRY: usize = 16;

/// Who is charged: the hash of a user and a quota, so that a budget outlives a change of the configuration
/// that leaves its limit as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitKey(u64);

impl LimitKey {
    /// The key with this hash.
    pub fn of(hash: u64) -> Self {
        Self(hash)
    }

    /// The slot this key lives in.
    pub fn slot(self) -> u64 {
        self.0 % SLOTS
    }
}

/// Somebody's state. One whose time has come is the same as none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    key: u64,
    state: TheoreticalArrivalTime,
}

/// A slot: its entries, each in the bytes that are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    entries: [[u8; ENTRY]; ENTRIES],
    used: usize,
}

/// What became of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charged {
    /// Whether the request may pass.
    pub verdict: Verdict,
    /// The state of the one who was charged, after it.
    pub state: TheoreticalArrivalTime,
    /// The slot to write in the place of the old one; none where nothing was spent.
    pub slot: Option<Slot>,
}

/// Charges one request to a key in its slot, and gives the slot to write.
///
/// Entries whose time has come are the same as none and make room first. When all of a slot's entries are in
/// use, the one with the least used gives way: its user starts with a full budget, and nobody else is
/// touched. A slot that is not one (of another length, say) counts as empty.
pub fn charge(slot: &[u8], key: LimitKey, quota: &Quota, now: Nanoseconds) -> Charged {
    let mut slot = Slot::read(slot);
    let known = slot.entries().find(|entry| entry.key == key.0);
    let state = known.map_or(0, |entry| entry.state);
    let verdict = quota.decide(state, now);
    match verdict {
        Verdict::Limited => Charged {
            verdict,
            state,
            slot: None,
        },
        Verdict::Allowed(next) => {
            slot.keep(key.0, next, now);
            Charged {
                verdict,
                state: next,
                slot: Some(slot),
            }
        }
    }
}

impl Slot {
    /// What to write.
    pub fn as_bytes(&self) -> &[u8] {
        self.stored().as_flattened()
    }

    fn stored(&self) -> &[[u8; ENTRY]] {
        self.entries.get(..self.used).unwrap_or_default()
    }

    fn entries(&self) -> impl Iterator<Item = Entry> {
        self.stored().iter().map(Entry::of)
    }

    fn read(bytes: &[u8]) -> Self {
        let mut slot = Self {
            entries: [[0; ENTRY]; ENTRIES],
            used: 0,
        };
        let (stored, rest) = bytes.as_chunks();
        if let (Some(entries), []) = (slot.entries.get_mut(..stored.len()), rest) {
            entries.copy_from_slice(stored);
            slot.used = stored.len();
        }
        slot
    }

    /// In its own place, else in that of one whose time has come, else in a new one, else in that of the one with the
    /// least used.
    fn keep(&mut self, key: u64, state: TheoreticalArrivalTime, now: Nanoseconds) {
        let precedence = |other: &Entry| match (other.key == key, other.state > now) {
            (true, _) => 0,
            (false, false) => 1,
            (false, true) => other.state,
        };
        let ranks = self.entries().map(|other| precedence(&other)).enumerate();
        let place = match ranks.min_by_key(|(_, rank)| *rank) {
            Some((place, rank)) if rank <= 1 || self.used == ENTRIES => place,
            Some(_) | None => self.used,
        };
        if let Some(entry) = self.entries.get_mut(place) {
            *entry = Entry { key, state }.to_bytes();
            self.used = self.used.max(place + 1);
        }
    }
}

impl Entry {
    fn of(bytes: &[u8; ENTRY]) -> Self {
        let halves = bytes.as_chunks().0;
        let mut numbers = halves.iter().map(|half| u64::from_le_bytes(*half));
        Self {
            key: numbers.next().unwrap_or_default(),
            state: numbers.next().unwrap_or_default(),
        }
    }

    fn to_bytes(self) -> [u8; ENTRY] {
        let mut bytes = [0; ENTRY];
        for (half, number) in bytes
            .as_chunks_mut()
            .0
            .iter_mut()
            .zip([self.key, self.state])
        {
            *half = number.to_le_bytes();
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limit::gcra::{Burst, Rate};

    const SECOND: Nanoseconds = 1_000_000_000;

    fn quota(rate: &str, burst: u32) -> Quota {
        let rate = Rate::try_from(rate.to_owned()).unwrap();
        Quota::new(rate, Burst::try_from(burst).unwrap())
    }

    fn allowed(slot: &mut Vec<u8>, key: u64, quota: &Quota, now: Nanoseconds) -> bool {
        let charged = charge(slot, LimitKey(key), quota, now);
        if let Some(next) = charged.slot {
            *slot = next.as_bytes().to_vec();
        }
        matches!(charged.verdict, Verdict::Allowed(_))
    }

    #[test]
    fn each_key_has_its_own_budget_in_one_slot() {
        let (quota, mut slot) = (quota("1/s", 1), Vec::new());
        for key in 0..ENTRIES as u64 {
            let found: Vec<bool> = (0..3)
                .map(|_| allowed(&mut slot, key, &quota, SECOND))
                .collect();
            assert_eq!(found, [true, true, false], "{key}");
        }
        for key in 0..ENTRIES as u64 {
            assert!(!allowed(&mut slot, key, &quota, SECOND));
            assert!(allowed(&mut slot, key, &quota, 2 * SECOND));
        }
    }

    #[test]
    fn a_full_slot_refuses_nobody_who_used_nothing_and_never_grows() {
        let (quota, mut slot) = (quota("1/h", 0), Vec::new());
        for key in 0..100_000 {
            assert!(allowed(&mut slot, key, &quota, SECOND + key));
            assert!(slot.len() <= ENTRY * ENTRIES);
        }
        // The last ones are still known, and only the first were forgotten.
        let mut known =
            (0..100_000).filter(|&key| !allowed(&mut slot.clone(), key, &quota, 2 * SECOND));
        assert_eq!(known.by_ref().count(), ENTRIES);
    }

    #[test]
    fn an_entry_whose_time_has_come_makes_room_first() {
        let (slow, fast, mut slot) = (quota("1/h", 0), quota("1000/s", 0), Vec::new());
        for key in 0..7 {
            assert!(allowed(&mut slot, key, &slow, SECOND));
        }
        for key in 100..10_000 {
            assert!(allowed(&mut slot, key, &fast, SECOND + key * 10_000_000));
        }
        for key in 0..7 {
            assert!(!allowed(&mut slot, key, &slow, 60 * SECOND), "{key}");
        }
    }

    #[test]
    fn a_slot_that_is_none_counts_as_empty() {
        let quota = quota("1/s", 0);
        for slot in [vec![1; 15], vec![1; 17], vec![0xff; ENTRY * (ENTRIES + 1)]] {
            assert!(allowed(&mut slot.clone(), 1, &quota, SECOND), "{slot:?}");
        }
    }
}
