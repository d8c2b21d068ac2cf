//! What `mtls-identity inspect` says of a certificate.

use std::collections::BTreeMap;
use std::rc::Rc;

use mtls_identity::certificate::{AttributeType, AttributeValue, OtherName, PeerCertificate};
use mtls_identity::config::Configuration;
use mtls_identity::encoding::{base64, hex};
use mtls_identity::identity::{IdentityError, Peer, Source};
use serde::Serialize;

use crate::cli::text::quoted;

/// What the filter reads in a certificate.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// None for a subject that cannot be read, and so for the issuer.
    subject: Option<String>,
    issuer: Option<String>,
    serial: String,
    not_before: String,
    not_after: String,
    cn: Vec<String>,
    subject_email: Vec<String>,
    subject_serial_number: Vec<String>,
    subject_uid: Vec<String>,
    upn: Vec<String>,
    san: SubjectAltNames,
    sha256: String,
    spki_sha256: String,
    spiffe: Option<String>,
    /// What each source that the certificate has would make of it.
    sources: BTreeMap<&'static str, User>,
    /// What the certificate has and cannot be read, so that nobody may be named by it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unreadable: Vec<String>,
    #[serde(skip)]
    pub(super) certificate: Rc<PeerCertificate>,
}

/// The user that a source gives, or why it gives none.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum User {
    User(String),
    Error(String),
}

impl User {
    /// None where the certificate has no such name.
    fn of(source: Source, peer: &Peer, configuration: &Configuration) -> Option<Self> {
        let mut rules = configuration.filter.policy.identity.clone();
        rules.sources = vec![source];
        match rules.identify(peer) {
            Ok(identity) => Some(Self::User(identity.user.to_string())),
            Err(IdentityError::Missing) => None,
            Err(error) => Some(Self::Error(error.to_string())),
        }
    }
}

/// An otherName of the subjectAltName.
#[derive(Debug, Serialize)]
struct OtherNameReport {
    oid: String,
    /// None for a type without a name here.
    name: Option<&'static str>,
    /// Text, or the DER in hexadecimal.
    value: String,
}

/// The types of otherNames that have names, by their OBJECT IDENTIFIERs.
const OTHER_NAMES: [(&str, &str); 10] = [
    ("1.3.6.1.4.1.311.20.2.3", "userPrincipalName"),
    ("1.3.6.1.4.1.311.25.1", "ntdsReplication"),
    ("1.3.6.1.5.2.2", "krb5PrincipalName"),
    ("1.3.6.1.5.5.7.8.3", "permanentIdentifier"),
    ("1.3.6.1.5.5.7.8.4", "hardwareModuleName"),
    ("1.3.6.1.5.5.7.8.5", "xmppAddr"),
    ("1.3.6.1.5.5.7.8.7", "srvName"),
    ("1.3.6.1.5.5.7.8.8", "naiRealm"),
    ("1.3.6.1.5.5.7.8.9", "smtpUTF8Mailbox"),
    ("2.16.840.1.101.3.6.6", "pivFASC-N"),
];

impl OtherNameReport {
    fn of(other: &OtherName) -> Self {
        let known = OTHER_NAMES.iter().find(|(oid, _)| *oid == other.kind);
        let value = match AttributeValue::from_der(&other.value) {
            Ok(AttributeValue::Text(text)) => text,
            Ok(AttributeValue::Latin1(_) | AttributeValue::Other) | Err(_) => hex(&other.value),
        };
        Self {
            oid: other.kind.clone(),
            name: known.map(|(_, name)| *name),
            value,
        }
    }

    fn line(&self) -> String {
        let name = self.name.map(|name| format!(" ({name})"));
        let value = quoted(&self.value);
        format!("{}{} {value}", self.oid, name.unwrap_or_default())
    }
}

#[derive(Debug, Default, Serialize)]
struct SubjectAltNames {
    dns: Vec<String>,
    email: Vec<String>,
    uri: Vec<String>,
    ip: Vec<String>,
    other: Vec<OtherNameReport>,
}

