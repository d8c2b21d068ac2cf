//! Where in a certificate a name is looked for: the values of `identity.sources`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where in a certificate a name is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
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
    /// The userPrincipalName of subjectAltName: an otherName of Microsoft's.
    Upn,
    /// The emailAddress of the subject.
    SubjectEmail,
    /// The serialNumber of the subject: a person's or a device's number, not the certificate's.
    SubjectSerialNumber,
    /// The userid (UID) of the subject.
    SubjectUid,
    /// The whole subject in the form of RFC 4514.
    Subject,
    /// The SHA-256 of the certificate, in hexadecimal. ECDSA twins have one name.
    Fingerprint,
}

impl Source {
    /// Every source there is.
    pub const ALL: [Self; 11] = [
        Self::Cn,
        Self::Email,
        Self::Dns,
        Self::Uri,
        Self::Spiffe,
        Self::Upn,
        Self::SubjectEmail,
        Self::SubjectSerialNumber,
        Self::SubjectUid,
        Self::Subject,
        Self::Fingerprint,
    ];

    /// The name in the configuration and in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cn => "cn",
            Self::Email => "email",
            Self::Dns => "dns",
            Self::Uri => "uri",
            Self::Spiffe => "spiffe",
            Self::Upn => "upn",
            Self::SubjectEmail => "subject_email",
            Self::SubjectSerialNumber => "subject_serial_number",
            Self::SubjectUid => "subject_uid",
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
