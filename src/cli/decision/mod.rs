//! The command `explain`: the decision that the filter would take, and why.

mod because;
mod explain;

pub(crate) use explain::Explain;
