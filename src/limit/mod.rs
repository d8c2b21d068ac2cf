//! How much a user may ask: GCRA, and the table that all workers share.

mod gcra;
mod rate_limits;
mod table;

pub(crate) use gcra::MAXIMUM_REQUESTS;
pub use gcra::{
    Burst, BurstError, Nanoseconds, Quota, Rate, RateError, TheoreticalArrivalTime, Verdict,
};
pub use rate_limits::{Allowance, Charge, Limit, McpLimit, RateLimits, ResponseHeaders};
pub use table::{Charged, ENTRIES, LimitKey, SLOTS, Slot, TableKey, charge};
