//! The shared store of limits: a table of fixed size. It has slots, and a slot has a few entries.
//!
//! Shared data cannot be deleted, so there is no key per user: a user's state is an entry of the slot that the hash of
//! user and quota names. The hash has a random key of the process, so nobody can choose names that share a slot. When a
//! slot is full, [`charge`] says who gives way.

use std::hash::Hash;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::identity::User;
use crate::limit::gcra::{Nanoseconds, Quota, TheoreticalArrivalTime, Verdict};
use crate::rules::McpCondition;

/// How many slots the table has for users.
const USER_SLOTS: u64 = 4096;

/// How many slots there are: the last one is for requests without identity.
pub const SLOTS: u64 = USER_SLOTS + 1;

/// How many entries a slot has at most.
pub const ENTRIES: usize = 8;

/// The bytes of an entry: the hash of user and quota, and the theoretical arrival time.
const ENTRY: usize = 16;

/// The random key of the table. All workers of the process have the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TableKey([u8; TableKey::BYTES]);

impl TableKey {
    /// The length of a key in bytes.
    pub const BYTES: usize = 16;

    /// The key with these bytes.
    pub fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }
}

/// The place of a user's state: the slot, and the hash that names the entry. A change of the configuration that leaves a
/// limit as it is leaves its budgets as they are, because only user and quota are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitKey {
    slot: u64,
    entry: u64,
}

impl LimitKey {
    /// The place of a user under a quota. Without a user it is the place of all requests without identity, in a slot that no
    /// user can fill.
    ///
    /// A budget for some messages of MCP is another one than the budget for all requests.
    pub fn new(
        key: &TableKey,
        user: Option<&User>,
        quota: &Quota,
        messages: Option<&McpCondition>,
    ) -> Self {
        let mut hasher = SipHasher13::new_with_key(&key.0);
        (user, quota, messages).hash(&mut hasher);
        let hash = hasher.finish128();
        Self {
            slot: user.map_or(USER_SLOTS, |_| hash.h1 % USER_SLOTS),
            entry: hash.h2,
        }
    }

    /// The number of the slot, below [`SLOTS`].
    pub fn slot(self) -> u64 {
        self.slot
    }
}

/// The state of one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    key: u64,
    state: TheoreticalArrivalTime,
}

