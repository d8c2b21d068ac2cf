//! What may be asked of whom.

mod authorization;
mod policy;
mod token;
