//! The generic cell rate algorithm, as a function of (state, now).
//!
//! It decides as Nginx's `limit_req … burst=B nodelay` does: B + 1 requests at once, then one each interval.

use thiserror::Error;

/// Nanoseconds since the epoch.
pub type Nanoseconds = u64;

const SECOND: Nanoseconds = 1_000_000_000;

/// The most requests that a rate names in its unit of time, and the largest burst.
pub(crate) const MAXIMUM_REQUESTS: u32 = 1_000_000;

/// Why text is no rate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("found {0:?}, expected a rate such as \"10/s\", \"600/m\" or \"1/h\", at most 1000000")]
pub struct RateError(String);

/// Requests in a unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval: Nanoseconds,
}

impl TryFrom<String> for Rate {
    type Error = RateError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let parsed = text.split_once('/').and_then(|(count, unit)| {
            let unit = match unit {
                "s" => SECOND,
                "m" => 60 * SECOND,
                "h" => 3600 * SECOND,
                _ => return None,
            };
            let digits = count.bytes().all(|byte| byte.is_ascii_digit());
            let count: u32 = count.parse().ok().filter(|_| digits)?;
            (1..=MAXIMUM_REQUESTS)
                .contains(&count)
                .then(|| unit.div_ceil(u64::from(count)))
        });
        match parsed {
            Some(interval) => Ok(Self { interval }),
            None => Err(RateError(text)),
        }
    }
}

/// Why a number is no burst.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("found {0}, expected a whole number from 0 to 1000000")]
pub struct BurstError(u32);

/// Requests that may come early.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Burst(u32);

impl TryFrom<u32> for Burst {
    type Error = BurstError;

    fn try_from(count: u32) -> Result<Self, Self::Error> {
        match count {
            0..=MAXIMUM_REQUESTS => Ok(Self(count)),
            _ => Err(BurstError(count)),
        }
    }
}

/// A rate, and a burst on top of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    interval: Nanoseconds,
    burst: u32,
}

/// The state of a user: the theoretical arrival time of the next request, if all requests had come evenly. It is in the
/// past, or 0, for a user who has nothing to wait for.
pub type TheoreticalArrivalTime = Nanoseconds;

/// What is decided of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass; the state to keep.
    Allowed(TheoreticalArrivalTime),
    /// It may not, and nothing is spent.
    Limited,
}

impl Quota {
    /// The quota with this rate and this burst.
    pub fn new(rate: Rate, burst: Burst) -> Self {
        Self {
            interval: rate.interval,
            burst: burst.0,
        }
    }

    /// Decides on a request that comes now.
    pub fn decide(&self, state: TheoreticalArrivalTime, now: Nanoseconds) -> Verdict {
        let state = self.effective(state, now);
        match state - now <= self.tolerance() {
            true => Verdict::Allowed(state.saturating_add(self.interval)),
            false => Verdict::Limited,
        }
    }

    /// How many requests would be allowed now.
    pub fn remaining(&self, state: TheoreticalArrivalTime, now: Nanoseconds) -> u64 {
        let used = (self.effective(state, now) - now).div_ceil(self.interval);
        (u64::from(self.burst) + 1).saturating_sub(used)
    }

    /// How long it is until a request would be allowed; 0 if it would be now.
    pub fn retry_after(&self, state: TheoreticalArrivalTime, now: Nanoseconds) -> Nanoseconds {
        (self.effective(state, now) - now).saturating_sub(self.tolerance())
    }

    /// How long it is until one request more would be allowed than now; 0 if nothing is used.
    pub fn next_after(&self, state: TheoreticalArrivalTime, now: Nanoseconds) -> Nanoseconds {
        match self.reset_after(state, now) {
            0 => 0,
            used => (used - 1) % self.interval + 1,
        }
    }

    /// How long it is until all of the quota is there again.
    pub fn reset_after(&self, state: TheoreticalArrivalTime, now: Nanoseconds) -> Nanoseconds {
        self.effective(state, now) - now
    }

    /// The requests that are allowed at once when nothing was used.
    pub fn limit(&self) -> u64 {
        u64::from(self.burst) + 1
    }

    /// The time in which an unused quota comes back after it was used up.
    pub fn window(&self) -> Nanoseconds {
        self.interval.saturating_mul(self.limit())
    }

    /// The state, not in the past, and at most one window ahead. Only a clock that stepped back leaves a state further ahead,
    /// and the user must not be locked out until the clock is there again.
    fn effective(&self, state: TheoreticalArrivalTime, now: Nanoseconds) -> TheoreticalArrivalTime {
        state.clamp(now, now.saturating_add(self.window()))
    }

