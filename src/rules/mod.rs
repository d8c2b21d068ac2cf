//! What may be asked of whom: authorization, pins, revocation, bound tokens.

mod action;
mod authorization;
mod forwarder;
mod mcp;
mod pattern;
mod pin;
mod revocation;
mod token;
mod user_pattern;

pub use action::Action;
pub use authorization::{Authorization, RulesOfClient};
pub use authorization::{Groups, comparable_group};
pub use authorization::{HeaderCondition, MAXIMUM_ENTRIES, Question, Rule};
pub use forwarder::{Forwarder, ForwarderError};
pub use mcp::{DEFAULT_MAX_BODY, MAXIMUM_MAX_BODY, McpCondition, McpRules, Message};
pub use pattern::{PathPattern, Pattern, PatternError};
pub use pin::{Pin, PinError, PinRules, sha256_of_hex};
pub use revocation::Revocations;
pub use token::{Confirmation, TokenBinding, TokenRules, has_one_reading};
pub use user_pattern::UserPattern;
