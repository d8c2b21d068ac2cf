//! The policy: everything that is asked of a request before it may pass, in its order.

use std::rc::Rc;

use crate::certificate::{PeerCertificate, Timestamp};
use crate::decide::client::ConnectionClient;
use crate::decide::decision::{Decision, Denial, Evidence, Permit};
use crate::identity::{DirectPeer, ForwardedHeader, Peer, Validation};
use crate::identity::{Identity, IdentityRules};
use crate::reason::Reason;
use crate::rules::{Action, Authorization, Forwarder, PinRules, Question};
use crate::rules::{Confirmation, Groups, Revocations, RulesOfClient, TokenRules};
use serde::{Deserialize, Serialize};

/// Who vouches that a certificate is the client's own and of a CA that is trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum ValidationSource {
    /// Envoy must report it for the connection.
    #[default]
    Required,
    /// The operator, whose listener admits validated certificates only.
    Listener,
}

/// What happens to a request without identity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum MissingIdentity {
    /// It is refused.
    #[default]
    Deny,
    /// It passes without identity headers.
    Strip,
}

/// A check that may be observed instead of enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum Check {
    /// `pins` and `pin_required`.
    Pins,
    /// `authorization`.
    Authorization,
    /// `rate_limit`.
    RateLimit,
    /// What is wrong with a message of MCP.
    Mcp,
}

/// What a decision depends on, beside the peer.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// When the request arrived.
    pub now: Timestamp,
    /// The certificate that the access token is bound to.
    pub token: Confirmation,
    /// What the request asks for.
    pub question: Question<'a>,
}

/// All that is asked of a request before it may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Who vouches for certificates.
    pub validation: ValidationSource,
    /// The peers that speak for their clients.
    pub forwarded_by: Vec<Forwarder>,
    /// The header in which they do.
    pub forwarded_header: ForwardedHeader,
    /// How a peer is named.
    pub identity: IdentityRules,
    /// What happens to a request without identity.
    pub missing: MissingIdentity,
    /// Paths on which a request without identity passes.
    pub anonymous_paths: Vec<String>,
    /// Certificates that are refused.
    pub revoked: Revocations,
    /// Which access tokens must be bound to the client's certificate.
    pub tokens: TokenRules,
    /// The certificates and keys that users must have.
    pub pins: PinRules,
    /// Who may do what. Without it every user may do everything.
    pub authorization: Option<Authorization>,
    /// What is observed and not enforced.
    pub observe: Vec<Check>,
}

impl Policy {
    /// Decides on a request. A pure function: time is part of the request.
    pub fn decide(&self, request: &Request<'_>, client: &ConnectionClient) -> Decision<'_> {
        let mut evidence = Evidence::default();
        match self.check(request, client, &mut evidence) {
            Ok(()) => Decision::Allow(Permit::new(evidence)),
            Err(reason) => Decision::Deny(Denial { reason, evidence }),
        }
    }

    fn check<'p>(
        &'p self,
        request: &Request<'_>,
        client: &ConnectionClient,
        evidence: &mut Evidence<'p>,
    ) -> Result<(), Reason> {
        match identify(client, request.now, evidence) {
            Err(reason) if !reason.is_missing_identity() => return Err(reason),
            Err(reason) if !self.admits_anonymous(request) => return Err(reason),
            Err(_) | Ok(()) => {}
        }
        client.revoked?;
        self.check_token(request, evidence)?;
        let pins = evidence.checks.as_ref().map_or(Ok(()), |it| it.pins);
        self.enforce(Check::Pins, pins, evidence)?;
        let authorized = self.authorize(request, evidence);
        self.enforce(Check::Authorization, authorized, evidence)
    }

    /// Whether Envoy vouches for a peer's certificate as `certificate.validation` wants it. A principal has
    /// none that Envoy could report on: the mesh vouches for it.
    ///
    /// # Errors
    /// [`Reason::CertificateNotValidated`].
    pub fn check_validated(&self, direct: &DirectPeer) -> Result<(), Reason> {
        match (self.validation, &direct.peer, direct.validation) {
            (ValidationSource::Required, Peer::Certificate(_), Validation::NotReported) => {
                Err(Reason::CertificateNotValidated)
            }
            (ValidationSource::Listener, _, _)
            | (_, Peer::Principal(_), _)
            | (_, _, Validation::Validated) => Ok(()),
        }
    }

    /// Whether a direct peer is one of `certificate.forwarded_by`.
    pub fn speaks_for_others(&self, direct: &DirectPeer) -> bool {
        let mut forwarders = self.forwarded_by.iter();
        forwarders.any(|forwarder| forwarder.is(&direct.peer))
    }

    fn admits_anonymous(&self, request: &Request<'_>) -> bool {
        self.missing == MissingIdentity::Strip || self.is_anonymous_path(request)
    }

    fn is_anonymous_path(&self, request: &Request<'_>) -> bool {
        let is_path = |allowed: &String| allowed.as_bytes() == request.question.path.as_bytes();
        self.anonymous_paths.iter().any(is_path)
    }

