//! From a peer to the one user it is, or to the reason why it is nobody.

use serde::{Deserialize, Serialize};
use std::fmt;

use thiserror::Error;

use crate::certificate::{AttributeType, AttributeValue, DistinguishedName, NameError};
use crate::certificate::{PeerCertificate, SpiffeId, SpiffeIdError};
use crate::certificate::{SubjectAltName, SubjectAltNameError};
use crate::encoding::hex;
use crate::identity::mapping::{MapRule, UnmappableError};
use crate::identity::peer::Peer;
use crate::identity::syntax;
use crate::identity::user::{Charset, User, UserError, is_uri};
use crate::reason::Reason;

/// Where in a certificate a name is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum Source {
    /// The commonName of the subject.
    Cn,
    /// The rfc822Name of subjectAltName.
    Email,
    /// The dNSName of subjectAltName.
    Dns,
    /// The uniformResourceIdentifier of subjectAltName.
    Uri,
    /// The SPIFFE ID of an X509-SVID.
    Spiffe,
    /// The whole subject in the form of RFC 4514.
    Subject,
    /// The SHA-256 of the certificate, in hexadecimal.
    Fingerprint,
}

impl Source {
    /// The name in the configuration and in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cn => "cn",
            Self::Email => "email",
            Self::Dns => "dns",
            Self::Uri => "uri",
            Self::Spiffe => "spiffe",
            Self::Subject => "subject",
            Self::Fingerprint => "fingerprint",
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which commonName counts when the subject has several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum MultipleCn {
    /// None: the identity is ambiguous.
    #[default]
    Reject,
    /// The first of the DER, as HAProxy and Apache take it.
    First,
    /// The last of the DER, as Envoy and Go take it.
    Last,
}

/// What becomes of a name that no rule of `identity.map` fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum Unmapped {
    /// It is the user.
    #[default]
    Keep,
    /// It is nobody's.
    Deny,
}

/// Why a peer is no user.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum IdentityError {
    /// None of the sources is there.
    #[error("none of the names that identity.sources asks for")]
    Missing,
    /// A source is there several times.
    #[error("{0} is there {1} times")]
    Ambiguous(Source, usize),
    /// A source is there and can be nobody's name.
    #[error("{0}: {1}")]
    Invalid(Source, InvalidIdentity),
    /// A source that is asked for stands in a subject that cannot be read.
    #[error("{0}: the subject: {1}")]
    UnreadableSubject(Source, NameError),
    /// A source that is asked for stands in a subjectAltName that cannot be read.
    #[error("{0}: {1}")]
    UnreadableSubjectAltName(Source, SubjectAltNameError),
}

impl IdentityError {
    /// The reason of the denial.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Missing => Reason::NoIdentity,
            Self::Ambiguous(..) => Reason::AmbiguousIdentity,
            Self::Invalid(..) => Reason::InvalidIdentity,
            Self::UnreadableSubject(..) | Self::UnreadableSubjectAltName(..) => {
                Reason::CertificateUnreadable
            }
        }
    }
}

/// Why a name is nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidIdentity {
    /// A commonName that is no character string, or one whose characters are not certain.
    #[error("not a character string")]
    NotText,
    /// A name that is not a URI by its place, but would be read as one.
    #[error("a name that reads as a URI, which only the sources uri and spiffe may give")]
    ReadsAsUri,
    /// Not an address of RFC 5321 without quotes and comments.
    #[error("not an e-mail address")]
    Email,
    /// Not a host name of RFC 1123, or a wildcard.
    #[error("not a host name")]
    Dns,
    /// Not a URI of RFC 3986 with an authority, nor a URN.
    #[error("not a URI with an authority, nor a URN")]
    Uri,
    /// Not a SPIFFE ID.
    #[error("{0}")]
    Spiffe(#[from] SpiffeIdError),
    /// Not a user.
    #[error("{0}")]
    User(#[from] UserError),
    /// A name that no rule of `identity.map` fits, where `identity.unmapped` denies it.
    #[error("no rule of identity.map fits it")]
    Unmapped,
    /// No user by `identity.map`.
    #[error("{0}")]
    Unmappable(#[from] UnmappableError),
}

/// A user, and where the name came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub user: User,
    /// Where the name was found.
    pub source: Source,
    /// Other names of the same user, by which the configuration may know it.
    pub aliases: Vec<User>,
}

impl Identity {
    /// A user with no other name.
    pub fn new(user: User, source: Source) -> Self {
        Self {
            user,
            source,
            aliases: Vec::new(),
        }
    }

    /// The user, and the other names that it has.
    pub fn names(&self) -> impl Iterator<Item = &User> {
        std::iter::once(&self.user).chain(&self.aliases)
    }
}

/// How a peer is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRules {
    /// Tried in this order; the first that is present decides.
    pub sources: Vec<Source>,
    /// The first rule that matches the name gives the user.
    pub map: Vec<MapRule>,
    /// What becomes of a name that no rule fits.
    pub unmapped: Unmapped,
    /// Which of several commonNames counts.
    pub multiple_cn: MultipleCn,
    /// The characters of a user.
    pub charset: Charset,
}