    fn tolerance(&self) -> Nanoseconds {
        self.interval.saturating_mul(u64::from(self.burst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(rate: &str, burst: u32) -> Quota {
        let rate = Rate::try_from(rate.to_owned()).unwrap();
        Quota::new(rate, Burst::try_from(burst).unwrap())
    }

    /// Nginx 1.22's arithmetic in thousandths of a request and milliseconds, for rates that divide evenly.
    fn nginx(rate: u64, burst: u64, arrivals: &[u64]) -> Vec<bool> {
        let (mut excess, mut last, mut first) = (0_u64, 0, true);
        let allow = |&now: &u64| {
            let gained = rate * (now - last);
            let next = match std::mem::take(&mut first) {
                true => 0,
                false => (excess + 1000).saturating_sub(gained),
            };
            let allowed = next <= burst * 1000;
            if allowed {
                (excess, last) = (next, now);
            }
            allowed
        };
        arrivals.iter().map(allow).collect()
    }

    #[test]
    fn every_decision_is_that_of_nginx() {
        let mut seed = 1_u64;
        let mut random = |bound: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % bound
        };
        for round in 0..200 {
            let (rate, burst) = ([1, 2, 10, 100, 1000][round % 5], random(30));
            let mut now = 1_000_000;
            let pause = 1 + random(4000 / rate);
            let arrivals: Vec<u64> = (0..200)
                .map(|_| {
                    now += random(pause);
                    now
                })
                .collect();
            let quota = quota(&format!("{rate}/s"), u32::try_from(burst).unwrap());
            let mut state = 0;
            let allow = |&now: &u64| match quota.decide(state, now * 1_000_000) {
                Verdict::Allowed(next) => {
                    state = next;
                    true
                }
                Verdict::Limited => false,
            };
            let found: Vec<bool> = arrivals.iter().map(allow).collect();
            assert_eq!(
                found,
                nginx(rate, burst, &arrivals),
                "{rate}/s burst {burst}"
            );
        }
    }

    #[test]
    fn what_remains_and_when_to_come_again_agree_with_the_decision() {
        let quota = quota("10/s", 2);
        let (mut state, now) = (0, 5 * SECOND);
        for (remaining, next_after, retry_after) in [
            (3, 0, 0),
            (2, SECOND / 10, 0),
            (1, SECOND / 10, 0),
            (0, SECOND / 10, SECOND / 10),
        ] {
            assert_eq!(quota.remaining(state, now), remaining);
            assert_eq!(quota.next_after(state, now), next_after);
            assert_eq!(quota.retry_after(state, now), retry_after);
            if let Verdict::Allowed(next) = quota.decide(state, now) {
                state = next;
            }
        }
        assert_eq!(quota.reset_after(state, now), 3 * SECOND / 10);
        for later in [1, SECOND / 20, SECOND / 10 - 1, SECOND / 10, SECOND / 4] {
            let next = now + later + quota.next_after(state, now + later);
            let more = quota.remaining(state, now + later) + 1;
            assert_eq!(quota.remaining(state, next - 1), more - 1, "{later}");
            assert_eq!(quota.remaining(state, next), more, "{later}");
        }
        assert_eq!(quota.decide(state, now + SECOND / 10 - 1), Verdict::Limited);
        assert!(matches!(
            quota.decide(state, now + SECOND / 10),
            Verdict::Allowed(_)
        ));
    }

    #[test]
    fn a_clock_that_steps_back_locks_nobody_out_for_longer_than_a_window() {
        let quota = quota("1/s", 4);
        let state = 1_000_000 * SECOND;
        let now = 10 * SECOND;
        assert_eq!(quota.decide(state, now), Verdict::Limited);
        assert_eq!(quota.retry_after(state, now), SECOND);
        assert_eq!(quota.reset_after(state, now), quota.window());
    }

    #[test]
    fn rates_are_counts_in_a_second_a_minute_or_an_hour() {
        for (text, expected) in [
            ("1/s", SECOND),
            ("10/s", SECOND / 10),
            ("3/s", 333_333_334),
            ("600/m", SECOND / 10),
            ("1/h", 3600 * SECOND),
            ("1000000/s", 1000),
        ] {
            assert_eq!(Rate::try_from(text.to_owned()).unwrap().interval, expected);
        }
        for text in [
            "",
            "10",
            "/s",
            "0/s",
            "-1/s",
            "+1/s",
            "1.5/s",
            "1/d",
            "1 /s",
            "1000001/s",
        ] {
            assert_eq!(
                Rate::try_from(text.to_owned()),
                Err(RateError(text.to_owned()))
            );
        }
    }
}
