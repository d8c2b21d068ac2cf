//! What is counted, and what must be 0.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counts of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: Mutex<BTreeMap<&'static str, u64>>,
    /// The first of what must not be, in words.
    wrong: Mutex<Vec<String>>,
    answered: AtomicU64,
    /// Resident memory of Envoy, with how many requests were answered by then.
    memory: Mutex<Vec<(u64, u64)>>,
}

/// How many of the wrong are kept in words.
const KEPT: usize = 20;

impl Tally {
    pub(crate) fn count(&self, name: &'static str) {
        *self.counts.lock().unwrap().entry(name).or_default() += 1;
    }

    pub(crate) fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn answer(&self, name: &'static str) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.count(name);
    }

    pub(crate) fn is_wrong(&self, name: &'static str, what: String) {
        self.count(name);
        let mut wrong = self.wrong.lock().unwrap();
        if wrong.len() < KEPT {
            wrong.push(format!("{name}: {what}"));
        }
    }

    pub(crate) fn memory(&self, bytes: u64) {
        self.memory.lock().unwrap().push((self.answered(), bytes));
    }

    pub(crate) fn report(&self, took: Duration, counters: &str) {
        println!("{} requests answered in {took:.0?}", self.answered());
        for (name, count) in &*self.counts.lock().unwrap() {
            println!("  {count:>9} {name}");
        }
        let used = counters.lines().filter(|line| !line.ends_with(": 0"));
        used.for_each(|line| println!("  {line}"));
        let memory = self.memory.lock().unwrap();
        for (answered, bytes) in memory.iter().step_by((memory.len() / 12).max(1)) {
            println!(
                "  {:>6} MB of memory at {answered} requests",
                bytes / 1_000_000
            );
        }
    }

    /// No wrong user, nothing let through, memory flat, and everything that was to be tried was.
    pub(crate) fn assert_right(&self) {
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        let counts = self.counts.lock().unwrap();
        for name in [
            "passed",
            "denied by a rule",
            "held messages",
            "events",
            "WebSockets",
            "configurations",
            "VMs replaced",
            "rotations",
            "revoked refused",
            "listed refused",
            "strangers refused",
            "limit service stopped",
        ] {
            assert!(counts.contains_key(name), "{name}: {counts:?}");
        }
        let memory = self.memory.lock().unwrap();
        let most = |part: &[(u64, u64)]| part.iter().map(|(_, bytes)| *bytes).max().unwrap();
        let quarter = memory.len() / 4;
        assert!(quarter > 0, "too short to judge the memory");
        let (second, last) = (
            most(&memory[quarter..2 * quarter]),
            most(&memory[3 * quarter..]),
        );
        assert!(
            last < second + second / 4,
            "memory grew from {second} to {last} bytes"
        );
    }
}
