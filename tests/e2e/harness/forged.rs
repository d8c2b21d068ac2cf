//! What a client might write to be somebody else, and how to see that nobody heard it.

use serde_json::{Value, json};

use super::bootstrap::Bootstrap;
use super::gateway::{Received, USER, VERIFY};

/// Every forged value is this one, so one look at what the gateway received is enough.
pub(crate) const FORGED: &str = "forged-admin@example.com";

/// All that the filter owns under [`owning`]: its own names, the set ones, the stripped ones, the usual ones.
pub(crate) const OWNED: [&str; 11] = [
    USER,
    VERIFY,
    "x-ssl-client-anything",
    "x-ssl-client-",
    "x-organization",
    "x_tenant",
    "x-role",
    "x-authenticated-user",
    "x-user-organization",
    "client-cert",
    "client-cert-chain",
];

/// A configuration of the filter with more owned names than the usual ones.
pub(crate) fn owning() -> Value {
    json!({"headers": {"set": {"x-organization": "organization"}, "strip": ["x_tenant", "X-Role"]}})
}

/// Takes out what the listener does by itself about header names, so that the filter is on its own.
pub(crate) fn filter_alone(envoy: &mut Bootstrap) {
    let hcm = envoy.hcm().as_object_mut().unwrap();
    hcm.remove("early_header_mutation_extensions").unwrap();
    hcm["common_http_protocol_options"]["headers_with_underscores_action"] = json!("ALLOW");
}

/// This name as it may be written in HTTP/2, where upper case is an error.
pub(crate) fn lower_case_spellings(name: &str) -> Vec<String> {
    let all = name.replace('-', "_");
    let none = name.replace('_', "-");
    let one = none.replacen('-', "_", 1);
    let mut spellings = vec![none, one, all];
    spellings.dedup();
    spellings
}

/// This name in every spelling of HTTP/1.1.
pub(crate) fn spellings(name: &str) -> Vec<String> {
    let lower = lower_case_spellings(name);
    let upper = lower.iter().map(|name| name.to_ascii_uppercase());
    let alternating = lower.iter().map(|name| alternating_case(name));
    let more: Vec<_> = upper.chain(alternating).collect();
    [lower, more].concat()
}

fn alternating_case(name: &str) -> String {
    let characters = name.char_indices();
    characters
        .map(|(index, character)| match index % 2 {
            0 => character.to_ascii_uppercase(),
            _ => character,
        })
        .collect()
}

/// Field lines with a forged value, one for each spelling of each owned name.
pub(crate) fn lines() -> Vec<String> {
    let names = OWNED.iter().flat_map(|name| spellings(name));
    names.map(|name| format!("{name}: {FORGED}")).collect()
}

/// Name and forged value for each lower case spelling of each owned name.
pub(crate) fn http2_fields() -> Vec<(String, &'static str)> {
    let names = OWNED.iter().flat_map(|name| lower_case_spellings(name));
    names.map(|name| (name, FORGED)).collect()
}

/// The gateway saw this user, the mark, and nothing else that it could take for an identity.
#[track_caller]
pub(crate) fn assert_only_user(received: &Received, user: &str) {
    assert_nothing_forged(received);
    assert_eq!(received.owned(), [(USER, user), (VERIFY, "SUCCESS")]);
}

/// The gateway saw a request without an identity.
#[track_caller]
pub(crate) fn assert_nobody(received: &Received) {
    assert_nothing_forged(received);
    assert_eq!(received.owned(), [(VERIFY, "NONE")]);
}

#[track_caller]
pub(crate) fn assert_nothing_forged(received: &Received) {
    let mut all = received.headers.iter().chain(&received.trailers);
    let forged = all.find(|(_, value)| value.contains(FORGED));
    assert_eq!(forged, None, "in {received:?}");
}
