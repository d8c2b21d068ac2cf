//! Who may do what: rules, of which the first that matches decides.

use crate::certificate::AttributeValue;
use crate::identity::Peer;
use crate::identity::User;
use crate::request::RequestHead;
use crate::request::RequestPath;
use crate::rules::pattern::{Pattern, UserPattern};
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

/// The values a request's header may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderCondition {
    /// The header, in lower case and with `-` for `_`.
    pub name: String,
    /// Any one of these matches a value.
    pub values: Vec<Pattern>,
}

/// One rule. A condition that is empty is not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The name in records.
    pub name: String,
    /// What the rule does.
    pub action: Action,
    /// Users.
    pub identities: Vec<UserPattern>,
    /// organizationNames of the subject, as [`comparable`] makes them.
    pub organizations: Vec<String>,
    /// Methods, in upper case.
    pub methods: Vec<String>,
    /// Paths without query.
    pub paths: Vec<Pattern>,
    /// Headers, all of which must match.
    pub headers: Vec<HeaderCondition>,
}

/// What rules are asked about.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks; none for a request without identity.
    pub user: Option<&'a User>,
    /// The one who asks, with all that proves it.
    pub peer: Option<&'a Peer>,
    /// `:method`.
    pub method: &'a [u8],
    /// `:path` without query.
    pub path: RequestPath<'a>,
    /// The headers of the request.
    pub head: RequestHead<'a>,
}

/// The rules and what happens where none matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// What happens where none matches.
    pub default: Action,
    /// The first that matches decides.
    pub rules: Vec<Rule>,
}

impl Authorization {
    /// What happens to a request, and by which rule; none where none matches.
    pub fn decide(&self, question: &Question<'_>) -> (Action, Option<&Rule>) {
        let rule = self.rules.iter().find(|rule| rule.matches(question));
        (rule.map_or(self.default, |rule| rule.action), rule)
    }
}

impl Rule {
    fn matches(&self, question: &Question<'_>) -> bool {
        self.matches_identity(question.user)
            && self.matches_organization(question.peer)
            && self.matches_method(question.method)
            && self.matches_path(question.path)
            && self
                .headers
                .iter()
                .all(|condition| self.matches_header(condition, question))
    }

    fn matches_identity(&self, user: Option<&User>) -> bool {
        let is_any = |user| self.identities.iter().any(|pattern| pattern.matches(user));
        self.identities.is_empty() || user.is_some_and(is_any)
    }

    /// Where it can be read in two ways, a rule that allows does not match, and one that denies does.
    fn of_all_or_any<T>(
        &self,
        mut values: impl Iterator<Item = T>,
        matches: impl Fn(T) -> bool,
    ) -> bool {
        match self.action {
            Action::Allow => {
                let mut any = false;
                values.all(|value| {
                    any = true;
                    matches(value)
                }) && any
            }
            Action::Deny => values.any(matches),
        }
    }

    fn matches_organization(&self, peer: Option<&Peer>) -> bool {
        let organizations = peer
            .and_then(Peer::certificate)
            .into_iter()
            .flat_map(|certificate| certificate.organizations());
        let is_listed = |value: &AttributeValue| match value {
            AttributeValue::Text(text) => self.organizations.contains(&comparable(text)),
            // What cannot be read may be any organization.
            AttributeValue::Latin1(_) | AttributeValue::Other => self.action == Action::Deny,
        };
        self.organizations.is_empty() || self.of_all_or_any(organizations, is_listed)
    }

    fn matches_method(&self, method: &[u8]) -> bool {
        let is_listed = |listed: &String| match self.action {
            Action::Allow => listed.as_bytes() == method,
            // Methods have a case, but not to every gateway.
            Action::Deny => listed.as_bytes().eq_ignore_ascii_case(method),
        };
        self.methods.is_empty() || self.methods.iter().any(is_listed)
    }

    /// A path that servers read in several ways may be any path: no rule with paths allows it, and
    /// every rule with paths that denies matches it.
    fn matches_path(&self, path: RequestPath<'_>) -> bool {
        if self.paths.is_empty() {
            return true;
        }
        match path.is_normal() {
            true => self.paths.iter().any(|it| self.fits(it, path.as_bytes())),
            false => self.action == Action::Deny,
        }
    }

    /// For a rule that denies, `*` may stand for nothing: `/admin/*` is `/admin/`, too.
    fn fits(&self, pattern: &Pattern, text: &[u8]) -> bool {
        match self.action {
            Action::Allow => pattern.matches(text),
            Action::Deny => pattern.covers(text),
        }
    }

    fn matches_header(&self, condition: &HeaderCondition, question: &Question<'_>) -> bool {
        let values = question.head.values_in_any_spelling(&condition.name);
        let is_listed = |value: &[u8]| condition.values.iter().any(|it| self.fits(it, value));
        match self.action {
            Action::Allow => self.of_all_or_any(values.map(<[u8]>::trim_ascii), is_listed),
            // A line may be a list (RFC 9110 section 5.3): one entry is enough.
            Action::Deny => values
                .flat_map(|value| std::iter::once(value).chain(value.split(|&byte| byte == b',')))
                .map(<[u8]>::trim_ascii)
                .any(is_listed),
        }
    }
}

/// An organizationName as X.520 compares them: without case, and with one space for several.
pub fn comparable(organization: &str) -> String {
    let words: Vec<_> = organization.split_whitespace().collect();
    let words = words.join(" ");
    // A final sigma and any other are one letter, with one capital.
    let one_sigma = |letter| if letter == 'ς' { 'σ' } else { letter };
    let lower = words.chars().flat_map(char::to_lowercase);
    lower.map(one_sigma).collect()
}
