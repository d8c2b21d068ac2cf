//! What may be asked of whom.

mod policy;
