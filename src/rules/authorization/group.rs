//! Groups that a CA vouches for: the organizations and units of the subject, and the issuer itself.

use unicode_normalization::UnicodeNormalization;

use crate::certificate::{
    AttributeType, AttributeValue, ComparableName, DistinguishedName, PeerCertificate,
};
use crate::encoding::without_case;
use crate::identity::{Charset, Peer, check_text};
use crate::rules::action::Action;

/// The groups of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// The organizationNames of the subject.
    pub(super) organizations: GroupNames,
    /// The organizationalUnitNames of the subject.
    pub(super) units: GroupNames,
    /// None for a peer without a certificate.
    issuer: Option<IssuerName>,
}

/// The issuer of a certificate; none if it cannot be read.
type IssuerName = Option<ComparableName>;

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
            issuer: Some(certificate.issuer().map(DistinguishedName::comparable)),
        }
    }

    /// Whether the issuer is one of these, or none is listed. An issuer that cannot be read fits every rule that denies.
    pub(super) fn fit_issuer(&self, listed: &[ComparableName], action: Action) -> bool {
        listed.is_empty()
            || match &self.issuer {
                None => false,
                Some(None) => action == Action::Deny,
                Some(Some(issuer)) => listed.contains(issuer),
            }
    }
}

impl GroupNames {
    fn new(certificate: &PeerCertificate, kind: AttributeType) -> Self {
        let mut groups = Self::default();
        let Ok(subject) = certificate.subject() else {
            // A subject that cannot be read may have any group.
            groups.is_uncertain = true;
            return groups;
        };
        for value in subject.values(kind) {
            match value {
                AttributeValue::Text(text) if is_certain(text) => {
                    groups.names.push(comparable_group(text));
                }
                AttributeValue::Text(_) | AttributeValue::Latin1(_) | AttributeValue::Other => {
                    groups.is_uncertain = true;
                }
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

/// Whether a name has no characters that are invisible or control something: with them two names look like one.
fn is_certain(name: &str) -> bool {
    check_text(name.trim(), Charset::Utf8).is_ok()
}

/// The name of a group as X.520 compares them: without case, with one space for several, and in Unicode's normal form NFKC
/// (RFC 4518 section 2). But `ß` is not `ss`, which that RFC makes of it.
pub fn comparable_group(name: &str) -> String {
    let name: String = name.nfkc().collect();
    let words: Vec<_> = name.split_whitespace().collect();
    without_case(&words.join(" "))
}
