//! Who may do what: rules, of which the first that matches decides.

use std::collections::BTreeSet;

use crate::identity::Identity;
use crate::rules::action::Action;
use crate::rules::authorization::group::Groups;
use crate::rules::authorization::header_readings::is_caseless;
use crate::rules::authorization::rule::{Question, RequestHeaders, Rule};
use crate::rules::mcp::{Holds, McpCondition};
use crate::rules::pattern::Pattern;

/// The rules and what happens where none matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    default: Action,
    rules: Vec<Rule>,
    /// The headers that rules ask about, each once.
    header_names: Vec<String>,
    anonymous: RulesOfClient,
}

/// The rules whose conditions on the client hold for a client, by their places. No request changes them, so they are
/// worked out once a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RulesOfClient {
    places: Vec<u32>,
}

impl Authorization {
    /// The rules, of which the first that matches decides, and what happens where none does.
    pub fn new(default: Action, mut rules: Vec<Rule>) -> Self {
        let mut header_names = BTreeSet::new();
        for rule in &mut rules {
            if rule.action == Action::Deny {
                rule.mcp = rule.mcp.as_ref().map(McpCondition::to_lowercase);
            }
            for condition in &mut rule.headers {
                header_names.insert(condition.name.clone());
                if rule.action == Action::Deny && is_caseless(&condition.name) {
                    let lower = condition.values.iter().map(Pattern::to_lowercase);
                    condition.values = lower.collect();
                }
            }
        }
        let places = |client: Option<(&Identity, &Groups)>| RulesOfClient::new(&rules, client);
        Self {
            default,
            anonymous: places(None),
            header_names: header_names.into_iter().collect(),
            rules,
        }
    }

    /// What happens where no rule matches.
    pub fn default(&self) -> Action {
        self.default
    }

    /// The rules, in their order.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rules that can match a request of this client.
    pub fn rules_of(&self, identity: &Identity, groups: &Groups) -> RulesOfClient {
        RulesOfClient::new(&self.rules, Some((identity, groups)))
    }

    /// What happens to a request, and by which rule; none where none matches. `client` are the rules of the user; none for
    /// a request without identity.
    ///
    /// While the body is still to come, a request is allowed if there is any message with which it would be. So a request
    /// that no message could save is refused before its body is held.
    pub fn decide(
        &self,
        client: Option<&RulesOfClient>,
        question: &Question<'_>,
    ) -> (Action, Option<&Rule>) {
        let client = client.unwrap_or(&self.anonymous);
        let headers = RequestHeaders::new(&self.header_names, question.head);
        let rules = client.places.iter().filter_map(|&place| {
            let place = usize::try_from(place).ok()?;
            self.rules.get(place)
        });
        for rule in rules {
            match rule.matches(question, &headers) {
                Holds::Yes => return (rule.action, Some(rule)),
                Holds::Unknown if rule.action == Action::Allow => return (rule.action, None),
                Holds::Unknown | Holds::No => {}
            }
        }
        (self.default, None)
    }

    /// The rules that are tried for a request, in their order, the last of which decides if it matches. With each comes
    /// the first condition that does not hold; none for the rule that matches.
    pub fn tried(
        &self,
        client: Option<(&Identity, &Groups)>,
        question: &Question<'_>,
    ) -> Vec<(&Rule, Option<&'static str>)> {
        let headers = RequestHeaders::new(&self.header_names, question.head);
        let mut tried = Vec::new();
        for rule in &self.rules {
            let unmet = rule.unmet_condition(client, question, &headers);
            tried.push((rule, unmet));
            if unmet.is_none() {
                break;
            }
        }
        tried
    }
}

