//! How much a user may ask.

mod rate_limit;
