//! The section `authorization`, built.

use std::collections::BTreeSet;
use std::fmt::Display;

use super::builder::{Builder, header_name, top};
use super::values;
use crate::config::document::{AuthorizationSection, McpSection, RuleSection};
use crate::config::place::Path;
use crate::config::strict::Members;
use crate::decide::HeaderRules;
use crate::rules::{
    Action, Authorization, HeaderCondition, McpCondition, McpRules, PathPattern, Pattern, Rule,
    UserPattern,
};

impl Builder {
    pub(super) fn authorization(
        &mut self,
        section: AuthorizationSection,
        headers: Option<&HeaderRules>,
    ) -> Authorization {
        let AuthorizationSection { default, rules } = section;
        let path = top("authorization");
        if rules.is_empty() && default == Action::Deny {
            let message = "denies everything: add a rule, or \"default\": \"allow\"";
            self.error(&path, message);
        }
        let mut names = BTreeSet::new();
        let mut built = Vec::new();
        for (index, rule) in rules.into_iter().enumerate() {
            let path = path.key("rules").index(index);
            let rule = self.rule(rule, &path);
            if !names.insert(rule.name.clone()) {
                let message = format!("found {:?} twice, expected a name for each rule", rule.name);
                self.error(&path.key("name"), message);
            }
            if let Some(headers) = headers {
                self.check_headers(&rule, headers, &path);
            }
            built.push(rule);
        }
        Authorization::new(default, built)
    }

    /// Rules about messages, and what a client says of its message in a header, decide nothing where no body is read; and where
    /// it is read, the header decides nothing.
    pub(super) fn check_mcp(&mut self, authorization: &Authorization, mcp: &McpRules) {
        for (index, rule) in authorization.rules().iter().enumerate() {
            let path = top("authorization").key("rules").index(index);
            if rule.mcp.is_some() && mcp.paths.is_empty() {
                self.error(
                    &path.key("mcp"),
                    "needs \"mcp.paths\": no body is read without",
                );
            }
            let names = rule.headers.iter().map(|condition| &condition.name);
            for name in names.filter(|name| name.starts_with("mcp-") && !mcp.paths.is_empty()) {
                let message = format!(
                    "found {name:?}, expected the condition \"mcp\": the header is the client's own word"
                );
                self.error(&path.key("headers"), message);
            }
        }
    }

    /// What a client writes into a header that is removed must decide nothing.
    fn check_headers(&mut self, rule: &Rule, owned: &HeaderRules, path: &Path) {
        let names = rule.headers.iter().map(|condition| &condition.name);
        for name in names.filter(|name| owned.is_owned(name.as_bytes())) {
            let message = format!("found {name:?}, expected a header that is not removed");
            self.error(&path.key("headers"), message);
        }
    }

    fn rule(&mut self, section: RuleSection, path: &Path) -> Rule {
        let RuleSection {
            name,
            action,
            identities,
            organizations,
            organizational_units,
            issuers,
            methods,
            paths,
            headers,
            mcp,
        } = section;
        let issuers = self.condition(path, "issuers", issuers, values::issuer);
        Rule {
            name: self
                .keep(&path.key("name"), values::rule_name(name))
                .unwrap_or_default(),
            action,
            identities: self.condition(path, "identities", identities, UserPattern::try_from),
            organizations: self.condition(path, "organizations", organizations, values::group),
            organizational_units: self.condition(
                path,
                "organizational_units",
                organizational_units,
                values::group,
            ),
            issuers: issuers.into_iter().flat_map(values::either_order).collect(),
            methods: self.condition(path, "methods", methods, values::method),
            paths: self.condition(path, "paths", paths, PathPattern::try_from),
            headers: headers.map_or_else(Vec::new, |headers| {
                self.header_conditions(headers, &path.key("headers"))
            }),
            mcp: mcp.map(|section| self.mcp_condition(section, &path.key("mcp"))),
        }
    }

    /// The values of a condition; none where it is not given.
    fn condition<T, E: Display>(
        &mut self,
        rule: &Path,
        key: &str,
        texts: Option<Vec<String>>,
        parse: impl Fn(String) -> Result<T, E>,
    ) -> Vec<T> {
        texts.map_or_else(Vec::new, |texts| self.filled(&rule.key(key), texts, parse))
    }

    /// The messages of MCP that a rule or a limit is about.
    pub(super) fn mcp_condition(&mut self, section: McpSection, path: &Path) -> McpCondition {
        let McpSection { methods, names } = section;
        if methods.is_none() && names.is_none() {
            self.error(path, "needs \"methods\" or \"names\"");
        }
        McpCondition {
            methods: self.condition(path, "methods", methods, Pattern::try_from),
            names: self.condition(path, "names", names, Pattern::try_from),
        }
    }

    fn header_conditions(
        &mut self,
        headers: Members<Vec<String>>,
        path: &Path,
    ) -> Vec<HeaderCondition> {
        if headers.0.is_empty() {
            self.error(path, "found an empty object, expected at least one entry");
        }
        let conditions = self.map(path, headers, header_name).into_iter();
        conditions
            .map(|(name, (path, texts))| HeaderCondition {
                name: name.folded(),
                values: self.filled(&path, texts, Pattern::try_from),
            })
            .collect()
    }
}