impl RulesOfClient {
    fn new(rules: &[Rule], client: Option<(&Identity, &Groups)>) -> Self {
        let rules = rules.iter().zip(0..);
        let of_client = rules.filter(|(rule, _)| rule.matches_client(client));
        Self {
            places: of_client.map(|(_, place)| place).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::{McpMessage, RequestHead, RequestPath, lowercase_work, write_map};
    use crate::rules::authorization::header_entries::MAXIMUM_ENTRIES;
    use crate::rules::authorization::rule::HeaderCondition;
    use crate::rules::mcp::Message;
    use crate::rules::pattern::PathPattern;
    use crate::rules::pattern::work;

    /// A thousand rules of one kind, none of which matches any request of the tests.
    fn rules(action: Action, rule: impl Fn(usize) -> Rule) -> Authorization {
        let rules = (0..1000).map(|number| Rule {
            name: number.to_string(),
            action,
            ..rule(number)
        });
        Authorization::new(Action::Deny, rules.collect())
    }

    fn header_rule(value: &str) -> Rule {
        Rule {
            headers: vec![HeaderCondition {
                name: "x-role".to_owned(),
                values: vec![Pattern::parse(value).unwrap()],
            }],
            ..Rule::default()
        }
    }

    fn path_rule(path: &str) -> Rule {
        Rule {
            paths: vec![PathPattern::parse(path).unwrap()],
            ..Rule::default()
        }
    }

    /// The comparisons that an anonymous request costs, and their bytes.
    fn work(authorization: &Authorization, path: &str, roles: &[&str]) -> (usize, usize) {
        let fields = roles.iter().map(|role| (&b"x-role"[..], role.as_bytes()));
        let map = write_map(fields);
        let path = RequestPath::new(path.as_bytes());
        let question = Question {
            method: b"GET",
            path: &path,
            head: RequestHead::read(&map).unwrap(),
            message: Message::None,
        };
        work::take();
        assert_eq!(authorization.decide(None, &question), (Action::Deny, None));
        work::take()
    }

    #[test]
    fn a_long_path_costs_a_thousand_rules_no_more_comparisons_than_a_short_one() {
        let encoded = format!("/servers/{}", "%61".repeat(1300));
        let long = format!("/servers/{}", "a".repeat(4000));
        for pattern in ["/servers/*", "/servers/a/b/c/d/e/f/g", "*/sse"] {
            let pattern = |number: usize| match pattern.strip_suffix('*') {
                Some(prefix) => format!("{prefix}{number}/*"),
                None => format!("{pattern}{number}"),
            };
            let allow = rules(Action::Allow, |number| path_rule(&pattern(number)));
            let (least, _) = work(&allow, "/", &[]);
            assert_eq!(least, 1000);
            for path in [&encoded, &long] {
                let (comparisons, bytes) = work(&allow, path, &[]);
                assert_eq!(comparisons, least, "{path}");
                assert!(bytes <= 1000 * 32, "{bytes}");
            }
        }
    }

    #[test]
    fn a_header_of_many_entries_costs_a_few_comparisons_a_rule() {
        let entries: Vec<_> = (0..MAXIMUM_ENTRIES)
            .map(|number| format!("role-{number:03}"))
            .collect();
        let lines: Vec<&str> = entries.iter().map(String::as_str).collect();
        let joined = entries.join(",");
        for value in ["role-x*", "role-", "*-role", "role-9999"] {
            let value = |number: usize| match value.strip_suffix('*') {
                Some(prefix) => format!("{prefix}{number}*"),
                None => format!("{value}{number}"),
            };
            let allow = rules(Action::Allow, |number| header_rule(&value(number + 1000)));
            let deny = rules(Action::Deny, |number| header_rule(&value(number + 1000)));
            for (authorization, lines) in [(&allow, &lines[..]), (&deny, &[joined.as_str()])] {
                let (comparisons, bytes) = work(authorization, "/", lines);
                // 64 entries have an order of six bits; a deny rule has a few readings of each.
                assert!(comparisons <= 1000 * 9, "{comparisons}");
                assert!(bytes <= 1000 * 32, "{bytes}");
            }
        }
    }

    #[test]
    fn a_long_name_of_a_tool_is_put_into_lower_case_once_for_a_thousand_rules() {
        let rules = rules(Action::Deny, |number| Rule {
            mcp: Some(McpCondition {
                methods: vec![Pattern::parse("Tools/Call").unwrap()],
                names: vec![Pattern::parse(&format!("Delete-{number}*")).unwrap()],
            }),
            ..Rule::default()
        });
        let message = McpMessage::Request {
            method: "tools/call".to_owned(),
            name: Some("A".repeat(1 << 20)),
        };
        let question = Question {
            method: b"POST",
            path: &RequestPath::new(b"/mcp"),
            head: RequestHead::read(&[]).unwrap(),
            message: Message::Read(&message),
        };
        work::take();
        lowercase_work::take();
        assert_eq!(rules.decide(None, &question), (Action::Deny, None));
        assert_eq!(lowercase_work::take(), "tools/call".len() + (1 << 20));
        let (comparisons, bytes) = work::take();
        assert!(comparisons <= 2000, "{comparisons}");
        assert!(bytes <= 1000 * 32, "{bytes}");
    }

    #[test]
    fn too_many_entries_fit_every_deny_rule_and_no_allow_rule() {
        let many: Vec<_> = (0..=MAXIMUM_ENTRIES)
            .map(|number| number.to_string())
            .collect();
        let fields = many.iter().map(|value| (&b"x-role"[..], value.as_bytes()));
        let map = write_map(fields);
        let path = RequestPath::new(b"/");
        let question = Question {
            method: b"GET",
            path: &path,
            head: RequestHead::read(&map).unwrap(),
            message: Message::None,
        };
        let decide = |action| {
            let rules = Authorization::new(
                Action::Allow,
                vec![Rule {
                    action,
                    ..header_rule("*")
                }],
            );
            rules.decide(None, &question).1.is_some()
        };
        assert!(decide(Action::Deny));
        assert!(!decide(Action::Allow));
    }
}