impl IdentityRules {
    /// The user that a peer is.
    ///
    /// # Errors
    /// [`IdentityError`] when it is nobody, or could be more than one.
    pub fn identify(&self, peer: &Peer) -> Result<Identity, IdentityError> {
        for &source in &self.sources {
            if let Some(name) = self.find(source, peer)? {
                let user = self
                    .user(source, &name)
                    .map_err(|error| IdentityError::Invalid(source, error))?;
                return Ok(Identity::new(user, source));
            }
        }
        Err(IdentityError::Missing)
    }

    fn user(&self, source: Source, name: &str) -> Result<User, InvalidIdentity> {
        if is_uri(name) && !matches!(source, Source::Uri | Source::Spiffe) {
            return Err(InvalidIdentity::ReadsAsUri);
        }
        let user = User::parse(name, self.charset)?;
        let mut mapped = self
            .map
            .iter()
            .filter_map(|rule| rule.map(&user, self.charset));
        match (mapped.next(), self.unmapped) {
            (Some(mapped), _) => Ok(mapped?),
            (None, Unmapped::Keep) => Ok(user),
            (None, Unmapped::Deny) => Err(InvalidIdentity::Unmapped),
        }
    }

    fn find(&self, source: Source, peer: &Peer) -> Result<Option<String>, IdentityError> {
        match peer {
            Peer::Certificate(certificate) => self.find_in(source, certificate),
            Peer::Principal(id) if matches!(source, Source::Uri | Source::Spiffe) => {
                Ok(Some(id.to_string()))
            }
            Peer::Principal(_) => Ok(None),
        }
    }

    fn find_in(
        &self,
        source: Source,
        certificate: &PeerCertificate,
    ) -> Result<Option<String>, IdentityError> {
        let names = certificate.subject_alt_name();
        let unreadable = |error| IdentityError::UnreadableSubjectAltName(source, error);
        match source {
            Source::Cn => self.common_name(subject(source, certificate)?),
            Source::Email => only(
                source,
                names.and_then(SubjectAltName::email).map_err(unreadable)?,
                syntax::is_email,
                InvalidIdentity::Email,
            ),
            Source::Dns => only(
                source,
                names.and_then(SubjectAltName::dns).map_err(unreadable)?,
                syntax::is_host_name,
                InvalidIdentity::Dns,
            ),
            Source::Uri => only(
                source,
                names.and_then(SubjectAltName::uri).map_err(unreadable)?,
                syntax::is_identifying_uri,
                InvalidIdentity::Uri,
            ),
            Source::Spiffe => spiffe_id(names.and_then(SubjectAltName::uri).map_err(unreadable)?),
            Source::Subject => {
                let subject = subject(source, certificate)?;
                Ok((!subject.is_empty()).then(|| subject.to_string()))
            }
            Source::Fingerprint => Ok(Some(hex(certificate.sha256()))),
        }
    }

    fn common_name(&self, subject: &DistinguishedName) -> Result<Option<String>, IdentityError> {
        let values: Vec<_> = subject.values(AttributeType::COMMON_NAME).collect();
        let value = match (self.multiple_cn, values.as_slice()) {
            (_, []) => return Ok(None),
            (_, [only]) => only,
            (MultipleCn::First, [first, ..]) => first,
            (MultipleCn::Last, [.., last]) => last,
            (MultipleCn::Reject, several) => {
                return Err(IdentityError::Ambiguous(Source::Cn, several.len()));
            }
        };
        match value {
            AttributeValue::Text(text) => Ok(Some(text.clone())),
            AttributeValue::Latin1(_) | AttributeValue::Other => {
                Err(IdentityError::Invalid(Source::Cn, InvalidIdentity::NotText))
            }
        }
    }
}

/// The one entry of a kind of subjectAltName.
fn only(
    source: Source,
    entries: &[String],
    is_valid: fn(&str) -> bool,
    invalid: InvalidIdentity,
) -> Result<Option<String>, IdentityError> {
    match entries {
        [] => Ok(None),
        [entry] if is_valid(entry) => Ok(Some(entry.clone())),
        [_] => Err(IdentityError::Invalid(source, invalid)),
        several => Err(IdentityError::Ambiguous(source, several.len())),
    }
}

/// X509-SVID section 2: exactly one URI, and that one a SPIFFE ID. A certificate whose URIs claim to be
/// none has no SPIFFE ID.
fn spiffe_id(uris: &[String]) -> Result<Option<String>, IdentityError> {
    if !uris.iter().any(|uri| SpiffeId::is_claimed_by(uri)) {
        return Ok(None);
    }
    match uris {
        [uri] => match SpiffeId::parse(uri) {
            Ok(id) => Ok(Some(id.to_string())),
            Err(error) => Err(IdentityError::Invalid(Source::Spiffe, error.into())),
        },
        several => Err(IdentityError::Ambiguous(Source::Spiffe, several.len())),
    }
}

fn subject(
    source: Source,
    certificate: &PeerCertificate,
) -> Result<&DistinguishedName, IdentityError> {
    let subject = certificate.subject();
    subject.map_err(|error| IdentityError::UnreadableSubject(source, error))
}
