//! What was tried against the filter by somebody who wanted in, each as it was seen to work or nearly so.
//! `tests/ATTACKS.md` lists all of it.

mod bounds;
mod chain;
mod keys;
mod page;
mod rules;
mod slots;
mod spellings;
mod streams;
mod tunnels;
mod twins;
