//! Who may do what: rules about users, groups, methods, paths and headers, of which the first that matches decides.

mod first_match;
mod group;
mod header_entries;
mod header_readings;
mod rule;

pub use first_match::{Authorization, RulesOfClient};
pub use group::{Groups, comparable_group};
pub use header_entries::MAXIMUM_ENTRIES;
pub use rule::{HeaderCondition, Question, Rule};
