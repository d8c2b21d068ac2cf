//! What Envoy's RBAC filters decide on a request of which only one thing is known: some headers are not there.
//!
//! Whatever else a policy asks may be so or not. So a guard holds only if it refuses the request in any case.

use crate::doctor::node::Node;

/// What is known of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Always,
    Never,
    Perhaps,
}

impl Holds {
    fn not(self) -> Self {
        match self {
            Self::Always => Self::Never,
            Self::Never => Self::Always,
            Self::Perhaps => Self::Perhaps,
        }
    }

    fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::Always;
        for part in parts {
            match part {
                Self::Never => return Self::Never,
                Self::Perhaps => all = Self::Perhaps,
                Self::Always => {}
            }
        }
        all
    }

    fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::all(parts.into_iter().map(Self::not)).not()
    }
}

/// The fields of a HeaderMatcher that ask for a value.
const MATCHES: [&str; 7] = [
    "string_match",
    "exact_match",
    "safe_regex_match",
    "range_match",
    "prefix_match",
    "suffix_match",
    "contains_match",
];

/// A request without some headers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'r> {
    /// The headers that it does not have, in lower case.
    pub(super) without: &'r [&'r str],
}

impl Request<'_> {
    /// Whether the message of an RBAC filter (of HTTP or of the network) or of an RBACPerRoute refuses this request in any
    /// case.
    pub(super) fn is_refused_by(&self, rbac: &Node<'_>) -> bool {
        if let Some(matcher) = rbac.get("matcher") {
            return self.is_refused_by_matcher(&matcher);
        }
        // Without rules nothing is asked.
        rbac.get("rules")
            .is_some_and(|rules| self.is_refused_by_rules(&rules))
    }

    fn is_refused_by_rules(&self, rules: &Node<'_>) -> bool {
        let policies = rules.get("policies");
        let policies = policies.map(|it| it.members()).unwrap_or_default();
        let matched = Holds::any(policies.iter().map(|(_, policy)| self.policy(policy)));
        if rules.is("action", "DENY", 1) {
            matched == Holds::Always
        } else if rules.is("action", "LOG", 2) {
            false
        } else {
            matched == Holds::Never
        }
    }

    fn policy(&self, policy: &Node<'_>) -> Holds {
        let permissions = policy.list("permissions");
        let principals = policy.list("principals");
        let conditions = ["condition", "checked_condition", "cel_config"];
        let has_condition = conditions.iter().any(|it| policy.get(it).is_some());
        let condition = if has_condition {
            Holds::Perhaps
        } else {
            Holds::Always
        };
        Holds::all([
            Holds::any(permissions.iter().map(|it| self.rule(it))),
            Holds::any(principals.iter().map(|it| self.rule(it))),
            condition,
        ])
    }

    /// A permission or a principal.
    fn rule(&self, rule: &Node<'_>) -> Holds {
        let members = rule.members();
        let Some((_, value)) = members.first() else {
            return Holds::Perhaps;
        };
        let of = |list: &str| value.list(list);
        let each = |parts: Vec<Node<'_>>| parts.iter().map(|it| self.rule(it)).collect::<Vec<_>>();
        let is = |name: &str| rule.get(name).is_some();
        if is("any") {
            Holds::Always
        } else if is("and_rules") {
            Holds::all(each(of("rules")))
        } else if is("or_rules") {
            Holds::any(each(of("rules")))
        } else if is("and_ids") {
            Holds::all(each(of("ids")))
        } else if is("or_ids") {
            Holds::any(each(of("ids")))
        } else if is("not_rule") || is("not_id") {
            self.rule(value).not()
        } else if is("header") {
            self.header(value)
        } else {
            Holds::Perhaps
        }
    }

    fn lacks(&self, header: &str) -> bool {
        let mut without = self.without.iter();
        without.any(|name| name.eq_ignore_ascii_case(header))
    }

    /// A HeaderMatcher (`envoy.config.route.v3`).
    fn header(&self, matcher: &Node<'_>) -> Holds {
        if !self.lacks(matcher.text("name")) || matcher.is_true("treat_missing_header_as_empty") {
            return Holds::Perhaps;
        }
        let is_inverted = matcher.is_true("invert_match");
        let present = matcher.get("present_match");
        let asks_for_a_value =
            present.is_none() && MATCHES.iter().any(|it| matcher.get(it).is_some());
        let wants_it = present.is_none_or(|present| *present.value != false);
        match (asks_for_a_value, wants_it != is_inverted) {
            // Whatever the value should be, one that is not there is not it.
            (_, true) => Holds::Never,
            (true, false) => Holds::Perhaps,
            (false, false) => Holds::Always,
        }
    }

    /// A tree of matchers (`xds.type.matcher.v3`), as Envoy Gateway writes it. What fits no entry is refused unless the tree
    /// says something else.
    fn is_refused_by_matcher(&self, matcher: &Node<'_>) -> bool {
        for entry in matcher.list("matcher_list.matchers") {
            let holds = entry.get("predicate").map(|it| self.predicate(&it));
            let is_allowing = entry.get("on_match").is_none_or(|it| !is_denying(&it));
            match holds.unwrap_or(Holds::Perhaps) {
                Holds::Never => {}
                Holds::Always => return !is_allowing,
                Holds::Perhaps if is_allowing => return false,
                Holds::Perhaps => {}
            }
        }
        // Of a tree of another kind nothing is known.
        let is_list = matcher.get("matcher_list").is_some() || matcher.members().len() <= 1;
        let otherwise = matcher.get("on_no_match");
        is_list && otherwise.is_none_or(|it| is_denying(&it))
    }

    fn predicate(&self, predicate: &Node<'_>) -> Holds {
        let each = |list: &str| {
            let parts = predicate.list(list);
            parts
                .iter()
                .map(|it| self.predicate(it))
                .collect::<Vec<_>>()
        };
        if let Some(single) = predicate.get("single_predicate") {
            let input = single.get("input.typed_config");
            let header = input.filter(|it| it.kind() == "HttpRequestHeaderMatchInput");
            match header {
                Some(header) if self.lacks(header.text("header_name")) => Holds::Never,
                Some(_) | None => Holds::Perhaps,
            }
        } else if predicate.get("and_matcher").is_some() {
            Holds::all(each("and_matcher.predicate"))
        } else if predicate.get("or_matcher").is_some() {
            Holds::any(each("or_matcher.predicate"))
        } else if let Some(not) = predicate.get("not_matcher") {
            self.predicate(&not).not()
        } else {
            Holds::Perhaps
        }
    }
}

