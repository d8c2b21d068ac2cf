//! The table of the holes: what each is called, and what an attacker gets. `envoy/DOCTOR.md` has the same table.

use std::fmt;

use serde::{Serialize, Serializer};

/// A hole that the doctor knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// TLS admits certificates that it could not verify.
    AcceptUntrusted,
    /// TLS has nothing to verify certificates with, and so asks for none.
    NoTrustedCa,
    /// Clients may come without a certificate.
    CertificateOptional,
    /// A filter chain with the filter and without TLS.
    Plaintext,
    /// TLS sessions are resumed while Envoy must say that it validated the certificate.
    SessionResumption,
    /// A certificate of the listener ends.
    CertificateExpires,
    /// Another way to the same cluster, which does not pass the filter.
    AroundTheFilter,
    /// `FAIL_OPEN`.
    FailOpen,
    /// The filter's configuration is refused.
    FilterConfiguration,
    /// No connection manager has the filter.
    FilterMissing,
    /// The filter is switched off, everywhere or on a route.
    FilterOff,
    /// Identity headers are not removed before the filters.
    EarlyRemoval,
    /// Nothing behind the filter refuses a request without the mark.
    Guard,
    /// The route configuration does not write the identity headers once more.
    LastWord,
    /// Something behind the filter writes an identity header.
    OwnedHeaderWritten,
    /// Header names with an underscore get in.
    UnderscoresAllowed,
    /// X-Forwarded-Client-Cert of a client goes on.
    ForwardedClientCert,
    /// The filter of this Envoy cannot see the certificate.
    CertificateNotShown,
    /// The rate limit service is asked before there is a user.
    RateLimitInFront,
    /// JWTs are checked behind the filter.
    JwtBehind,
    /// The admin interface is on the network.
    AdminExposed,
    /// This Envoy lacks security fixes.
    OldEnvoy,
    /// This Envoy mixes up requests behind an upgrade.
    UpgradeSmuggling,
    /// Bodies of MCP are longer than what Envoy holds.
    McpBuffers,
    /// Envoy does not hand a body to the filter.
    McpNotHandedOver,
    /// A SPIFFE ID that no rule of `identity.map` fits is a user.
    UnmappedUser,
    /// The digest of the module is none.
    ModuleDigest,
    /// The plugin stands behind the policies.
    PluginPhase,
    /// A Gateway of another namespace takes the Pods of the ingress.
    ForeignGateway,
    /// The MCP gateway without a filter of its own is open to a second policy that allows.
    SecondAllow,
    /// Two configurations of one VM have one name.
    PluginNameShared,
    /// A patch that changes nothing.
    PatchWithoutEffect,
    /// A guard that asks for the mark alone.
    GuardByHeaderAlone,
    /// A policy on a route or listener takes the place of the Gateway's.
    PolicyDisplaced,
    /// Others may add listeners or routes to the Gateway.
    SharedGateway,
    /// Two objects say who gets through TLS.
    FrontendBesidePolicy,
}

