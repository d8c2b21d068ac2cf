//! What a rule does.

use serde::{Deserialize, Serialize};

/// What a rule, or the lack of one, does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum Action {
    /// The request passes.
    Allow,
    /// It does not.
    #[default]
    Deny,
}