    /// Whether none of these peers has a certificate that is revoked.
    ///
    /// # Errors
    /// [`Reason::Revoked`].
    pub fn check_revoked<'a>(
        &self,
        peers: impl IntoIterator<Item = &'a Peer>,
    ) -> Result<(), Reason> {
        let mut certificates = peers.into_iter().filter_map(Peer::certificate);
        match certificates.any(|certificate| self.revoked.contains(certificate)) {
            true => Err(Reason::Revoked),
            false => Ok(()),
        }
    }

    /// Whether the access token is bound to the client's certificate, as `certificate.bound` wants it. What is wrong is
    /// noted.
    fn check_token(
        &self,
        request: &Request<'_>,
        evidence: &mut Evidence<'_>,
    ) -> Result<(), Reason> {
        let certificate = evidence.peer.as_ref().and_then(Peer::certificate);
        let may_be_absent = evidence.checks.is_none() && self.is_anonymous_path(request);
        let checked = self.tokens.check(request.token, certificate, may_be_absent);
        checked.map_err(|detail| {
            evidence.detail = Some(detail.into());
            Reason::TokenNotBound
        })
    }

    /// The authorization rules that can match a request of this user.
    pub fn rules_of(&self, identity: &Identity, peer: &Peer) -> RulesOfClient {
        let authorization = self.authorization.as_ref();
        let rules = authorization.map(|it| it.rules_of(identity, &Groups::new(peer)));
        rules.unwrap_or_default()
    }

    fn authorize<'p>(
        &'p self,
        request: &Request<'_>,
        evidence: &mut Evidence<'p>,
    ) -> Result<(), Reason> {
        let Some(authorization) = &self.authorization else {
            return Ok(());
        };
        let client = evidence.checks.as_ref().map(|checks| &checks.rules);
        let (action, rule) = authorization.decide(client, &request.question);
        evidence.rule = rule.map(|rule| rule.name.as_str());
        match action {
            Action::Allow => Ok(()),
            Action::Deny => Err(Reason::NotAuthorized),
        }
    }

    /// Whether a check is observed and not enforced.
    pub fn observes(&self, check: Check) -> bool {
        self.observe.contains(&check)
    }

    /// The result of a check. If the check is only observed, a failure is noted and passes.
    fn enforce(
        &self,
        check: Check,
        result: Result<(), Reason>,
        evidence: &mut Evidence<'_>,
    ) -> Result<(), Reason> {
        match result {
            Err(reason) if self.observes(check) => {
                evidence.observed.push(reason);
                Ok(())
            }
            other => other,
        }
    }
}

/// Puts the client into the evidence, if its certificates are valid now.
fn identify(
    client: &ConnectionClient,
    now: Timestamp,
    evidence: &mut Evidence<'_>,
) -> Result<(), Reason> {
    let direct = known(&client.direct, client, evidence)?;
    evidence.peer = Some(direct.clone());
    client.validated?;
    check_validity(direct, now, &mut evidence.detail)?;
    if let Some(forwarded) = &client.client {
        evidence.intermediary = evidence.peer.take();
        let peer = known(forwarded, client, evidence)?;
        evidence.peer = Some(peer.clone());
        check_validity(peer, now, &mut evidence.detail)?;
    }
    let checks = known(&client.checks, client, evidence)?;
    evidence.checks = Some(checks.clone());
    Ok(())
}

/// What was found out about a client. If it was not, the detail says why.
fn known<'c, T>(
    found: &'c Result<T, Reason>,
    client: &ConnectionClient,
    evidence: &mut Evidence<'_>,
) -> Result<&'c T, Reason> {
    found.as_ref().map_err(|&reason| {
        evidence.detail = client.detail.clone();
        reason
    })
}

/// RFC 5280 section 4.1.2.5: both ends of the validity belong to it. Envoy looked at it only in the handshake. The detail of
/// a refusal says whose certificate it is: it has no user, since nothing more is asked of it.
fn check_validity(peer: &Peer, now: Timestamp, detail: &mut Option<Rc<str>>) -> Result<(), Reason> {
    let Some(certificate) = peer.certificate() else {
        return Ok(());
    };
    let reason = if now < certificate.not_before() {
        Reason::CertificateNotYetValid
    } else if now > certificate.not_after() {
        Reason::CertificateExpired
    } else {
        return Ok(());
    };
    *detail = Some(validity(certificate).into());
    Err(reason)
}

/// Whose certificate this is, and when it is valid.
fn validity(certificate: &PeerCertificate) -> String {
    let (from, until) = (certificate.not_before(), certificate.not_after());
    let subject = certificate.subject().ok().filter(|it| !it.is_empty());
    let holder = subject.map(ToString::to_string);
    let holder = holder.or_else(|| certificate.spiffe_id().map(|id| id.to_string()));
    let of = holder.map_or_else(String::new, |holder| format!(" of {holder}"));
    format!("the certificate{of} is valid from {from} to {until}")
}
