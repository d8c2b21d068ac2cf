//! When a user asks, and what a limit must answer, whatever a busy machine does to the times in between.

use std::time::Duration;

/// Several requests at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Visit {
    /// Since the start; on a busy machine it is later.
    pub(crate) at: Duration,
    pub(crate) requests: usize,
}

/// A limit and the visits of a user.
#[derive(Clone, Debug)]
pub(crate) struct Course {
    /// As in the filter's configuration.
    pub(crate) rate: &'static str,
    pub(crate) burst: usize,
    pub(crate) visits: Vec<Visit>,
}

impl Course {
    /// More than the burst at once, then `length` of visits drawn with this seed: some closer together than the
    /// limit allows, some just so, some after a rest.
    pub(crate) fn drawn(rate: &'static str, burst: usize, length: Duration, seed: u64) -> Self {
        let mut visits = Vec::new();
        let mut random = Random(seed);
        let (mut at, mut requests) = (Duration::ZERO, burst + 4);
        while at < length {
            visits.push(Visit { at, requests });
            let pause = match random.below(8) {
                0..4 => 1 + random.below(10),
                4..7 => 10 + random.below(20),
                _ => 30 + random.below(60),
            };
            at += interval(rate) * u32::try_from(pause).unwrap() / 20;
            requests = 1 + random.below(4);
        }
        Self {
            rate,
            burst,
            visits,
        }
    }
}

/// One request of a course, as its client saw it. Times are microseconds of one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// It was decided between these two, both included.
    pub(crate) decided: (i64, i64),
    pub(crate) passed: bool,
}

/// What is known of the theoretical arrival time of the generic cell rate algorithm, when nobody says at which time a
/// request was decided, but between which two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    interval: i64,
    tolerance: i64,
    earliest: i64,
    latest: i64,
}

impl Estimate {
    /// Nobody has asked.
    pub(crate) fn new(course: &Course) -> Self {
        let interval = i64::try_from(interval(course.rate).as_micros()).unwrap();
        Self {
            interval,
            tolerance: interval * i64::try_from(course.burst).unwrap(),
            earliest: i64::MIN / 2,
            latest: i64::MIN / 2,
        }
    }

    /// Takes the next request; whether only this answer is right. An error says that it is wrong, whenever the request was
    /// decided within its time.
    pub(crate) fn take(&mut self, seen: Seen) -> Result<bool, String> {
        let (from, to) = seen.decided;
        let must_pass = self.latest - from <= self.tolerance;
        let may_pass = self.earliest - to <= self.tolerance;
        let is_right = if seen.passed { may_pass } else { !must_pass };
        if !is_right {
            return Err(format!("{seen:?} of {self:?}"));
        }
        if seen.passed {
            let latest = self.latest.min(to + self.tolerance);
            self.earliest = self.earliest.max(from) + self.interval;
            self.latest = latest.max(to) + self.interval;
        } else {
            self.earliest = self.earliest.max(from + self.tolerance);
        }
        Ok(must_pass == may_pass)
    }
}

fn interval(rate: &str) -> Duration {
    let (count, unit) = rate.split_once('/').unwrap();
    let unit = match unit {
        "s" => Duration::from_secs(1),
        "m" => Duration::from_mins(1),
        _ => panic!("{rate}"),
    };
    unit / count.parse::<u32>().unwrap()
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

/// A limit that decides each request of a course a while after it was sent, which takes `width` to be answered. Returns
/// how many answers had to be so, or what is wrong.
fn played(course: &Course, rate: &str, burst: usize, width: i64) -> Result<usize, String> {
    let interval = i64::try_from(interval(rate).as_micros()).unwrap();
    let tolerance = interval * i64::try_from(burst).unwrap();
    let (mut random, mut state, mut clock) = (Random(1), 0, 0);
    let mut estimate = Estimate::new(course);
    let mut certain = 0;
    for visit in &course.visits {
        clock = clock.max(i64::try_from(visit.at.as_micros()).unwrap());
        for _ in 0..visit.requests {
            let late = random.below(usize::try_from(width).unwrap() + 1);
            let decided = clock + i64::try_from(late).unwrap();
            let passed = state - decided <= tolerance;
            if passed {
                state = state.max(decided) + interval;
            }
            certain += usize::from(estimate.take(Seen {
                decided: (clock, clock + width),
                passed,
            })?);
            clock += width;
        }
    }
    Ok(certain)
}

#[test]
fn a_right_limit_is_never_called_wrong_and_a_wrong_one_is() {
    let length = Duration::from_secs(5);
    for seed in 1..100 {
        let course = Course::drawn("5/s", 2, length, seed);
        let requests: usize = course.visits.iter().map(|visit| visit.requests).sum();
        // The machine is free, busy, and too busy for anything.
        for width in [0, 1_000, 20_000, 200_000, 3_000_000] {
            let certain = played(&course, "5/s", 2, width).unwrap();
            assert!(width > 1_000 || certain * 10 > requests * 9, "{certain}");
        }
        for (rate, burst) in [("5/s", 1), ("5/s", 3), ("6/s", 2), ("4/s", 2)] {
            for width in [0, 1_000] {
                let wrong = played(&course, rate, burst, width);
                wrong.expect_err(&format!("{rate} {burst} {width} {seed}"));
            }
        }
    }
}
