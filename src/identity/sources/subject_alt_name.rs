//! Names in the subjectAltName. Of the kind that is asked for, a certificate may have one.

use crate::certificate::{PeerCertificate, SpiffeId, SubjectAltName, SubjectAltNameError};
use crate::identity::sources::error::{IdentityError, InvalidIdentity};
use crate::identity::sources::form::formed;
use crate::identity::sources::source::Source;
use crate::identity::syntax;

/// Takes the names of one kind out of the subjectAltName.
type OfKind = fn(&SubjectAltName) -> Result<&[String], SubjectAltNameError>;

/// The rfc822Name.
pub(super) fn email(certificate: &PeerCertificate) -> Result<Option<String>, IdentityError> {
    let (of_kind, invalid) = (SubjectAltName::email, InvalidIdentity::Email);
    one(
        Source::Email,
        certificate,
        of_kind,
        syntax::is_email,
        invalid,
    )
}

/// The dNSName.
pub(super) fn dns(certificate: &PeerCertificate) -> Result<Option<String>, IdentityError> {
    let (of_kind, invalid) = (SubjectAltName::dns, InvalidIdentity::Dns);
    one(
        Source::Dns,
        certificate,
        of_kind,
        syntax::is_host_name,
        invalid,
    )
}

/// The uniformResourceIdentifier.
pub(super) fn uri(certificate: &PeerCertificate) -> Result<Option<String>, IdentityError> {
    let (of_kind, invalid) = (SubjectAltName::uri, InvalidIdentity::Uri);
    one(
        Source::Uri,
        certificate,
        of_kind,
        syntax::is_identifying_uri,
        invalid,
    )
}

/// The userPrincipalName.
pub(super) fn upn(certificate: &PeerCertificate) -> Result<Option<String>, IdentityError> {
    let (of_kind, invalid) = (SubjectAltName::upn, InvalidIdentity::Upn);
    one(Source::Upn, certificate, of_kind, syntax::is_upn, invalid)
}

/// X509-SVID section 2: exactly one URI, and that one a SPIFFE ID. A certificate whose URIs claim to be
/// none has no SPIFFE ID.
pub(super) fn spiffe_id(certificate: &PeerCertificate) -> Result<Option<String>, IdentityError> {
    let uris = names(Source::Spiffe, certificate, SubjectAltName::uri)?;
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

/// The names of one kind in the subjectAltName.
fn names(
    source: Source,
    certificate: &PeerCertificate,
    of_kind: OfKind,
) -> Result<&[String], IdentityError> {
    let names = certificate.subject_alt_name().and_then(of_kind);
    names.map_err(|error| IdentityError::UnreadableSubjectAltName(source, error))
}

/// The one name of a kind, which must be of this form.
fn one(
    source: Source,
    certificate: &PeerCertificate,
    of_kind: OfKind,
    is_formed: fn(&str) -> bool,
    invalid: InvalidIdentity,
) -> Result<Option<String>, IdentityError> {
    match names(source, certificate, of_kind)? {
        [] => Ok(None),
        [name] => formed(source, name.clone(), is_formed, invalid),
        several => Err(IdentityError::Ambiguous(source, several.len())),
    }
}
