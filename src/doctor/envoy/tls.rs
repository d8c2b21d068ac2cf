//! What TLS of a filter chain asks of its clients.

use std::fs;
use std::path::Path;

use crate::certificate::{PeerCertificate, Timestamp};
use crate::config::Configuration;
use crate::decide::{MissingIdentity, ValidationSource};
use crate::encoding;

use super::manager::Chain;
use super::proxy::Proxy;
use crate::doctor::finding::{Finding, Report, Severity};
use crate::doctor::node::Node;
use crate::doctor::rule::Rule;

/// A certificate that ends within this time, in seconds, is a warning.
const SOON: i64 = 14 * 86_400;

/// One that lives shorter is renewed by something. It is a warning in the last part of its life, so many parts of it.
const PARTS: i64 = 10;

/// The longest file of certificates that is read.
const LONGEST_FILE: u64 = 1024 * 1024;

/// A filter chain with the filter, and how that is configured.
pub(super) struct Tls<'a, 'p> {
    pub(super) chain: &'p Chain<'a>,
    pub(super) proxy: &'p Proxy<'a>,
    /// None where the filter's configuration is not known.
    pub(super) configuration: Option<&'p Configuration>,
    pub(super) now: Timestamp,
}

impl<'a> Tls<'a, '_> {
    /// All that is wrong with TLS of this chain.
    pub(super) fn check(&self, report: &mut Report) {
        let Some(tls) = self.chain.tls() else {
            if !self.chain.is_internal() {
                self.add(report, self.plaintext());
            }
            return;
        };
        let common = tls.get("common_tls_context");
        let common = common.as_ref().unwrap_or(&tls);
        let contexts = self.validation_contexts(common, report);
        self.check_trust(&tls, common, &contexts, report);
        if self.requires_validation() {
            self.check_resumption(&tls, report);
        }
        self.check_certificates(common, &contexts, report);
    }

    fn add(&self, report: &mut Report, finding: Finding) {
        report.add(self.chain.place(finding));
    }

    fn plaintext(&self) -> Finding {
        Finding::warning(
            Rule::Plaintext,
            &self.chain.node,
            "the chain has the filter and no TLS",
            "transport_socket: see filter_chains in envoy/envoy.yaml",
        )
    }

    fn requires_validation(&self) -> bool {
        let validation = self.configuration.map(|it| it.filter.policy.validation);
        validation == Some(ValidationSource::Required)
    }

    /// The CertificateValidationContexts of the chain, those that come by SDS as well.
    fn validation_contexts(&self, common: &Node<'a>, report: &mut Report) -> Vec<Node<'a>> {
        let places = [
            "validation_context",
            "combined_validation_context.default_validation_context",
        ];
        let mut contexts: Vec<_> = places.iter().filter_map(|it| common.get(it)).collect();
        for place in [
            "validation_context_sds_secret_config",
            "combined_validation_context.validation_context_sds_secret_config",
        ] {
            if let Some(secret) = common.get(place) {
                contexts.extend(self.secret(&secret, "validation_context", report));
            }
        }
        contexts
    }

    fn secret(&self, named: &Node<'a>, kind: &str, report: &mut Report) -> Option<Node<'a>> {
        let name = named.text("name");
        let secret = self.proxy.secrets.get(name);
        let found = secret.and_then(|secret| secret.get(kind));
        if found.is_none() {
            report.cannot_see(format!("the secret {name:?} ({kind}), which comes by SDS"));
        }
        found
    }

    fn check_trust(
        &self,
        tls: &Node<'a>,
        common: &Node<'a>,
        contexts: &[Node<'a>],
        report: &mut Report,
    ) {
        let untrusted = contexts.iter().filter(|it| accepts_untrusted(it));
        let untrusted: Vec<_> = untrusted.collect();
        for context in &untrusted {
            let found = "trust_chain_verification: ACCEPT_UNTRUSTED";
            let cure = "trust_chain_verification: VERIFY_TRUST_CHAIN";
            let finding = Finding::error(Rule::AcceptUntrusted, context, found, cure);
            self.add(report, finding);
        }
        let is_required = tls.is_true("require_client_certificate");
        let asks = is_required || !contexts.is_empty();
        let may_verify = contexts.iter().any(verifies) || self.misses_a_secret(common);
        if asks && !may_verify && untrusted.is_empty() {
            self.add(report, self.no_trusted_ca(common, is_required));
        }
        if !is_required {
            self.check_optional(tls, report);
        }
    }

    /// Without a CA Envoy asks no client for a certificate, even where one is required.
    fn no_trusted_ca(&self, common: &Node<'a>, is_required: bool) -> Finding {
        let severity = match is_required && !self.refuses_nobodies() {
            true => Severity::Error,
            false => Severity::Warning,
        };
        let found = "there is no trusted_ca, and so Envoy asks nobody for a certificate";
        let cure = "validation_context: { trusted_ca: { filename: envoy/certs/ca.crt } }";
        Finding::new(severity, Rule::NoTrustedCa, common, found, cure)
    }

    /// Whether the filter refuses every request without an identity.
    fn refuses_nobodies(&self) -> bool {
        self.configuration.is_none_or(|configuration| {
            let policy = &configuration.filter.policy;
            policy.missing == MissingIdentity::Deny && policy.anonymous_paths.is_empty()
        })
    }

    fn misses_a_secret(&self, common: &Node<'a>) -> bool {
        [
            "validation_context_sds_secret_config.name",
            "combined_validation_context.validation_context_sds_secret_config.name",
        ]
        .iter()
        .any(|place| {
            let name = common.text(place);
            !name.is_empty() && !self.proxy.secrets.contains_key(name)
        })
    }

    /// Who lets people on without an identity must not insist on a certificate.
    fn check_optional(&self, tls: &Node<'a>, report: &mut Report) {
        if self.configuration.is_some() && self.refuses_nobodies() {
            let found = "a client certificate is not required";
            let cure = "require_client_certificate: true";
            let finding = Finding::warning(Rule::CertificateOptional, tls, found, cure);
            self.add(report, finding);
        }
    }

    fn check_resumption(&self, tls: &Node<'a>, report: &mut Report) {
        let versions = "common_tls_context.tls_params.tls_minimum_protocol_version";
        let only_13 = tls.is(versions, "TLSv1_3", 4);
        let is_off = tls.is_true("disable_stateless_session_resumption")
            && (only_13 || tls.is_true("disable_stateful_session_resumption"));
        if !is_off {
            self.add(report, Finding::warning(
                Rule::SessionResumption,
                tls,
                "sessions are resumed, and on a resumed one Envoy does not say that it validated the certificate",
                "disable_stateless_session_resumption: true\ndisable_stateful_session_resumption: true",
            ));
        }
    }

    /// The listener's own certificates, and those of the CAs.
    fn check_certificates(&self, common: &Node<'a>, contexts: &[Node<'a>], report: &mut Report) {
        let mut sources: Vec<_> = common.list("tls_certificates");
        for secret in common.list("tls_certificate_sds_secret_configs") {
            sources.extend(self.secret(&secret, "tls_certificate", report));
        }
        let own = sources.iter().filter_map(|it| it.get("certificate_chain"));
        let trusted = contexts.iter().filter_map(|it| it.get("trusted_ca"));
        let (own, trusted): (Vec<_>, Vec<_>) = (own.collect(), trusted.collect());
        for source in own {
            // Behind the listener's own certificate stand those of its issuers.
            let certificates = self.certificates(&source, report);
            self.check_ends(&source, certificates.first(), report);
        }
        for source in trusted {
            let certificates = self.certificates(&source, report);
            // As long as one CA is valid somebody gets in.
            let last = certificates.iter().max_by_key(|it| it.not_after());
            self.check_ends(&source, last, report);
        }
    }

    fn check_ends(
        &self,
        source: &Node<'a>,
        certificate: Option<&PeerCertificate>,
        report: &mut Report,
    ) {
        let Some(certificate) = certificate else {
            return;
        };
        let end = certificate.not_after();
        let life = end.unix().saturating_sub(certificate.not_before().unix());
        let soon = SOON.min(life / PARTS);
        if end.unix() > self.now.unix().saturating_add(soon) {
            return;
        }
        let word = if end < self.now { "ended" } else { "ends" };
        let finding = Finding::new(
            Severity::Warning,
            Rule::CertificateExpires,
            source,
            format!("the certificate {word} {end}"),
            "renew it, and have it renewed: envoy/certs.sh --renew, or SDS (envoy/xds)",
        );
        self.add(report, finding);
    }

    /// The certificates of a DataSource.
    fn certificates(&self, source: &Node<'a>, report: &mut Report) -> Vec<PeerCertificate> {
        let inline = source.get("inline_string").and_then(|it| it.as_str());
        let bytes = inline.map(|text| text.as_bytes().to_vec());
        let encoded = source.get("inline_bytes").and_then(|it| it.as_str());
        let bytes = bytes.or_else(|| encoding::bytes_of_base64(encoded?.as_bytes()));
        let name = source.text("filename");
        let bytes = bytes.or_else(|| match source.document.is_local {
            true => file(name),
            false => None,
        });
        let Some(bytes) = bytes else {
            let what = if name.is_empty() { "a secret" } else { name };
            report.cannot_see(format!("{what}: when the certificate ends"));
            return Vec::new();
        };
        certificates_of_pem(&bytes)
    }
}

fn accepts_untrusted(context: &Node<'_>) -> bool {
    context.is("trust_chain_verification", "ACCEPT_UNTRUSTED", 1)
}

/// Whether certificates are verified with this context.
fn verifies(context: &Node<'_>) -> bool {
    [
        "trusted_ca",
        "system_root_certs",
        "ca_certificate_provider_instance",
        "custom_validator_config",
        "verify_certificate_spki",
        "verify_certificate_hash",
    ]
    .iter()
    .any(|field| context.get(field).is_some())
}

/// A regular file of a usual length.
fn file(name: &str) -> Option<Vec<u8>> {
    let path = Path::new(name);
    let about = fs::metadata(path).ok()?;
    let is_usual = about.is_file() && about.len() <= LONGEST_FILE;
    is_usual.then(|| fs::read(path).ok()).flatten()
}

fn certificates_of_pem(bytes: &[u8]) -> Vec<PeerCertificate> {
    let blocks = pem::parse_many(bytes).unwrap_or_default().into_iter();
    let certificates = blocks.filter(|block| block.tag() == "CERTIFICATE");
    certificates
        .filter_map(|block| PeerCertificate::from_der(block.into_contents()).ok())
        .collect()
}
