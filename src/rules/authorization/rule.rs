//! A rule: its conditions, and whether a client and a request meet them.

use std::cell::OnceCell;

use crate::certificate::ComparableName;
use crate::identity::Identity;
use crate::request::{McpMessage, RequestHead, RequestPath};
use crate::rules::action::Action;
use crate::rules::authorization::group::Groups;
use crate::rules::authorization::header_entries::{Entries, HeaderEntries};
use crate::rules::authorization::header_readings::cookie_name;
use crate::rules::mcp::{Holds, McpCondition, Message};
use crate::rules::pattern::{PathPattern, Pattern};
use crate::rules::user_pattern::UserPattern;

/// The values a request's header may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderCondition {
    /// The header, in lower case and with `-` for `_`.
    pub name: String,
    /// Any one of these matches a value.
    pub values: Vec<Pattern>,
}

/// One rule. A condition that is empty is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// The name in records.
    pub name: String,
    /// What the rule does.
    pub action: Action,
    /// Users.
    pub identities: Vec<UserPattern>,
    /// organizationNames of the subject, as [`crate::rules::comparable_group`] makes them.
    pub organizations: Vec<String>,
    /// organizationalUnitNames of the subject, in the same form.
    pub organizational_units: Vec<String>,
    /// Issuers of the certificate.
    pub issuers: Vec<ComparableName>,
    /// Methods, in upper case.
    pub methods: Vec<String>,
    /// Paths without query.
    pub paths: Vec<PathPattern>,
    /// Headers, all of which must match.
    pub headers: Vec<HeaderCondition>,
    /// The message of MCP; none where a rule is about any request.
    pub mcp: Option<McpCondition>,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// `:method`.
    pub method: &'a [u8],
    /// `:path` without query.
    pub path: &'a RequestPath<'a>,
    /// The headers of the request.
    pub head: RequestHead<'a>,
    /// The message of MCP in the body.
    pub message: Message<'a>,
}

impl<'a> Question<'a> {
    /// What a request with this head asks for. The path is the head's.
    pub fn new(head: RequestHead<'a>, path: &'a RequestPath<'a>, message: Message<'a>) -> Self {
        Self {
            method: head.first(":method"),
            path,
            head,
            message,
        }
    }
}

impl Rule {
    /// Whether the conditions on the client hold. Without a client no condition on one does.
    pub(super) fn matches_client(&self, client: Option<(&Identity, &Groups)>) -> bool {
        let (identity, groups) = client.unzip();
        self.matches_identity(identity) && self.matches_groups(groups)
    }

    fn matches_identity(&self, identity: Option<&Identity>) -> bool {
        let mut listed = self.identities.iter();
        self.identities.is_empty()
            || identity.is_some_and(|identity| listed.any(|pattern| pattern.matches(identity)))
    }

    fn matches_groups(&self, groups: Option<&Groups>) -> bool {
        match groups {
            Some(groups) => {
                groups.organizations.fit(&self.organizations, self.action)
                    && groups.units.fit(&self.organizational_units, self.action)
                    && groups.fit_issuer(&self.issuers, self.action)
            }
            None => {
                self.organizations.is_empty()
                    && self.organizational_units.is_empty()
                    && self.issuers.is_empty()
            }
        }
    }

