//! Why what is found in a certificate is nobody's name.

use thiserror::Error;

use crate::certificate::{NameError, SpiffeIdError, SubjectAltNameError};
use crate::identity::mapping::UnmappableError;
use crate::identity::sources::source::Source;
use crate::identity::user::UserError;
use crate::reason::Reason;

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
    /// An attribute that is no character string, or one whose characters are not certain.
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
    /// Not a URI of RFC 3986 with an authority, nor a `urn:`, `tag:` or `did:`.
    #[error("not a URI with an authority, nor a urn:, tag: or did:")]
    Uri,
    /// Not a userPrincipalName with one `@`.
    #[error("not a user principal name (name@domain)")]
    Upn,
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
