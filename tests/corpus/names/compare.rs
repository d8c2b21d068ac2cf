//! One certificate, as three readers read it.

use data_encoding::HEXLOWER;
use mtls_identity::certificate::{
    AttributeValue, DistinguishedName, PeerCertificate, SubjectAltName, SubjectAltNameError,
};

use super::oracle::{Attribute, Name, OpenSsl, Reading};
use crate::distinguished_name::with_dumped_types;

/// The types of strings with one meaning for any byte: UTF8String, UniversalString, BMPString. In the others bytes above 0x7f
/// are Latin-1 for OpenSSL and UTF-8 for cryptography.
const CERTAIN_STRINGS: [u8; 3] = [12, 28, 30];

/// NumericString, PrintableString, TeletexString, IA5String, VisibleString.
const STRINGS_OF_SINGLE_BYTES: [u8; 5] = [18, 19, 20, 22, 26];

/// What was compared, and what came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) subject_by_openssl: bool,
    pub(super) subject_by_cryptography: bool,
    pub(super) names_by_openssl: bool,
    pub(super) names_by_cryptography: bool,
    pub(super) is_read_here_alone: bool,
    /// The rules by which something is refused, and whether another reader reads it.
    pub(super) refused: Vec<(String, bool)>,
    pub(super) disagreement: Option<String>,
}

pub(super) fn compare(der: Vec<u8>, theirs: &Reading) -> Outcome {
    let hexadecimal = HEXLOWER.encode(&der);
    let mut outcome = Outcome::default();
    match PeerCertificate::from_der(der) {
        Ok(ours) => {
            let differences = [
                outcome.subjects(&ours, theirs),
                outcome.names(&ours, theirs),
            ];
            let differences: Vec<_> = differences.into_iter().flatten().collect();
            let is_read = theirs.openssl.is_some() || theirs.cryptography.is_some();
            outcome.is_read_here_alone = ours.subject().is_ok() && !is_read;
            if !differences.is_empty() {
                let differences = differences.join("; ");
                outcome.disagreement = Some(format!("{differences}: {hexadecimal}"));
            }
        }
        Err(error) => {
            let is_read = theirs.openssl.is_some() || theirs.cryptography.is_some();
            outcome.refused.push((error.to_string(), is_read));
        }
    }
    outcome
}

impl Outcome {
    /// Compares the subjects, and says what is different.
    fn subjects(&mut self, ours: &PeerCertificate, theirs: &Reading) -> Option<String> {
        let cryptography = theirs
            .cryptography
            .as_ref()
            .and_then(|it| it.subject.as_ref());
        let ours = match ours.subject() {
            Ok(ours) => ours,
            Err(rule) => {
                let is_read = theirs.openssl.is_some() || cryptography.is_some();
                self.refused.push((rule.to_string(), is_read));
                return None;
            }
        };
        let mut different = Vec::new();
        if let Some(theirs) = &theirs.openssl {
            self.subject_by_openssl = true;
            different.extend(
                has_other_attributes(ours, &theirs.subject).map(|it| format!("OpenSSL: {it}")),
            );
            different.extend(has_another_text(ours, theirs));
        }
        if let Some(theirs) = cryptography {
            self.subject_by_cryptography = true;
            let of_one_encoding: Vec<_> = theirs.iter().map(without_doubtful_text).collect();
            different.extend(
                has_other_attributes(ours, &of_one_encoding)
                    .map(|it| format!("cryptography: {it}")),
            );
        }
        (!different.is_empty()).then(|| different.join("; "))
    }

    /// Compares the subjectAltNames.
    fn names(&mut self, ours: &PeerCertificate, theirs: &Reading) -> Option<String> {
        let openssl = theirs.openssl.as_ref().and_then(|it| it.names.as_ref());
        let cryptography = theirs
            .cryptography
            .as_ref()
            .and_then(|it| it.names.as_ref());
        let ours = match ours.subject_alt_name() {
            Ok(ours) => ours,
            Err(rule) => {
                let is_read = openssl.is_some() || cryptography.is_some();
                self.refused.push((rule.to_string(), is_read));
                return None;
            }
        };
        let is_read = openssl.is_some() || cryptography.is_some();
        self.refused
            .extend(unreadable(ours).map(|rule| (rule.to_string(), is_read)));
        let mut different = Vec::new();
        if let Some(theirs) = openssl {
            self.names_by_openssl = true;
            different.extend(has_other_names(ours, theirs).map(|it| format!("OpenSSL: {it}")));
        }
        if let Some(theirs) = cryptography {
            self.names_by_cryptography = true;
            different.extend(has_other_names(ours, theirs).map(|it| format!("cryptography: {it}")));
        }
        (!different.is_empty()).then(|| different.join("; "))
    }
}

