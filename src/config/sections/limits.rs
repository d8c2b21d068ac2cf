//! The sections `rate_limit` and `mcp`, built.

use super::builder::{Builder, top, user_pattern};
use super::values;
use crate::config::document::{
    LimitSection, McpBodySection, McpLimitSection, McpSection, QuotaSection, RateLimitSection,
};
use crate::config::place::Path;
use crate::limit::{Limit, McpLimit, Quota, Rate, RateLimits};
use crate::rules::{Authorization, McpRules, PathPattern};

impl Builder {
    /// Both sections. Rules and limits for messages need paths whose bodies are read.
    pub(super) fn mcp_and_limits(
        &mut self,
        mcp: McpBodySection,
        limits: RateLimitSection,
        authorization: Option<&Authorization>,
    ) -> (McpRules, RateLimits) {
        let mcp = self.mcp_rules(mcp);
        if let Some(authorization) = authorization {
            self.check_mcp(authorization, &mcp);
        }
        let limits = self.rate_limits(limits);
        if !limits.mcp.is_empty() && mcp.paths.is_empty() {
            let path = top("rate_limit").key("mcp");
            self.error(&path, "needs \"mcp.paths\": no body is read without");
        }
        (mcp, limits)
    }

    fn rate_limits(&mut self, section: RateLimitSection) -> RateLimits {
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

    fn mcp_rules(&mut self, section: McpBodySection) -> McpRules {
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
