//! The name that a source gives in a certificate.
//!
//! An empty value is not there. A value that is there several times is ambiguous, even if one of them is empty.

use crate::certificate::{AttributeType, PeerCertificate};
use crate::encoding::hex;
use crate::identity::sources::error::IdentityError;
use crate::identity::sources::source::Source;
use crate::identity::sources::subject::{self, MultipleCn};
use crate::identity::sources::subject_alt_name;

/// The name of this source; none where the certificate has none. A fingerprint is that of the canonical form.
///
/// # Errors
/// [`IdentityError`] when the name is there several times, has not the form of its kind, or cannot be read.
pub(in crate::identity) fn name(
    source: Source,
    certificate: &PeerCertificate,
    multiple_cn: MultipleCn,
) -> Result<Option<String>, IdentityError> {
    match source {
        Source::Cn => subject::common_name(certificate, multiple_cn),
        Source::SubjectEmail => subject::email(certificate),
        Source::SubjectSerialNumber => {
            subject::attribute(source, certificate, AttributeType::SERIAL_NUMBER)
        }
        Source::SubjectUid => subject::attribute(source, certificate, AttributeType::USER_ID),
        Source::Subject => subject::whole(certificate),
        Source::Fingerprint => Ok(fingerprints(certificate).into_iter().next()),
        Source::Email => subject_alt_name::email(certificate),
        Source::Dns => subject_alt_name::dns(certificate),
        Source::Uri => subject_alt_name::uri(certificate),
        Source::Upn => subject_alt_name::upn(certificate),
        Source::Spiffe => subject_alt_name::spiffe_id(certificate),
    }
}

/// The SHA-256 of the certificate and of its ECDSA twins, each once. The first is that of the canonical form, which is the
/// same for all twins.
pub(in crate::identity) fn fingerprints(certificate: &PeerCertificate) -> Vec<String> {
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
