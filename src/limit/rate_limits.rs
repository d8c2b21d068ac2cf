//! `rate_limit`: which limit a request is charged to.

use serde::{Deserialize, Serialize};

use crate::identity::{Identity, User};
use crate::limit::gcra::{Nanoseconds, Quota, TheoreticalArrivalTime, Verdict};
use crate::limit::table::{Charged, LimitKey, TableKey};
use crate::request::McpMessage;
use crate::rules::{Action, McpCondition, UserPattern};

const SECOND: Nanoseconds = 1_000_000_000;

/// Which headers tell a client of its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum ResponseHeaders {
    /// None but `Retry-After` with a 429.
    #[default]
    None,
    /// `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10).
    Draft,
    /// `x-ratelimit-limit`, `x-ratelimit-remaining`, `x-ratelimit-reset`.
    Legacy,
}

/// The limit of some users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Each has a budget of this quota.
    Quota(Quota),
    /// None.
    Unlimited,
}

/// Who is limited, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// For users that no entry of `identities` fits.
    pub default: Option<Quota>,
    /// Exact users first, then the longest pattern that matches.
    pub identities: Vec<(UserPattern, Limit)>,
    /// For all requests without identity together.
    pub anonymous: Option<Quota>,
    /// Further budgets, for some messages of MCP. Every one that fits a message is charged.
    pub mcp: Vec<McpLimit>,
    /// What a client is told.
    pub response_headers: ResponseHeaders,
}

/// A request to be charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge<'a> {
    /// To whom; none for all requests without identity together.
    pub user: Option<&'a User>,
    /// To which quota.
    pub quota: Quota,
    /// For which messages of MCP, where the budget is for these only.
    pub messages: Option<&'a McpCondition>,
    /// Whether nothing is to be spent: it is only asked whether the request could pass.
    pub is_question: bool,
}

/// A further budget of each user, for some messages of MCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpLimit {
    /// The messages.
    pub messages: McpCondition,
    /// The budget.
    pub quota: Quota,
}

impl Charge<'_> {
    /// The place of the state in the shared table.
    pub fn key(&self, table: &TableKey) -> LimitKey {
        LimitKey::new(table, self.user, &self.quota, self.messages)
    }
}

impl RateLimits {
    /// The quota of a user; none where there is no limit.
    pub fn quota_of(&self, identity: &Identity) -> Option<Quota> {
        let mut limits = self.identities.iter();
        match limits.find(|(pattern, _)| pattern.matches(identity)) {
            Some((_, Limit::Quota(quota))) => Some(*quota),
            Some((_, Limit::Unlimited)) => None,
            None => self.default,
        }
    }

    /// The further budgets that a message is charged to.
    pub fn mcp_limits<'a>(&'a self, message: &'a McpMessage) -> impl Iterator<Item = &'a McpLimit> {
        let fits = |limit: &&McpLimit| limit.messages.fits(message, Action::Allow);
        self.mcp.iter().filter(fits)
    }

    /// Whether there is any limit at all.
    pub fn is_anybody_limited(&self) -> bool {
        let mut limits = self.identities.iter();
        let is_limited = limits.any(|(_, limit)| *limit != Limit::Unlimited);
        is_limited || self.default.is_some() || self.anonymous.is_some() || !self.mcp.is_empty()
    }
}

/// What is left of a limit, for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    quota: Quota,
    verdict: Verdict,
    state: TheoreticalArrivalTime,
    now: Nanoseconds,
}

impl Allowance {
    /// What is left after a charge.
    pub fn after(charge: &Charge<'_>, charged: &Charged, now: Nanoseconds) -> Self {
        Self {
            quota: charge.quota,
            verdict: charged.verdict,
            state: charged.state,
            now,
        }
    }

    /// Whether the request may pass.
    pub fn is_allowed(&self) -> bool {
        matches!(self.verdict, Verdict::Allowed(_))
    }

    /// The headers of the response.
    pub fn headers(&self, kind: ResponseHeaders) -> Vec<(&'static str, String)> {
        let mut headers = match kind {
            ResponseHeaders::None => Vec::new(),
            ResponseHeaders::Draft => self.draft(),
            ResponseHeaders::Legacy => self.legacy(),
        };
        if !self.is_allowed() {
            let wait = whole_seconds(self.quota.retry_after(self.state, self.now));
            headers.push(("retry-after", wait.max(1).to_string()));
        }
        headers
    }

    fn draft(&self) -> Vec<(&'static str, String)> {
        let (limit, remaining) = (self.quota.limit(), self.remaining());
        let window = whole_seconds(self.quota.window());
        // Section 4.1.2: until there is more, not until there is all.
        let next = whole_seconds(self.quota.next_after(self.state, self.now));
        let policy = format!("\"identity\";q={limit};w={window}");
        let left = format!("\"identity\";r={remaining};t={next}");
        vec![("ratelimit-policy", policy), ("ratelimit", left)]
    }

    fn legacy(&self) -> Vec<(&'static str, String)> {
        let reset = whole_seconds(self.quota.reset_after(self.state, self.now));
        vec![
            ("x-ratelimit-limit", self.quota.limit().to_string()),
            ("x-ratelimit-remaining", self.remaining().to_string()),
            ("x-ratelimit-reset", reset.to_string()),
        ]
    }

    fn remaining(&self) -> u64 {
        self.quota.remaining(self.state, self.now)
    }
}

fn whole_seconds(time: Nanoseconds) -> u64 {
    time.div_ceil(SECOND)
}
