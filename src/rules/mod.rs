//! What may be asked of whom: authorization, pins, revocation.

mod authorization;
mod pattern;
mod pin;
mod revocation;

pub use authorization::{Action, Authorization, HeaderCondition, Question, Rule, comparable};
pub use pattern::{Pattern, PatternError, UserPattern};
pub use pin::{Pin, PinError, PinRules, sha256_of_hex};
pub use revocation::Revocations;
