//! Which headers the rules of Envoy remove and write: the early removal, the last word, and what stands between them.

use regex::RegexBuilder;

use crate::doctor::node::Node;

/// The longest program that an expression of a configuration may become.
const LONGEST_EXPRESSION: usize = 1024 * 1024;

/// Whether the early header mutations of a connection manager leave no header of this name of a client's.
pub(in crate::doctor) fn is_removed_early(manager: &Node<'_>, name: &str) -> bool {
    let extensions = manager.list("early_header_mutation_extensions");
    let configs = extensions.iter().filter_map(|it| it.typed_config());
    let configs = configs.filter(|config| config.kind() == "HeaderMutation");
    let mutations = configs.flat_map(|config| config.fields().list("mutations"));
    mutations
        .into_iter()
        .any(|mutation| removes(&mutation, name))
}

/// Whether one mutation of `envoy.config.common.mutation_rules.v3` removes a header.
pub(super) fn removes(mutation: &Node<'_>, name: &str) -> bool {
    let by_name = mutation.text("remove").eq_ignore_ascii_case(name);
    let matcher = mutation.get("remove_on_match.key_matcher");
    by_name || matcher.is_some_and(|matcher| fits(&matcher, name))
}

/// Whether a StringMatcher fits a header's name, which is in lower case.
fn fits(matcher: &Node<'_>, name: &str) -> bool {
    let ignores_case = matcher.is_true("ignore_case");
    let text = |field: &str| {
        let text = matcher.get(field)?.as_str()?;
        Some(match ignores_case {
            true => text.to_ascii_lowercase(),
            false => text.to_owned(),
        })
    };
    let is = |field: &str, fits: &dyn Fn(&str) -> bool| text(field).is_some_and(|it| fits(&it));
    is("exact", &|text| name == text)
        || is("prefix", &|text| !text.is_empty() && name.starts_with(text))
        || is("suffix", &|text| !text.is_empty() && name.ends_with(text))
        || is("contains", &|text| !text.is_empty() && name.contains(text))
        || matcher
            .get("safe_regex.regex")
            .is_some_and(|it| fits_expression(it.as_str().unwrap_or_default(), name))
}

/// Envoy's expressions are RE2's, and fit the whole name.
pub(in crate::doctor) fn fits_expression(expression: &str, name: &str) -> bool {
    let whole = RegexBuilder::new(&format!("^(?:{expression})$"))
        .size_limit(LONGEST_EXPRESSION)
        .build();
    whole.is_ok_and(|whole| whole.is_match(name))
}

/// The headers that early mutations write, each with the mutation.
pub(super) fn written_early<'a>(manager: &Node<'a>) -> Vec<(&'a str, Node<'a>)> {
    let extensions = manager.list("early_header_mutation_extensions");
    let configs = extensions.iter().filter_map(|it| it.typed_config());
    configs
        .flat_map(|config| config.fields().list("mutations"))
        .filter_map(|mutation| mutation.get("append"))
        .map(|append| (append.text("header.key"), append))
        .collect()
}

/// The headers that `request_headers_to_add` of a route, virtual host, cluster or route configuration writes.
pub(super) fn added<'a>(level: &Node<'a>) -> Vec<(&'a str, Node<'a>)> {
    let entries = level.list("request_headers_to_add").into_iter();
    entries
        .map(|entry| (entry.text("header.key"), entry))
        .collect()
}

/// The headers that a `header_mutation` filter, or its configuration on a route, writes.
pub(super) fn written_by_filter<'a>(config: &Node<'a>) -> Vec<(&'a str, Node<'a>)> {
    let mutations = config.fields().list("mutations.request_mutations");
    let appended = mutations.iter().filter_map(|it| it.get("append"));
    appended
        .map(|append| (append.text("header.key"), append))
        .collect()
}

/// The headers that a route, virtual host or route configuration writes into the copies that it mirrors. Envoy writes them
/// behind everything else, the last word as well.
pub(super) fn written_in_copies<'a>(level: &Node<'a>) -> Vec<(&'a str, Node<'a>)> {
    let places = ["route.request_mirror_policies", "request_mirror_policies"];
    let policies = places.iter().flat_map(|place| level.list(place));
    policies
        .flat_map(|policy| policy.list("request_headers_mutations"))
        .filter_map(|mutation| mutation.get("append"))
        .map(|append| (append.text("header.key"), append))
        .collect()
}

/// Whether a level removes a header.
pub(in crate::doctor) fn is_removed_by(level: &Node<'_>, name: &str) -> bool {
    let removed = level.texts("request_headers_to_remove");
    removed.iter().any(|it| it.eq_ignore_ascii_case(name))
}

/// The filter state in which the filter leaves a header.
pub(super) fn state_of(name: &str) -> String {
    format!("%FILTER_STATE(wasm.mtls_identity.{name}:PLAIN)%")
}

/// Whether a level writes a header from the filter's state.
pub(in crate::doctor) fn is_added_from_state(level: &Node<'_>, name: &str) -> bool {
    let state = state_of(&name.to_ascii_lowercase());
    let added = added(level);
    let mut named = added
        .iter()
        .filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named.any(|(_, entry)| entry.text("header.value") == state)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::doctor::node::Document;

    fn removes_early(mutation: &Value, name: &str) -> bool {
        let mutation_type = "type.googleapis.com/envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation";
        let document = Document {
            file: String::new(),
            number: Some(0),
            value: json!({"early_header_mutation_extensions": [
                {"typed_config": {"@type": mutation_type, "mutations": [mutation]}},
            ]}),
            is_local: true,
        };
        is_removed_early(&Node::root(&document), name)
    }

    #[test]
    fn removals_are_read_as_envoy_reads_them() {
        let on_match = |matcher: Value| json!({"remove_on_match": {"key_matcher": matcher}});
        let name = "x-ssl-client-verify";
        for (mutation, removed) in [
            (json!({"remove": "X-SSL-Client-Verify"}), true),
            (json!({"remove": "x-ssl-client-verif"}), false),
            (on_match(json!({"prefix": "x-ssl-client-"})), true),
            (on_match(json!({"prefix": "X-SSL-Client-"})), false),
            (
                on_match(json!({"prefix": "X-SSL-", "ignore_case": true})),
                true,
            ),
            (on_match(json!({"prefix": ""})), false),
            (
                on_match(json!({"safe_regex": {"regex": "x[^a-z0-9]ssl[^a-z0-9]client.*"}})),
                true,
            ),
            (on_match(json!({"safe_regex": {"regex": "ssl"}})), false),
            (on_match(json!({"safe_regex": {"regex": "x|ssl"}})), false),
            (on_match(json!({"safe_regex": {"regex": "("}})), false),
            (
                json!({"append": {"header": {"key": name, "value": ""}}}),
                false,
            ),
        ] {
            assert_eq!(removes_early(&mutation, name), removed, "{mutation}");
        }
    }
}
