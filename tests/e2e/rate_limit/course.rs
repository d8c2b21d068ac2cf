//! When a user asks, and what a limit must answer, whatever a busy machine does to the times in between.

use std::time::Duration;

/// What Nginx's milliseconds and its cached clock can make of a time.
const ROUNDING: i64 = 3_000;

/// Several requests at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    /// Microseconds since the start.
    at: i64,
    pub(crate) requests: usize,
}

impl Visit {
    pub(crate) fn at(&self) -> Duration {
        Duration::from_micros(self.at.try_into().unwrap())
    }
}

/// A limit and the visits of a user. Each visit is such that its answers do not depend on when within
/// [`Course::lateness`] a server decides.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    /// As in the filter's configuration.
    pub(crate) rate: &'static str,
    pub(crate) burst: usize,
    interval: i64,
    pub(crate) visits: Vec<Visit>,
    /// What is known before anybody was asked.
    pub(crate) expected: Vec<bool>,
}

/// What is known of the theoretical arrival time.
#[derive(Clone, Copy, Debug)]
struct Estimate {
    earliest: i64,
    latest: i64,
}

impl Course {
    /// More than the burst at once, then `length` of visits drawn with this seed: some closer together than the
    /// limit allows, some just so, some after a rest.
    pub(crate) fn drawn(rate: &'static str, burst: usize, length: Duration, seed: u64) -> Self {
        let mut course = Self {
            rate,
            burst,
            interval: interval(rate),
            visits: Vec::new(),
            expected: Vec::new(),
        };
        let mut estimate = Estimate {
            earliest: i64::MIN,
            latest: i64::MIN,
        };
        let mut random = Random(seed);
        let mut now = 0;
        let mut requests = burst + 4;
        while Duration::from_micros(now.try_into().unwrap()) < length {
            let visit = Visit { at: now, requests };
            if let Some((next, answers)) = course.answers(estimate, visit) {
                estimate = next;
                course.visits.push(visit);
                course.expected.extend(answers);
            }
            let last = course.visits.last().unwrap().at;
            let pause = match random.below(8) {
                0..4 => 1 + random.below(10),
                4..7 => 10 + random.below(20),
                _ => 30 + random.below(60),
            };
            now = last + course.interval * i64::try_from(pause).unwrap() / 20;
            requests = 1 + random.below(4);
        }
        course
    }

    /// How late an answer may be and still be certain.
    pub(crate) fn lateness(&self) -> Duration {
        Duration::from_micros(self.late().try_into().unwrap())
    }

    fn late(&self) -> i64 {
        self.interval / 5
    }

    /// Nothing if an answer depends on what cannot be known.
    fn answers(&self, before: Estimate, visit: Visit) -> Option<(Estimate, Vec<bool>)> {
        let (soonest, last) = (visit.at - ROUNDING, visit.at + self.late() + ROUNDING);
        // Who has rested owes nothing to the first request, and to the others what came since.
        let (state, least, most) = if before.latest <= soonest {
            let first = Estimate {
                earliest: soonest,
                latest: last,
            };
            (first, soonest - last, 0)
        } else if before.earliest >= last {
            (before, before.earliest - last, before.latest - soonest)
        } else {
            return None;
        };
        let tolerance = self.interval * i64::try_from(self.burst).unwrap();
        let mut spent = 0;
        let mut answers = Vec::new();
        for _ in 0..visit.requests {
            let is_allowed = most + spent <= tolerance;
            if !is_allowed && least + spent <= tolerance {
                return None;
            }
            spent += if is_allowed { self.interval } else { 0 };
            answers.push(is_allowed);
        }
        Some((state.later_by(spent), answers))
    }
}

impl Estimate {
    fn later_by(self, time: i64) -> Self {
        Self {
            earliest: self.earliest + time,
            latest: self.latest + time,
        }
    }
}

/// Microseconds.
fn interval(rate: &str) -> i64 {
    let (count, unit) = rate.split_once('/').unwrap();
    let unit = match unit {
        "s" => 1_000_000,
        "m" => 60_000_000,
        _ => panic!("{rate}"),
    };
    unit / count.parse::<i64>().unwrap()
}

/// The same numbers every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}
