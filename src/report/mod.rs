//! What became of a request: the record, the counters, the limit of log lines.

mod counters;
mod early_removal;
mod log_limit;
mod record;

pub use counters::Counter;
pub use early_removal::EarlyRemoval;
pub use log_limit::{LINES_A_SECOND, LINES_OF_ONE_KIND, LogLimit};
pub use record::{AuditLog, AuditRules, ended, record, suppressed};