impl Entry {
    /// Whether the user has used something that has not come back yet.
    fn is_in_debt(&self, now: Nanoseconds) -> bool {
        self.state > now
    }
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
/// An entry that is not in debt makes room first. If all entries of the slot are in debt, the one with the least debt gives
/// way, and the new user takes over that debt. So nobody gets a fresh budget by pushing others out: a user that gave way
/// comes back with at least the debt that it had. Bytes of another form count as an empty slot.
pub fn charge(slot: &[u8], key: LimitKey, quota: &Quota, now: Nanoseconds) -> Charged {
    let mut slot = Slot::read(slot);
    let known = slot.entries().find(|entry| entry.key == key.entry);
    let state = known.map_or_else(|| slot.debt_of_newcomers(now), |entry| entry.state);
    let verdict = quota.decide(state, now);
    match verdict {
        Verdict::Limited => Charged {
            verdict,
            state,
            slot: None,
        },
        Verdict::Allowed(next) => {
            slot.keep(key.entry, next, now);
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

    /// The state of a user who has no entry yet: the least debt of a slot whose entries are all in debt; else none.
    fn debt_of_newcomers(&self, now: Nanoseconds) -> TheoreticalArrivalTime {
        let is_full = self.used == ENTRIES && self.entries().all(|entry| entry.is_in_debt(now));
        let least = self.entries().map(|entry| entry.state).min();
        least.filter(|_| is_full).unwrap_or(0)
    }

    /// Keeps a state in the place of the user's own entry; else of an entry that is not in debt; else in a new place; else
    /// in the place of the entry with the least debt.
    fn keep(&mut self, key: u64, state: TheoreticalArrivalTime, now: Nanoseconds) {
        let own = self.entries().position(|entry| entry.key == key);
        let unused = || self.entries().position(|entry| !entry.is_in_debt(now));
        let new = || (self.used < ENTRIES).then_some(self.used);
        let least = || {
            let states = self.entries().map(|entry| entry.state).enumerate();
            states
                .min_by_key(|(_, state)| *state)
                .map(|(place, _)| place)
        };
        let place = own.or_else(unused).or_else(new).or_else(least);
        if let Some(place) = place
            && let Some(entry) = self.entries.get_mut(place)
        {
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
    use crate::identity::Charset;
    use crate::limit::gcra::{Burst, Rate};

    const SECOND: Nanoseconds = 1_000_000_000;

    fn quota(rate: &str, burst: u32) -> Quota {
        let rate = Rate::try_from(rate.to_owned()).unwrap();
        Quota::new(rate, Burst::try_from(burst).unwrap())
    }

    fn allowed(slot: &mut Vec<u8>, key: u64, quota: &Quota, now: Nanoseconds) -> bool {
        let charged = charge(
            slot,
            LimitKey {
                slot: 0,
                entry: key,
            },
            quota,
            now,
        );
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
    fn a_full_slot_never_grows_and_gives_no_fresh_budgets() {
        let (quota, mut slot) = (quota("1/h", 0), Vec::new());
        let passed = (0..100_000).filter(|key| {
            let passes = allowed(&mut slot, *key, &quota, SECOND + key);
            assert!(slot.len() <= ENTRY * ENTRIES);
            passes
        });
        assert_eq!(passed.count(), ENTRIES);
        // Somebody else's debt is over when its time has come, and not before.
        assert!(!allowed(&mut slot, 1 << 40, &quota, 3600 * SECOND));
        assert!(allowed(&mut slot, 1 << 40, &quota, 3601 * SECOND));
    }

    #[test]
    fn who_pushes_others_out_of_a_slot_gets_no_more_than_with_a_slot_for_each() {
        let mut seed = 7_u64;
        let mut random = |bound: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % bound
        };
        let quotas = [
            quota("1/h", 0),
            quota("10/s", 3),
            quota("1/s", 20),
            quota("100/m", 1),
        ];
        for users in [9, 12, 40] {
            let (mut slot, mut now) = (Vec::new(), SECOND);
            let mut alone: Vec<TheoreticalArrivalTime> = vec![0; usize::try_from(users).unwrap()];
            let (mut shared_passes, mut alone_passes) = (0, 0);
            for _ in 0..50_000 {
                now += random(SECOND / 20);
                let user = random(users);
                let quota = quotas[usize::try_from(user).unwrap() % quotas.len()];
                shared_passes += u64::from(allowed(&mut slot, user, &quota, now));
                let state = &mut alone[usize::try_from(user).unwrap()];
                if let Verdict::Allowed(next) = quota.decide(*state, now) {
                    *state = next;
                    alone_passes += 1;
                }
            }
            assert!(
                shared_passes <= alone_passes,
                "{shared_passes} {alone_passes}"
            );
            assert!(shared_passes > 0);
        }
    }

    #[test]
    fn requests_without_identity_have_a_slot_that_no_user_can_fill() {
        let (key, quota) = (TableKey::new([7; 16]), quota("1/s", 0));
        assert_eq!(LimitKey::new(&key, None, &quota, None).slot(), SLOTS - 1);
        for number in 0..100_000 {
            let user = User::parse(&format!("user-{number}"), Charset::Ascii).unwrap();
            assert!(LimitKey::new(&key, Some(&user), &quota, None).slot() < SLOTS - 1);
        }
    }

    #[test]
    fn the_key_of_the_process_decides_who_shares_a_slot() {
        let quota = quota("1/h", 0);
        let slots = |key: u8| -> Vec<u64> {
            let key = TableKey::new([key; 16]);
            let user = |number: u32| User::parse(&format!("u{number}"), Charset::Ascii).unwrap();
            let slot = |number| LimitKey::new(&key, Some(&user(number)), &quota, None).slot();
            (0..100).map(slot).collect()
        };
        assert_eq!(slots(1), slots(1));
        assert_ne!(slots(1), slots(2));
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
