//! The commands, and what several of them need.

mod certificates;
mod configurations;
mod decision;
mod doctor;
mod files;
mod finished;
mod pages;
mod release;
mod schema;
mod text;
mod time;

pub(crate) use certificates::{Inspect, Pin, Revoke};
pub(crate) use configurations::Check;
pub(crate) use decision::Explain;
pub(crate) use doctor::Doctor;
pub(crate) use finished::Finished;
pub(crate) use pages::{Completions, Man};
pub(crate) use release::Verify;
pub(crate) use schema::Schema;
