//! The sections `rate_limit` and `mcp`, built.

use super::build::{Builder, top, user_pattern};
use super::document::{
    LimitSection, McpBodySection, McpLimitSection, McpSection, QuotaSection, RateLimitSection,
};
use super::place::Path;
use super::values;
use crate::limit::{Limit, McpLimit, Quota, Rate, RateLimits};
use crate::rules::{McpRules, PathPattern};

impl Builder {
    pub(super) fn rate_limits(&mut self, section: RateLimitSection) -> RateLimits {
        let RateLimitSection {
            default,
            identities,
            anonymous,
            mcp,
            response_headers,
        } = section;
        let mcp = self.mcp_limits(mcp);
        let path = top("rate_limit");
        // In the order of the patterns, the closest first.
        let identities = self.map(&path.key("identities"), identities, user_pattern);
        let identities = identities
            .into_iter()
            .filter_map(|(pattern, (path, limit))| {
                let limit = match limit {
                    LimitSection::Unlimited => Limit::Unlimited,
                    LimitSection::Quota(section) => Limit::Quota(self.quota(section, &path)?),
                };
                Some((pattern, limit))
            });
        RateLimits {
            identities: identities.collect(),
            default: default.and_then(|section| self.quota(section, &path.key("default"))),
            anonymous: anonymous.and_then(|section| self.quota(section, &path.key("anonymous"))),
            mcp,
            response_headers,
        }
    }

    pub(super) fn mcp_rules(&mut self, section: McpBodySection) -> McpRules {
        let McpBodySection { paths, max_body } = section;
        let path = top("mcp");
        let paths = self.list(&path.key("paths"), paths, PathPattern::try_from);
        let max_body = self.keep(&path.key("max_body"), values::max_body(&max_body));
        McpRules {
            paths,
            max_body: max_body.unwrap_or_default(),
        }
    }

    fn mcp_limits(&mut self, sections: Vec<McpLimitSection>) -> Vec<McpLimit> {
        let mut limits = Vec::new();
        for (index, section) in sections.into_iter().enumerate() {
            let path = top("rate_limit").key("mcp").index(index);
            let McpLimitSection {
                methods,
                names,
                rate,
                burst,
            } = section;
            let messages = self.mcp_condition(McpSection { methods, names }, &path);
            let quota = self.quota(QuotaSection { rate, burst }, &path);
            limits.extend(quota.map(|quota| McpLimit { messages, quota }));
        }
        limits
    }

    fn quota(&mut self, section: QuotaSection, path: &Path) -> Option<Quota> {
        let QuotaSection { rate, burst } = section;
        let rate = self.keep(&path.key("rate"), Rate::try_from(rate));
        let burst = self.keep(&path.key("burst"), values::burst(&burst));
        Some(Quota::new(rate?, burst?))
    }
}