impl SubjectAltNames {
    /// The names that can be read, and why others cannot.
    fn of(certificate: &PeerCertificate) -> (Self, Vec<String>) {
        let empty = Self::default();
        let names = match certificate.subject_alt_name() {
            Ok(names) => names,
            Err(error) => return (empty, vec![error.to_string()]),
        };
        let (dns, email, uri, ip) = (names.dns(), names.email(), names.uri(), names.ip());
        let (upn, other) = (names.upn(), names.other());
        let errors = [
            dns.err(),
            email.err(),
            uri.err(),
            ip.err(),
            other.err().or(upn.err()),
        ];
        let unreadable = errors.iter().flatten().map(ToString::to_string);
        let names = Self {
            dns: dns.unwrap_or_default().to_vec(),
            email: email.unwrap_or_default().to_vec(),
            uri: uri.unwrap_or_default().to_vec(),
            ip: ip
                .unwrap_or_default()
                .iter()
                .map(ToString::to_string)
                .collect(),
            other: other
                .unwrap_or_default()
                .iter()
                .map(OtherNameReport::of)
                .collect(),
        };
        (names, unreadable.collect())
    }
}

impl Report {
    pub(super) fn of(certificate: &Rc<PeerCertificate>, configuration: &Configuration) -> Self {
        let subject = certificate.subject();
        let values = |kind: AttributeType| -> Vec<String> {
            let values = subject
                .iter()
                .flat_map(|subject| subject.values(kind.clone()));
            values.map(ToString::to_string).collect()
        };
        let peer = Peer::Certificate(Rc::clone(certificate));
        let sources = Source::ALL.into_iter().filter_map(|source| {
            let user = User::of(source, &peer, configuration)?;
            Some((source.as_str(), user))
        });
        let names = certificate.subject_alt_name().ok();
        let upn = names.and_then(|names| names.upn().ok());
        let (san, mut unreadable) = SubjectAltNames::of(certificate);
        unreadable.extend(subject.err().map(|error| format!("subject: {error}")));
        Self {
            subject: subject.ok().map(ToString::to_string),
            issuer: certificate.issuer().map(ToString::to_string),
            serial: certificate.serial().to_string(),
            not_before: certificate.not_before().to_string(),
            not_after: certificate.not_after().to_string(),
            cn: values(AttributeType::COMMON_NAME),
            subject_email: values(AttributeType::EMAIL_ADDRESS),
            subject_serial_number: values(AttributeType::SERIAL_NUMBER),
            subject_uid: values(AttributeType::USER_ID),
            upn: upn.unwrap_or_default().to_vec(),
            san,
            sha256: hex(certificate.sha256()),
            spki_sha256: base64(certificate.spki_sha256()),
            spiffe: certificate.spiffe_id().map(|id| id.to_string()),
            sources: sources.collect(),
            unreadable,
            certificate: Rc::clone(certificate),
        }
    }

    /// One line a value. Names are in quotes, so that white space and control characters can be seen.
    pub(super) fn lines(&self) -> String {
        let name = |field: &'static str, values: &[String]| {
            let values = values.iter().map(|value| (field, quoted(value)));
            values.collect::<Vec<_>>()
        };
        let plain = |field: &'static str, value: &String| (field, value.clone());
        let others = self.san.other.iter().map(|it| ("san.other", it.line()));
        let sources = self.sources.iter().map(|(source, user)| {
            let user = match user {
                User::User(user) => quoted(user),
                User::Error(error) => format!("nobody: {error}"),
            };
            ("source", format!("{source}: {user}"))
        });
        let rows = [
            name("subject", self.subject.as_slice()),
            name("issuer", self.issuer.as_slice()),
            vec![
                plain("serial", &self.serial),
                plain("not_before", &self.not_before),
                plain("not_after", &self.not_after),
            ],
            name("cn", &self.cn),
            name("subject_email", &self.subject_email),
            name("subject_serial_number", &self.subject_serial_number),
            name("subject_uid", &self.subject_uid),
            name("upn", &self.upn),
            name("san.dns", &self.san.dns),
            name("san.email", &self.san.email),
            name("san.uri", &self.san.uri),
            name("san.ip", &self.san.ip),
            others.collect(),
            vec![
                plain("sha256", &self.sha256),
                plain("spki_sha256", &self.spki_sha256),
            ],
            name("spiffe", self.spiffe.as_slice()),
            sources.collect(),
            name("unreadable", &self.unreadable),
        ];
        let line = |(name, value): &(&str, String)| format!("{name:12} {value}\n");
        rows.concat().iter().map(line).collect()
    }
}
