//! The name that a source gives in a certificate.
//!
//! An empty value is not there. A value that is there several times is ambiguous, even if one of them is empty.

use crate::certificate::{AttributeType, AttributeValue, DistinguishedName, PeerCertificate};
use crate::certificate::{SpiffeId, SubjectAltName, SubjectAltNameError};
use crate::encoding::hex;
use crate::identity::source::{IdentityError, InvalidIdentity, MultipleCn, Source};
use crate::identity::syntax;

/// The name of this source; none where the certificate has none. A fingerprint is that of the canonical form.
///
/// # Errors
/// [`IdentityError`] when the name is there several times, has not the form of its kind, or cannot be read.
pub(super) fn name(
    source: Source,
    certificate: &PeerCertificate,
    multiple_cn: MultipleCn,
) -> Result<Option<String>, IdentityError> {
    match source {
        Source::Cn => common_name(subject(source, certificate)?, multiple_cn),
        Source::SubjectEmail => {
            let kind = AttributeType::EMAIL_ADDRESS;
            let email = attribute(source, subject(source, certificate)?, kind)?;
            email.map_or(Ok(None), |email| {
                formed(source, email, syntax::is_email, InvalidIdentity::Email)
            })
        }
        Source::SubjectSerialNumber => {
            let kind = AttributeType::SERIAL_NUMBER;
            attribute(source, subject(source, certificate)?, kind)
        }
        Source::SubjectUid => attribute(
            source,
            subject(source, certificate)?,
            AttributeType::USER_ID,
        ),
        Source::Subject => {
            let subject = subject(source, certificate)?;
            Ok((!subject.is_empty()).then(|| subject.to_string()))
        }
        Source::Fingerprint => Ok(fingerprints(certificate).into_iter().next()),
        Source::Email => {
            let names = names(source, certificate, SubjectAltName::email)?;
            one(source, names, syntax::is_email, InvalidIdentity::Email)
        }
        Source::Dns => {
            let names = names(source, certificate, SubjectAltName::dns)?;
            one(source, names, syntax::is_host_name, InvalidIdentity::Dns)
        }
        Source::Uri => {
            let names = names(source, certificate, SubjectAltName::uri)?;
            one(
                source,
                names,
                syntax::is_identifying_uri,
                InvalidIdentity::Uri,
            )
        }
        Source::Upn => {
            let names = names(source, certificate, SubjectAltName::upn)?;
            one(source, names, syntax::is_upn, InvalidIdentity::Upn)
        }
        Source::Spiffe => spiffe_id(names(source, certificate, SubjectAltName::uri)?),
    }
}

/// The SHA-256 of the certificate and of its ECDSA twins, each once. The first is that of the canonical form, which is the
/// same for all twins.
pub(super) fn fingerprints(certificate: &PeerCertificate) -> Vec<String> {
    let twins = certificate.twins();
    let own = certificate.sha256();
    let mut digests = vec![twins.canonical.as_ref().unwrap_or(own)];
    for digest in twins.digests.iter().chain([own]) {
        if !digests.contains(&digest) {
            digests.push(digest);
        }
    }
    digests.into_iter().map(|digest| hex(digest)).collect()
}

/// The names of one kind in the subjectAltName.
fn names(
    source: Source,
    certificate: &PeerCertificate,
    of_kind: fn(&SubjectAltName) -> Result<&[String], SubjectAltNameError>,
) -> Result<&[String], IdentityError> {
    let names = certificate.subject_alt_name().and_then(of_kind);
    names.map_err(|error| IdentityError::UnreadableSubjectAltName(source, error))
}

/// The one name, which must be of this form.
fn one(
    source: Source,
    names: &[String],
    is_formed: fn(&str) -> bool,
    invalid: InvalidIdentity,
) -> Result<Option<String>, IdentityError> {
    match names {
        [] => Ok(None),
        [name] => formed(source, name.clone(), is_formed, invalid),
        several => Err(IdentityError::Ambiguous(source, several.len())),
    }
}

/// A name of this form; none if it is empty.
fn formed(
    source: Source,
    name: String,
    is_formed: fn(&str) -> bool,
    invalid: InvalidIdentity,
) -> Result<Option<String>, IdentityError> {
    match name.is_empty() {
        true => Ok(None),
        false if is_formed(&name) => Ok(Some(name)),
        false => Err(IdentityError::Invalid(source, invalid)),
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

fn common_name(
    subject: &DistinguishedName,
    multiple_cn: MultipleCn,
) -> Result<Option<String>, IdentityError> {
    let values: Vec<_> = subject.values(AttributeType::COMMON_NAME).collect();
    match (multiple_cn, values.as_slice()) {
        (MultipleCn::First, [first, ..]) => text(Source::Cn, first),
        (MultipleCn::Last, [.., last]) => text(Source::Cn, last),
        (_, values) => only(Source::Cn, values),
    }
}

/// The one value of an attribute type.
fn attribute(
    source: Source,
    subject: &DistinguishedName,
    kind: AttributeType,
) -> Result<Option<String>, IdentityError> {
    let values: Vec<_> = subject.values(kind).collect();
    only(source, &values)
}

fn only(source: Source, values: &[&AttributeValue]) -> Result<Option<String>, IdentityError> {
    match values {
        [] => Ok(None),
        [value] => text(source, value),
        several => Err(IdentityError::Ambiguous(source, several.len())),
    }
}

fn text(source: Source, value: &AttributeValue) -> Result<Option<String>, IdentityError> {
    match value {
        AttributeValue::Text(text) => Ok((!text.is_empty()).then(|| text.clone())),
        AttributeValue::Latin1(_) | AttributeValue::Other => {
            Err(IdentityError::Invalid(source, InvalidIdentity::NotText))
        }
    }
}