/// Without a text that the types of ASN.1 do not give: cryptography reads an OCTET STRING as text, too.
fn without_doubtful_text(attribute: &Attribute) -> Attribute {
    let Attribute(relative, kind, tag, text) = attribute.clone();
    let is_certain = |text: &String| {
        CERTAIN_STRINGS.contains(&tag)
            || (STRINGS_OF_SINGLE_BYTES.contains(&tag) && text.is_ascii())
    };
    Attribute(relative, kind, tag, text.filter(is_certain))
}

fn has_other_attributes(ours: &DistinguishedName, theirs: &[Attribute]) -> Option<String> {
    let read: Vec<_> = ours.attributes().collect();
    if read.len() != theirs.len() {
        return Some(format!("{} attributes, here {}", theirs.len(), read.len()));
    }
    let mut pairs = read.iter().zip(theirs);
    let (ours, theirs) = pairs.find(|((kind, value), Attribute(_, other, _, text))| {
        let is_one_value = match (value, text) {
            (AttributeValue::Text(ours) | AttributeValue::Latin1(ours), Some(theirs)) => {
                ours == theirs
            }
            (AttributeValue::Other, Some(_)) => false,
            _ => true,
        };
        kind.dotted() != *other || !is_one_value
    })?;
    Some(format!("{theirs:?}, here {ours:?}"))
}

/// RFC 2253, but for types that have a short name in OpenSSL and none in Envoy.
fn has_another_text(ours: &DistinguishedName, theirs: &OpenSsl) -> Option<String> {
    let (text, dump) = (theirs.text.as_ref()?, theirs.dump.as_ref()?);
    let is_dumped: Vec<bool> = ours
        .attributes()
        .map(|(kind, _)| kind.short_name().is_none())
        .collect();
    let expected = with_dumped_types(text, dump, &is_dumped);
    let written = ours.to_string();
    (written != expected).then(|| format!("OpenSSL writes {text:?}, here {written:?}"))
}

fn unreadable(names: &SubjectAltName) -> impl Iterator<Item = SubjectAltNameError> {
    let errors = [
        names.email().err(),
        names.dns().err(),
        names.uri().err(),
        names.ip().err(),
        names.upn().err(),
    ];
    errors.into_iter().flatten()
}

/// By kind, each in its order; what cannot be read here names nobody.
fn has_other_names(ours: &SubjectAltName, theirs: &[Name]) -> Option<String> {
    let of_kind = |kind: &str| -> Vec<&str> {
        let names = theirs.iter().filter(|Name(other, _)| other == kind);
        names.map(|Name(_, contents)| contents.as_str()).collect()
    };
    let texts = |names: &[String]| {
        names
            .iter()
            .map(|it| HEXLOWER.encode(it.as_bytes()))
            .collect::<Vec<_>>()
    };
    let addresses = ours.ip().map(|addresses| {
        let octets = addresses.iter().map(|address| match address {
            std::net::IpAddr::V4(address) => HEXLOWER.encode(&address.octets()),
            std::net::IpAddr::V6(address) => HEXLOWER.encode(&address.octets()),
        });
        octets.collect::<Vec<_>>()
    });
    let kinds = [
        ("dns", ours.dns().map(texts)),
        ("email", ours.email().map(texts)),
        ("uri", ours.uri().map(texts)),
        ("ip", addresses),
        ("upn", ours.upn().map(texts)),
    ];
    let mut read = kinds
        .into_iter()
        .filter_map(|(kind, names)| Some((kind, names.ok()?)));
    let (kind, names) = read.find(|(kind, names)| of_kind(kind) != *names)?;
    Some(format!("{kind} {:?}, here {names:?}", of_kind(kind)))
}
