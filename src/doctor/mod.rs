//! Looks at what Envoy and Kubernetes are told, and names each hole around the filter: where it is, what an attacker gets,
//! the cure.

mod envoy;
mod examine;
mod finding;
mod kubernetes;
mod node;
mod owned;
mod rule;
mod users;

pub use examine::{examine, examine_objects};
pub use finding::{Finding, Report, Severity};
pub use node::Document;
pub use rule::Rule;
