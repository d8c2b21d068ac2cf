//! Who can be a user that nobody meant.

use serde_json::Value;

use crate::config::Configuration;
use crate::identity::{Source, Unmapped};
use crate::rules::{Action, Rule};

/// What is found where a raw SPIFFE ID can be a user.
pub(super) const FOUND: &str = "a SPIFFE ID that no rule of identity.map fits is a user as it is";

/// How no raw SPIFFE ID is a user.
pub(super) const CURE: &str = "\"authorization\": { \"default\": \"allow\", \"rules\": [{ \"name\": \"a-raw-spiffe-id-is-nobody\", \
     \"action\": \"deny\", \"identities\": [\"spiffe://*\"] }] }";

/// Whether a SPIFFE ID that no rule of `identity.map` fits is a user who may pass, although others are mapped: a trust
/// domain that was forgotten makes everybody the proxy in front.
pub(super) fn takes_unmapped_ids(configuration: &Configuration, json: &Value) -> bool {
    let rules = &configuration.filter.policy.identity;
    let sources = rules.sources.iter();
    let takes_ids = sources
        .copied()
        .any(|it| it == Source::Spiffe || it == Source::Uri);
    let map = json.pointer("/identity/map").and_then(Value::as_array);
    let mut patterns = map
        .into_iter()
        .flatten()
        .filter_map(|rule| rule.get("from")?.as_str());
    let maps_ids = patterns.any(|from| from.starts_with("spiffe://"));
    takes_ids && maps_ids && rules.unmapped == Unmapped::Keep && !refuses_raw_ids(configuration)
}

/// Whether a rule refuses every SPIFFE ID before another one could allow it.
fn refuses_raw_ids(configuration: &Configuration) -> bool {
    let Some(authorization) = &configuration.filter.policy.authorization else {
        return false;
    };
    for rule in authorization.rules() {
        match rule.action {
            Action::Deny if is_for_all_ids(rule) && has_no_other_condition(rule) => return true,
            Action::Allow if is_for_all_ids(rule) => return false,
            Action::Deny | Action::Allow => {}
        }
    }
    authorization.default() == Action::Deny
}

fn is_for_all_ids(rule: &Rule) -> bool {
    let mut identities = rule.identities.iter().map(ToString::to_string);
    rule.identities.is_empty() || identities.any(|it| it == "spiffe://*" || it == "*")
}

fn has_no_other_condition(rule: &Rule) -> bool {
    let bare = Rule {
        name: rule.name.clone(),
        action: rule.action,
        identities: rule.identities.clone(),
        ..Rule::default()
    };
    *rule == bare
}
