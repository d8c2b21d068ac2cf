//! What may be asked of whom: authorization, pins, revocation, bound tokens.

mod action;
mod authorization;
mod forwarder;
mod group;
mod header_entries;
mod mcp;
mod pattern;
mod pin;
mod readings;
mod revocation;
mod rule;
mod token;
mod user_pattern;

pub use action::Action;
pub use authorization::{Authorization, RulesOfClient};
pub use forwarder::{Forwarder, ForwarderError};
pub use group::{Groups, comparable_group};
pub use header_entries::MAXIMUM_ENTRIES;
pub use mcp::{DEFAULT_MAX_BODY, MAXIMUM_MAX_BODY, McpCondition, McpRules, Message};
pub use pattern::{PathPattern, Pattern, PatternError};
pub use pin::{Pin, PinError, PinRules, sha256_of_hex};
pub use revocation::Revocations;
pub use rule::{HeaderCondition, Question, Rule};
pub use token::{Confirmation, TokenBinding, TokenRules, has_one_reading};
pub use user_pattern::UserPattern;