    /// The first condition that does not hold, by its key in the configuration.
    pub(super) fn unmet_condition(
        &self,
        client: Option<(&Identity, &Groups)>,
        question: &Question<'_>,
        headers: &RequestHeaders<'_>,
    ) -> Option<&'static str> {
        let (identity, groups) = client.unzip();
        let fits_header = |it: &HeaderCondition| self.matches_header(it, headers);
        let conditions = [
            ("identities", self.matches_identity(identity)),
            (
                "organizations, organizational_units or issuers",
                self.matches_groups(groups),
            ),
            ("methods", self.matches_method(question.method)),
            ("paths", self.matches_path(question.path)),
            ("headers", self.headers.iter().all(fits_header)),
            (
                "mcp",
                self.holds_for(question.message, headers) == Holds::Yes,
            ),
        ];
        let mut unmet = conditions.into_iter().filter(|(_, holds)| !holds);
        unmet.next().map(|(key, _)| key)
    }

    pub(super) fn matches(&self, question: &Question<'_>, headers: &RequestHeaders<'_>) -> Holds {
        let holds = self.matches_method(question.method)
            && self.matches_path(question.path)
            && self
                .headers
                .iter()
                .all(|condition| self.matches_header(condition, headers));
        match holds {
            true => self.holds_for(question.message, headers),
            false => Holds::No,
        }
    }

    fn holds_for(&self, message: Message<'_>, headers: &RequestHeaders<'_>) -> Holds {
        match (&self.mcp, message, self.action) {
            (None, _, _) => Holds::Yes,
            (Some(condition), Message::Read(message), Action::Deny) => {
                Holds::of(condition.fits_lowercase(headers.lowercase(message)))
            }
            (Some(condition), message, action) => condition.holds(message, action),
        }
    }

    fn matches_method(&self, method: &[u8]) -> bool {
        let is_listed = |listed: &String| match self.action {
            Action::Allow => listed.as_bytes() == method,
            // Methods have a case, but not to every gateway.
            Action::Deny => listed.as_bytes().eq_ignore_ascii_case(method),
        };
        self.methods.is_empty() || self.methods.iter().any(is_listed)
    }

    /// A path without a normal form may be any path: no rule with paths allows it, and every rule with paths that denies
    /// matches it.
    fn matches_path(&self, path: &RequestPath<'_>) -> bool {
        if self.paths.is_empty() {
            return true;
        }
        let is_listed = |path: &[u8]| self.paths.iter().any(|pattern| pattern.matches(path));
        match self.action {
            Action::Allow => path.normal().is_some_and(is_listed),
            Action::Deny => path
                .either_end()
                .is_none_or(|ends| ends.into_iter().any(is_listed)),
        }
    }

    fn matches_header(&self, condition: &HeaderCondition, headers: &RequestHeaders<'_>) -> bool {
        match (self.action, headers.entries(self.action, &condition.name)) {
            (Action::Allow, Some(HeaderEntries::Few(entries))) => condition.allows(entries),
            (Action::Deny, Some(HeaderEntries::Few(entries))) => entries.any(&condition.values),
            (action, Some(HeaderEntries::TooMany) | None) => action == Action::Deny,
        }
    }
}

impl HeaderCondition {
    /// Whether every entry of the header is one of the values. Of a cookie only the pairs count whose names the values
    /// have.
    fn allows(&self, entries: &Entries<'_>) -> bool {
        let is_pair = |pattern: &Pattern| pattern.text().contains(&b'=');
        if self.name != "cookie" || !self.values.iter().all(is_pair) {
            return entries.all(&self.values);
        }
        let names = self.values.iter().map(|it| cookie_name(it.text()));
        entries.all_pairs(&self.values, &names.collect())
    }
}

/// The headers of a request that rules ask about. Each is split when the first rule asks, and once for all rules; so is
/// its message put into lower case.
pub(super) struct RequestHeaders<'a> {
    names: &'a [String],
    head: RequestHead<'a>,
    allow: Vec<OnceCell<HeaderEntries<'a>>>,
    deny: Vec<OnceCell<HeaderEntries<'a>>>,
    message: OnceCell<McpMessage>,
}

impl<'a> RequestHeaders<'a> {
    pub(super) fn new(names: &'a [String], head: RequestHead<'a>) -> Self {
        let unread = || names.iter().map(|_| OnceCell::new()).collect();
        Self {
            names,
            head,
            allow: unread(),
            deny: unread(),
            message: OnceCell::new(),
        }
    }

    /// The message of this request in lower case.
    fn lowercase(&self, message: &McpMessage) -> &McpMessage {
        self.message.get_or_init(|| message.to_lowercase())
    }

    /// The entries of a header as rules of this action compare them; none for a name that no rule has.
    fn entries(&self, action: Action, name: &str) -> Option<&HeaderEntries<'a>> {
        let place = self.names.binary_search_by(|it| it.as_str().cmp(name));
        let place = place.ok()?;
        let (cells, read): (_, fn(&RequestHead<'a>, &str) -> _) = match action {
            Action::Allow => (&self.allow, HeaderEntries::for_allow),
            Action::Deny => (&self.deny, HeaderEntries::for_deny),
        };
        let cell = cells.get(place)?;
        Some(cell.get_or_init(|| read(&self.head, name)))
    }
}
