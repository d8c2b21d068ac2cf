//! The filter: strip, decide, set.

mod client;
mod connections;
mod decision;
mod filter;
mod header_value;
mod headers;
mod policy;
mod step;

pub use client::{ClientChecks, ConnectionClient};
pub use connections::{Connection, RecentConnections};
pub use decision::{Decision, Denial, Evidence, Permit};
pub use filter::{Filter, Outcome};
pub use header_value::{HeaderEncoding, HeaderSource, HeaderText, HeaderValue};
pub use headers::{HeaderRules, HeaderRulesError, Headers, MAXIMUM_VALUE, PreparedHeaders};
pub use policy::{Check, MissingIdentity, Policy, Request, ValidationSource};
pub use step::{Arrival, Body, Step};
