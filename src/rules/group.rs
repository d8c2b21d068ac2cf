//! Groups that a CA vouches for: the organizations and units of the subject, and the issuer itself.

use crate::certificate::{AttributeType, AttributeValue, ComparableName, PeerCertificate};
use crate::identity::Peer;
use crate::rules::action::Action;

/// The groups of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The organizationNames of the subject.
    pub(super) organizations: GroupNames,
    /// The organizationalUnitNames of the subject.
    pub(super) units: GroupNames,
    /// None for a peer without a certificate.
    issuer: Option<ComparableName>,
}

/// The names of one kind of group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct GroupNames {
    names: Vec<String>,
    /// Whether one of the names is no certain text. It may be any group.
    is_uncertain: bool,
}

impl Groups {
    /// The groups of a peer; none for a peer without a certificate.
    pub fn new(peer: &Peer) -> Self {
        let Some(certificate) = peer.certificate() else {
            return Self::default();
        };
        Self {
            organizations: GroupNames::new(certificate, AttributeType::ORGANIZATION),
            units: GroupNames::new(certificate, AttributeType::ORGANIZATIONAL_UNIT),
            issuer: Some(certificate.issuer().comparable()),
        }
    }

    /// Whether the issuer is one of these.
    pub(super) fn is_issued_by(&self, issuers: &[ComparableName]) -> bool {
        let issuer = self.issuer.as_ref();
        issuer.is_some_and(|issuer| issuers.contains(issuer))
    }
}

impl GroupNames {
    fn new(certificate: &PeerCertificate, oid: &[u8]) -> Self {
        let mut groups = Self::default();
        for value in certificate.subject().values(oid) {
            match value {
                AttributeValue::Text(text) => groups.names.push(comparable_group(text)),
                AttributeValue::Latin1(_) | AttributeValue::Other => groups.is_uncertain = true,
            }
        }
        groups
    }

    /// Whether one of the names is listed, or nothing is. A name that is no certain text fits every rule that denies.
    pub(super) fn fit(&self, listed: &[String], action: Action) -> bool {
        let is_listed = |name: &String| listed.contains(name);
        listed.is_empty()
            || self.names.iter().any(is_listed)
            || (self.is_uncertain && action == Action::Deny)
    }
}

/// The name of a group as X.520 compares them: without case, and with one space for several.
pub fn comparable_group(name: &str) -> String {
    let words: Vec<_> = name.split_whitespace().collect();
    let words = words.join(" ");
    // A final sigma and any other are one letter, with one capital.
    let one_sigma = |letter| if letter == 'ς' { 'σ' } else { letter };
    let lower = words.chars().flat_map(char::to_lowercase);
    lower.map(one_sigma).collect()
}