/// Whether an OnMatch ends in the action DENY.
fn is_denying(on_match: &Node<'_>) -> bool {
    let action = on_match.get("action.typed_config");
    action.is_some_and(|action| action.is("action", "DENY", 1))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::doctor::node::Document;

    fn is_refused(rbac: &Value) -> bool {
        let document = Document {
            file: String::new(),
            number: Some(0),
            value: rbac.clone(),
            is_local: true,
        };
        let request = Request {
            without: &["x-ssl-client-verify"],
        };
        request.is_refused_by(&Node::root(&document))
    }

    fn policy(permission: Value) -> Value {
        json!({"p": {"permissions": [permission], "principals": [{"any": true}]}})
    }

    fn mark(more: Value) -> Value {
        let mut header = json!({"name": "X-SSL-Client-Verify"});
        let fields = header.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        json!({"header": header})
    }

    #[test]
    fn a_guard_that_allows_only_what_has_the_mark_refuses_what_has_none() {
        for more in [
            json!({"present_match": true}),
            json!({"exact_match": "SUCCESS"}),
            json!({"string_match": {"exact": "SUCCESS"}}),
        ] {
            let rules = json!({"rules": {"policies": policy(mark(more.clone()))}});
            assert!(is_refused(&rules), "{more}");
        }
        for more in [
            json!({"present_match": false}),
            json!({"present_match": true, "invert_match": true}),
            json!({"string_match": {"exact": "SUCCESS"}, "invert_match": true}),
            json!({"exact_match": "", "treat_missing_header_as_empty": true}),
        ] {
            let rules =
                json!({"rules": {"action": "ALLOW", "policies": policy(mark(more.clone()))}});
            assert!(!is_refused(&rules), "{more}");
        }
    }

    #[test]
    fn a_guard_that_denies_what_has_no_mark_refuses_it() {
        let without = json!({"not_rule": mark(json!({"present_match": true}))});
        let rules = |permission: Value| json!({"rules": {"action": "DENY", "policies": policy(permission)}});
        assert!(is_refused(&rules(without.clone())));
        let and = |more: Value| json!({"and_rules": {"rules": [without, more]}});
        assert!(is_refused(&rules(and(json!({"any": true})))));
        assert!(!is_refused(&rules(and(
            json!({"url_path": {"path": {"prefix": "/a"}}})
        ))));
    }

    #[test]
    fn what_asks_nothing_or_something_else_is_no_guard() {
        for rbac in [
            json!({}),
            json!({"shadow_rules": {"policies": policy(mark(json!({"present_match": true})))}}),
            json!({"rules": {"policies": policy(json!({"any": true}))}}),
            json!({"rules": {"policies": policy(json!({"header": {"name": "x-a", "present_match": true}}))}}),
            json!({"rules": {"action": "LOG", "policies": {}}}),
            json!({"rules": {"action": "DENY", "policies": {}}}),
        ] {
            assert!(!is_refused(&rbac), "{rbac}");
        }
        assert!(is_refused(&json!({"rules": {}})));
    }

    #[test]
    fn a_tree_of_matchers_that_needs_the_mark_refuses_what_has_none() {
        let header = json!({"single_predicate": {"input": {"typed_config": {
            "@type": "type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",
            "header_name": "x-ssl-client-verify",
        }}, "value_match": {"exact": "SUCCESS"}}});
        let cel = json!({"single_predicate": {"custom_match": {}}});
        let action = |action: &str| json!({"action": {"typed_config": {"action": action}}});
        let tree = |predicate: Value| {
            json!({"matcher": {
                "matcher_list": {"matchers": [{"predicate": predicate, "on_match": action("ALLOW")}]},
                "on_no_match": action("DENY"),
            }})
        };
        let and = json!({"and_matcher": {"predicate": [cel.clone(), header]}});
        assert!(is_refused(&tree(and)));
        assert!(!is_refused(&tree(cel)));
    }
}
