//! What became of a request.

mod record;