/// The name of each rule, and what an attacker gets, or what goes wrong.
const TABLE: [(Rule, &str, &str); 36] = [
    (
        Rule::AcceptUntrusted,
        "accept_untrusted",
        "a certificate that anybody signs gets through TLS: with `validation: listener` its holder is whoever it names; with `required` the filter alone refuses it",
    ),
    (
        Rule::NoTrustedCa,
        "no_trusted_ca",
        "who has no certificate gets through TLS, even where one is required: the filter refuses everybody, or lets everybody on without an identity",
    ),
    (
        Rule::CertificateOptional,
        "certificate_optional",
        "who shows no certificate reaches the filter, and is refused there and not in the handshake",
    ),
    (
        Rule::Plaintext,
        "plaintext",
        "who comes this way has no certificate: the filter refuses everybody, or lets everybody on without an identity",
    ),
    (
        Rule::SessionResumption,
        "session_resumption",
        "users are refused (`certificate_not_validated`) from their second connection on",
    ),
    (
        Rule::CertificateExpires,
        "certificate_expires",
        "when it has ended no connection succeeds",
    ),
    (
        Rule::AroundTheFilter,
        "around_the_filter",
        "who connects here writes the user header and is whoever they like",
    ),
    (
        Rule::FailOpen,
        "fail_open",
        "after a request that makes the filter crash, all others pass without it; where the guard is not there, with no certificate asked for",
    ),
    (
        Rule::FilterConfiguration,
        "filter_configuration",
        "Envoy refuses this configuration: it serves on with an older one, or answers 500",
    ),
    (
        Rule::FilterMissing,
        "filter_missing",
        "nothing in these files looks at a client's certificate",
    ),
    (
        Rule::FilterOff,
        "filter_off",
        "requests on this way do not pass the filter: the guard refuses all of them, and without the guard a client is whoever its headers say",
    ),
    (
        Rule::EarlyRemoval,
        "early_removal",
        "when Envoy loses the filter, a client that writes the mark passes the guard; and what the last word does not cover reaches the gateway as the client wrote it",
    ),
    (
        Rule::Guard,
        "guard",
        "when Envoy loses the filter, every request passes, with no certificate read and no rule asked",
    ),
    (
        Rule::LastWord,
        "last_word",
        "whoever writes a route, a virtual host or a filter behind this one makes every user anybody",
    ),
    (
        Rule::OwnedHeaderWritten,
        "owned_header_written",
        "every user of this route is whoever it names",
    ),
    (
        Rule::UnderscoresAllowed,
        "underscores_allowed",
        "when Envoy loses the filter, `x_ssl_client_s_dn_cn` is left to the guard: many servers read it as the user header",
    ),
    (
        Rule::ForwardedClientCert,
        "forwarded_client_cert",
        "a client writes X-Forwarded-Client-Cert, and whatever behind this Envoy believes it takes the client for anybody",
    ),
    (
        Rule::CertificateNotShown,
        "certificate_not_shown",
        "this Envoy does not show the filter what it asks for: everybody is refused",
    ),
    (
        Rule::RateLimitInFront,
        "rate_limit_in_front",
        "no user is limited: the rate limit service is asked before there is a user header",
    ),
    (
        Rule::JwtBehind,
        "jwt_behind",
        "the filter sees no verified token: with `certificate.bound` a stolen token passes (`if_present`), or all are refused (`required`)",
    ),
    (
        Rule::AdminExposed,
        "admin_exposed",
        "who reaches the admin port stops Envoy, drains its listeners, and reads its configuration and memory",
    ),
    (
        Rule::OldEnvoy,
        "old_envoy",
        "what the advisories say: see the table of versions in envoy/DOCTOR.md",
    ),
    (
        Rule::UpgradeSmuggling,
        "upgrade_smuggling",
        "CVE-2026-73548: a client writes a second request behind an upgrade that the gateway does not take, with any user header, and the gateway believes it",
    ),
    (
        Rule::McpBuffers,
        "mcp_buffers",
        "a message of MCP that is longer than the buffer is answered 413 by Envoy, before `mcp.max_body` is reached",
    ),
    (
        Rule::McpNotHandedOver,
        "mcp_not_handed_over",
        "the filter holds a request for its body, and never gets it: 500 on `mcp.paths`",
    ),
    (
        Rule::UnmappedUser,
        "unmapped_user",
        "with a trust domain that is not the one of the map, every user is the SPIFFE ID of the proxy or workload that asks",
    ),
    (
        Rule::ModuleDigest,
        "module_digest",
        "with the digest of no image every request is answered 403; with none, whoever can write the tag is the filter",
    ),
    (
        Rule::PluginPhase,
        "plugin_phase",
        "the guard is asked before the filter has set the mark, so everybody is refused; or the filter asks the gateway's own requests for a certificate",
    ),
    (
        Rule::ForeignGateway,
        "foreign_gateway",
        "its owner serves your clients on your Pods, with your certificate and CA, by routes of their own; with your host they freeze your listener",
    ),
    (
        Rule::SecondAllow,
        "second_allow",
        "policies that ALLOW add up: whoever another one lets in writes the user header and is anybody",
    ),
    (
        Rule::PluginNameShared,
        "plugin_name_shared",
        "whom one of the two configurations revokes loses the open requests to the other as well, which admits them",
    ),
    (
        Rule::PatchWithoutEffect,
        "patch_without_effect",
        "the line that this patch should draw is not there, and nothing says so",
    ),
    (
        Rule::GuardByHeaderAlone,
        "guard_by_header_alone",
        "when the ClientTrafficPolicy and the filter are gone, a client writes the mark and the user header and is anybody",
    ),
    (
        Rule::PolicyDisplaced,
        "policy_displaced",
        "on this route the Gateway's filter or guard does not run: whoever writes the policy decides who the users are",
    ),
    (
        Rule::SharedGateway,
        "shared_gateway",
        "whoever may write a listener or a route elsewhere takes the MCP gateway's paths, and on a listener of their own decides who the users are",
    ),
    (
        Rule::FrontendBesidePolicy,
        "frontend_beside_policy",
        "when the ClientTrafficPolicy and the filter are gone, whoever has a certificate writes the mark and the user header and is anybody",
    ),
];

impl Rule {
    /// All rules.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(rule, ..)| *rule)
    }

    fn row(self) -> (&'static str, &'static str) {
        let mut rows = TABLE.iter();
        let row = rows.find(|(rule, ..)| *rule == self);
        row.map_or(("", ""), |(_, name, attacker)| (name, attacker))
    }

    /// The name, in lower case with underscores.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// What an attacker gets, or what goes wrong.
    pub fn attacker(self) -> &'static str {
        self.row().1
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_a_name_of_its_own_and_says_what_an_attacker_gets() {
        let mut names: Vec<_> = Rule::all().map(Rule::as_str).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), TABLE.len());
        assert_eq!(Rule::FrontendBesidePolicy as usize + 1, TABLE.len());
        assert!(Rule::all().all(|rule| !rule.attacker().is_empty()));
    }
}
