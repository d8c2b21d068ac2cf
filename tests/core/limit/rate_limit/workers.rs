//! The shared table under every interleaving of workers, beside one exact limiter for each user.

use std::collections::HashMap;

use mtls_identity::identity::{Charset, User};
use mtls_identity::limit::{self, LimitKey, TableKey};
use mtls_identity::limit::{Burst, Nanoseconds, Quota, Rate, Verdict};
use proptest::prelude::*;

const SECOND: Nanoseconds = 1_000_000_000;
const WORKERS: usize = 4;

/// One slot in Envoy's shared data. It is there before any worker is: Envoy guards no write of a key that is not.
#[derive(Default)]
struct Slot {
    bytes: Vec<u8>,
    cas: u32,
}

impl Slot {
    fn swap(&mut self, bytes: Vec<u8>, cas: u32) -> bool {
        let is_current = self.cas == cas;
        if is_current {
            *self = Self {
                bytes,
                cas: cas + 1,
            };
        }
        is_current
    }
}

/// A worker with a request, as the host adapter serves it: it looks at the clock, reads the slot, and writes it or reads
/// it again. Anything may happen to the others in between.
#[derive(Clone)]
enum Worker {
    Idle,
    Asked {
        user: u64,
        at: Nanoseconds,
    },
    Read {
        user: u64,
        at: Nanoseconds,
        bytes: Vec<u8>,
        cas: u32,
    },
}

/// What a worker does next, this many times, while all others stand still.
#[derive(Clone, Debug)]
struct Turn {
    worker: usize,
    times: usize,
    user: u64,
    pause: Nanoseconds,
}

/// Turns of workers, many of them long, with pauses of up to this.
fn turns(users: u64, pause: Nanoseconds) -> impl Strategy<Value = Vec<Turn>> {
    let times = prop_oneof![3 => 1..3_usize, 1 => 3..60_usize];
    let turn = (0..WORKERS, times, 0..users, 0..pause);
    let turn = turn.prop_map(|(worker, times, user, pause)| Turn {
        worker,
        times,
        user,
        pause,
    });
    proptest::collection::vec(turn, 1..60)
}

/// When a worker looks at the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// At the moment it reads the slot.
    Fresh,
    /// When the request came, which may be long ago.
    Stale,
}

/// What the table decided, and what an exact limiter of each user alone would have.
struct Decision {
    user: u64,
    allowed: bool,
    exact: bool,
    /// How long after it looked at the clock.
    late: Nanoseconds,
}

/// All workers in front of one slot: the worst case.
struct Model {
    quota: Quota,
    clock: Clock,
    now: Nanoseconds,
    slot: Slot,
    workers: Vec<Worker>,
    exact: HashMap<u64, Nanoseconds>,
    decisions: Vec<Decision>,
}

impl Model {
    fn run(turns: &[Turn], quota: Quota, clock: Clock) -> Self {
        let mut model = Self {
            quota,
            clock,
            now: SECOND,
            slot: Slot {
                bytes: Vec::new(),
                cas: 1,
            },
            workers: vec![Worker::Idle; WORKERS],
            exact: HashMap::new(),
            decisions: Vec::new(),
        };
        for turn in turns {
            for _ in 0..turn.times {
                model.now += turn.pause;
                model.step(turn);
            }
        }
        model
    }

    fn step(&mut self, turn: &Turn) {
        let worker = std::mem::replace(&mut self.workers[turn.worker], Worker::Idle);
        self.workers[turn.worker] = match worker {
            Worker::Idle => Worker::Asked {
                user: turn.user,
                at: self.now,
            },
            Worker::Asked { user, at } => self.read(user, at),
            Worker::Read {
                user,
                at,
                bytes,
                cas,
            } => self.charge(user, at, &bytes, cas),
        };
    }

    fn read(&self, user: u64, asked: Nanoseconds) -> Worker {
        let at = match self.clock {
            Clock::Fresh => self.now,
            Clock::Stale => asked,
        };
        Worker::Read {
            user,
            at,
            bytes: self.slot.bytes.clone(),
            cas: self.slot.cas,
        }
    }

    fn charge(&mut self, user: u64, at: Nanoseconds, bytes: &[u8], cas: u32) -> Worker {
        let charged = limit::charge(bytes, key(user, &self.quota), &self.quota, at);
        if let Some(next) = charged.slot
            && !self.slot.swap(next.as_bytes().to_vec(), cas)
        {
            return Worker::Asked { user, at };
        }
        let state = self.exact.entry(user).or_default();
        let exact = self.quota.decide(*state, at);
        if let Verdict::Allowed(next) = exact {
            *state = next;
        }
        self.decisions.push(Decision {
            user,
            allowed: is_allowed(charged.verdict),
            exact: is_allowed(exact),
            late: self.now - at,
        });
        Worker::Idle
    }
}

/// The place of a user. All users of the model share one slot.
fn key(user: u64, quota: &Quota) -> LimitKey {
    let user = User::parse(&format!("user-{user}"), Charset::Ascii).unwrap();
    LimitKey::new(&TableKey::new([0; 16]), Some(&user), quota, None)
}

fn is_allowed(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Allowed(_))
}

fn quota(burst: u32) -> Quota {
    let rate = Rate::try_from("1/s".to_owned()).unwrap();
    Quota::new(rate, Burst::try_from(burst).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_workers_do_at_once_every_decision_is_that_of_one_exact_limiter(
        turns in turns(5, SECOND / 20),
        burst in 0..12_u32,
    ) {
        for decision in Model::run(&turns, quota(burst), Clock::Fresh).decisions {
            prop_assert_eq!(decision.allowed, decision.exact, "user {}", decision.user);
        }
    }

    /// The slack that the README states: the rate, for as long as workers stand still between the clock and the table.
    #[test]
    fn no_interleaving_of_workers_allows_more_than_the_limit_and_its_slack(
        turns in turns(5, SECOND / 200),
        burst in 0..12_u32,
    ) {
        let model = Model::run(&turns, quota(burst), Clock::Stale);
        for user in 0..5 {
            let decisions = model.decisions.iter();
            let allowed = decisions.filter(|decision| decision.user == user && decision.allowed);
            let late: Nanoseconds = allowed.clone().map(|decision| decision.late).sum();
            let most = u64::from(burst) + 1 + (model.now - SECOND + late) / SECOND;
            let allowed = allowed.count() as u64;
            prop_assert!(allowed <= most, "user {user}: {allowed} of {most}");
        }
    }

    /// More users than a slot has entries: all of them together get no more than with a slot for each.
    #[test]
    fn a_slot_that_is_too_small_gives_nobody_a_fresh_budget(
        turns in turns(4 * limit::ENTRIES as u64, SECOND / 20),
        burst in 0..4_u32,
    ) {
        let mut lead = 0;
        for decision in Model::run(&turns, quota(burst), Clock::Fresh).decisions {
            lead += i32::from(decision.allowed) - i32::from(decision.exact);
            prop_assert!(lead <= 0, "{lead} more than with a slot for each");
        }
    }
}
