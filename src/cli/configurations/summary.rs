//! What a configuration does, in a few words.

use mtls_identity::certificate::ComparableName;
use mtls_identity::config::Configuration;
use mtls_identity::rules::{Action, Authorization, Revocations};
use serde_json::Value;

/// How many numbers are revoked. Those of an issuer are kept under its name in either order.
fn revoked_serials(revoked: &Revocations) -> usize {
    let names = revoked.serials.iter().map(|(name, numbers)| {
        let reversed: ComparableName = name.iter().rev().cloned().collect();
        let is_twice = reversed != *name && revoked.serials.get(&reversed) == Some(numbers);
        numbers.len() * if is_twice { 1 } else { 2 }
    });
    names.sum::<usize>() / 2
}

/// What a configuration does, in a few words.
pub(super) fn summary(configuration: &Configuration, json: &str) -> String {
    let policy = &configuration.filter.policy;
    let mut parts = Vec::new();
    let mut count = |number: usize, one: &str, several: &str| match number {
        0 => {}
        1 => parts.push(format!("1 {one}")),
        _ => parts.push(format!("{number} {several}")),
    };
    count(policy.pins.pins.len(), "user pinned", "users pinned");
    count(
        policy.revoked.fingerprints.len(),
        "certificate revoked",
        "certificates revoked",
    );
    count(
        revoked_serials(&policy.revoked),
        "serial number revoked",
        "serial numbers revoked",
    );
    count(
        policy.pins.required.len(),
        "user must be pinned",
        "users must be pinned",
    );
    if policy.pins.required_of_all {
        parts.push("every user must be pinned".to_owned());
    }
    parts.extend(policy.authorization.as_ref().map(rules));
    parts.extend(limit(configuration, json));
    if !policy.observe.is_empty() {
        parts.push("some checks only observed".to_owned());
    }
    match parts.is_empty() {
        true => "every user may do everything".to_owned(),
        false => parts.join(", "),
    }
}

fn rules(authorization: &Authorization) -> String {
    let default = match authorization.default() {
        Action::Allow => "default allow",
        Action::Deny => "default deny",
    };
    let rules = authorization.rules().len();
    let name = if rules == 1 { "rule" } else { "rules" };
    format!("{rules} {name} ({default})")
}

/// The rate that holds for every user; else that there are limits, if there are.
fn limit(configuration: &Configuration, json: &str) -> Option<String> {
    let value: Value = serde_json::from_str(json).unwrap_or_default();
    let rate = value.pointer("/rate_limit/default/rate");
    match rate.and_then(Value::as_str) {
        Some(rate) => Some(format!("limit {rate}")),
        None => {
            let is_limited = configuration.filter.limits.is_anybody_limited();
            is_limited.then(|| "some are limited".to_owned())
        }
    }
}
