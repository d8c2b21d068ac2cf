//! What keeps a flood of denials from becoming a flood of log lines.

use std::hash::{BuildHasher, RandomState};

use crate::certificate::Timestamp;
use crate::reason::Reason;

/// How many lines one worker writes in a second for one reason and one client.
pub const LINES_OF_ONE_KIND: u8 = 5;

/// How many lines one worker writes in a second in all, but for the first line of each kind.
pub const LINES_A_SECOND: u32 = 50;

/// How many kinds of lines are told apart. Two kinds that share a place share their lines.
const PLACES: usize = 256;

/// The lines of one worker in the current second, and what was not written.
///
/// A client that floods the log with one reason silences neither other reasons nor other clients.
#[derive(Clone, Debug)]
pub struct LogLimit {
    second: Timestamp,
    lines: u32,
    of_kind: [u8; PLACES],
    /// Random, so that nobody can choose whose lines share a place.
    hasher: RandomState,
    suppressed: u64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self {
            second: Timestamp::from_unix(0),
            lines: 0,
            of_kind: [0; PLACES],
            hasher: RandomState::new(),
            suppressed: 0,
        }
    }
}

impl LogLimit {
    /// Whether one more line may be written now; if not, it is counted. `reason` is none for a request that passes, and
    /// `client` is whatever tells one client from another.
    pub fn admits(&mut self, now: Timestamp, reason: Option<Reason>, client: &[u8]) -> bool {
        if self.second != now {
            self.second = now;
            self.lines = 0;
            self.of_kind = [0; PLACES];
        }
        let place = place(&self.hasher, reason, client);
        let Some(of_kind) = self.of_kind.get_mut(place) else {
            return false;
        };
        let is_first = *of_kind == 0;
        if is_first || (*of_kind < LINES_OF_ONE_KIND && self.lines < LINES_A_SECOND) {
            *of_kind = of_kind.saturating_add(1);
            self.lines += u32::from(!is_first);
            return true;
        }
        self.suppressed += 1;
        false
    }

    /// How many lines were not written since the last time this was asked.
    pub fn take_suppressed(&mut self) -> u64 {
        std::mem::take(&mut self.suppressed)
    }
}

fn place(hasher: &RandomState, reason: Option<Reason>, client: &[u8]) -> usize {
    let places = u64::try_from(PLACES).unwrap_or(1);
    let place = hasher.hash_one((reason, client)) % places;
    usize::try_from(place).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REASON: Option<Reason> = Some(Reason::NotAuthorized);

    #[test]
    fn a_flood_is_cut_to_a_few_lines_a_second_and_counted() {
        let mut limit = LogLimit::default();
        let mut written = 0;
        for second in [100, 101, 101, 103] {
            let now = Timestamp::from_unix(second);
            written += (0..1000)
                .filter(|_| limit.admits(now, REASON, b"192.0.2.1"))
                .count();
        }
        assert_eq!(written, 3 * usize::from(LINES_OF_ONE_KIND));
        assert_eq!(limit.take_suppressed(), 4000 - 15);
        assert_eq!(limit.take_suppressed(), 0);
    }

    #[test]
    fn one_client_silences_neither_other_clients_nor_other_reasons() {
        // Two kinds share one of 256 places now and then, but not in most of the runs of a test.
        let mut silenced = 0;
        for round in 0..20_u8 {
            let mut limit = LogLimit::default();
            let now = Timestamp::from_unix(100);
            for _ in 0..1000 {
                limit.admits(now, REASON, b"192.0.2.1");
            }
            let others = [
                (REASON, [round, 2]),
                (Some(Reason::NoIdentity), [round, 1]),
                (None, [round, 1]),
            ];
            for (reason, client) in others {
                silenced += u32::from(!limit.admits(now, reason, &client));
            }
        }
        assert!(silenced < 5, "{silenced}");
    }

    #[test]
    fn many_clients_are_bounded_together() {
        let mut limit = LogLimit::default();
        let now = Timestamp::from_unix(100);
        let clients = (0..100_000_u32).map(u32::to_be_bytes);
        let written = clients.filter(|client| limit.admits(now, REASON, client));
        assert!(written.count() <= PLACES + LINES_A_SECOND as usize);
    }
}
