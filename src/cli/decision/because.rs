//! Why the filter decides as it does: the facts that a person would look for.

use mtls_identity::certificate::{PeerCertificate, Timestamp};
use mtls_identity::decide::{Evidence, Filter, Outcome};
use mtls_identity::encoding::{base64, hex};
use mtls_identity::identity::{Identity, Peer};
use mtls_identity::reason::Reason;
use mtls_identity::request::RequestHead;
use mtls_identity::rules::{Action, Authorization, Groups, Message, Question};

use crate::cli::text::quoted;

/// The facts, one a line.
pub(super) fn because(
    filter: &Filter,
    outcome: &Outcome<'_>,
    head: &RequestHead<'_>,
    now: Timestamp,
) -> Vec<String> {
    let evidence = outcome.decision.evidence();
    let reason = outcome.decision.reason();
    let mut facts = Vec::new();
    match reason {
        Some(Reason::MalformedRequest) => {
            facts.extend(evidence.detail.as_ref().map(ToString::to_string));
            return facts;
        }
        Some(Reason::CertificateExpired | Reason::CertificateNotYetValid) => {
            facts.extend(evidence.detail.as_ref().map(ToString::to_string));
            facts.push(format!("the request is of {now}"));
            return facts;
        }
        Some(Reason::Revoked) => facts.push("revoked names the certificate".to_owned()),
        _ => {}
    }
    facts.extend(evidence.detail.as_ref().map(ToString::to_string));
    if let Some(identity) = evidence.identity() {
        let certificate = evidence.peer.as_ref().and_then(Peer::certificate);
        facts.push(name(identity, certificate));
        facts.extend(pins(filter, identity, certificate));
    }
    if is_asked(reason)
        && let Some(authorization) = &filter.policy.authorization
    {
        let message = message(filter, evidence, head);
        facts.extend(rules(authorization, evidence, head, message));
    }
    facts
}

/// The message that the rules were asked about.
fn message<'a>(filter: &Filter, evidence: &'a Evidence<'_>, head: &RequestHead<'_>) -> Message<'a> {
    let is_no_message = |reason: &Reason| {
        matches!(
            reason,
            Reason::MalformedMcp | Reason::McpTooLarge | Reason::McpHeaderMismatch
        )
    };
    let may_be_any = head.is_upgrade() || evidence.observed.iter().any(is_no_message);
    match &evidence.message {
        Some(message) => Message::Read(message),
        None if !filter.mcp.covers(&head.path()) => Message::None,
        None if may_be_any => Message::Any,
        None if head.first(":method") == b"POST" => Message::Unread,
        None => Message::None,
    }
}

/// Whether the rules are asked before a request is refused for this reason.
fn is_asked(reason: Option<Reason>) -> bool {
    matches!(
        reason,
        None | Some(Reason::NotAuthorized | Reason::HeaderTooLarge | Reason::RateLimited)
    )
}

fn name(identity: &Identity, certificate: Option<&PeerCertificate>) -> String {
    let (source, user) = (identity.source, identity.user.as_str());
    let subject = certificate
        .and_then(|it| it.subject().ok())
        .map(ToString::to_string)
        .unwrap_or_default();
    format!(
        "the source {source} gives the user {} (subject {})",
        quoted(user),
        quoted(&subject)
    )
}

fn pins(
    filter: &Filter,
    identity: &Identity,
    certificate: Option<&PeerCertificate>,
) -> Vec<String> {
    let rules = &filter.policy.pins;
    let pinned: Vec<_> = identity
        .names()
        .filter_map(|name| rules.pins.get(name))
        .flatten()
        .collect();
    if pinned.is_empty() {
        let is_required = rules.is_required(identity);
        let fact = "pin_required names the user, and pins has no entry for it".to_owned();
        return is_required.then_some(fact).into_iter().collect();
    }
    let Some(certificate) = certificate else {
        return vec!["the user is pinned, and has no certificate".to_owned()];
    };
    let matching = pinned.iter().filter(|pin| pin.matches(certificate)).count();
    vec![
        format!("presented sha256:{}", hex(certificate.sha256())),
        format!(
            "presented spki-sha256:{}",
            base64(certificate.spki_sha256())
        ),
        format!(
            "pins of the user: {}, of which {matching} match",
            pinned.len()
        ),
    ]
}

fn rules(
    authorization: &Authorization,
    evidence: &Evidence<'_>,
    head: &RequestHead<'_>,
    message: Message<'_>,
) -> Vec<String> {
    let groups = evidence.peer.as_ref().map(Groups::new).unwrap_or_default();
    let client = evidence.identity().map(|identity| (identity, &groups));
    let path = head.path();
    let question = Question::new(*head, &path, message);
    let action = |action| match action {
        Action::Allow => "allows",
        Action::Deny => "denies",
    };
    let tried = authorization.tried(client, &question);
    let decided = tried.iter().any(|(_, unmet)| unmet.is_none());
    let mut facts: Vec<_> = tried
        .iter()
        .map(|(rule, unmet)| match unmet {
            Some(condition) => format!("the rule {:?} does not fit: {condition}", rule.name),
            None => format!("the rule {:?} fits and {}", rule.name, action(rule.action)),
        })
        .collect();
    if !decided {
        facts.push(format!(
            "no rule fits, and the default {}",
            action(authorization.default())
        ));
    }
    facts
}
