//! Names in the subject: its attributes, and which of several CNs counts.

use serde::{Deserialize, Serialize};

use crate::certificate::{AttributeType, AttributeValue, DistinguishedName, PeerCertificate};
use crate::identity::sources::error::{IdentityError, InvalidIdentity};
use crate::identity::sources::form::formed;
use crate::identity::sources::source::Source;
use crate::identity::syntax;

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

/// The CN, or the one of several that counts.
pub(super) fn common_name(
    certificate: &PeerCertificate,
    multiple_cn: MultipleCn,
) -> Result<Option<String>, IdentityError> {
    let values = values(Source::Cn, certificate, AttributeType::COMMON_NAME)?;
    match (multiple_cn, values.as_slice()) {
        (MultipleCn::First, [first, ..]) => text(Source::Cn, first),
        (MultipleCn::Last, [.., last]) => text(Source::Cn, last),
        (_, values) => only(Source::Cn, values),
    }
}

/// The emailAddress.
pub(super) fn email(certificate: &PeerCertificate) -> Result<Option<String>, IdentityError> {
    let source = Source::SubjectEmail;
    let email = attribute(source, certificate, AttributeType::EMAIL_ADDRESS)?;
    email.map_or(Ok(None), |email| {
        formed(source, email, syntax::is_email, InvalidIdentity::Email)
    })
}

/// The one value of an attribute type.
pub(super) fn attribute(
    source: Source,
    certificate: &PeerCertificate,
    kind: AttributeType,
) -> Result<Option<String>, IdentityError> {
    only(source, &values(source, certificate, kind)?)
}

/// The whole subject, in the form of RFC 4514.
pub(super) fn whole(certificate: &PeerCertificate) -> Result<Option<String>, IdentityError> {
    let subject = subject(Source::Subject, certificate)?;
    Ok((!subject.is_empty()).then(|| subject.to_string()))
}

fn subject(
    source: Source,
    certificate: &PeerCertificate,
) -> Result<&DistinguishedName, IdentityError> {
    let subject = certificate.subject();
    subject.map_err(|error| IdentityError::UnreadableSubject(source, error))
}

/// The values of an attribute type, in the order of the DER.
fn values(
    source: Source,
    certificate: &PeerCertificate,
    kind: AttributeType,
) -> Result<Vec<&AttributeValue>, IdentityError> {
    Ok(subject(source, certificate)?.values(kind).collect())
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
