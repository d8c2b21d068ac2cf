//! A configuration that was read.

use crate::decide::Filter;
use crate::report::AuditRules;

/// A configuration that can be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// What is done with every request.
    pub filter: Filter,
    /// What is written down.
    pub audit: AuditRules,
}
