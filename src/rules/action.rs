//! What a rule does.

/// What a rule, or the lack of one, does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "cli",
    derive(schemars::JsonSchema, serde::Serialize),
    serde(rename_all = "lowercase")
)]
pub enum Action {
    /// The request passes.
    Allow,
    /// It does not.
    #[default]
    Deny,
}
