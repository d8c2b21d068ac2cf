//! What is accepted is read as OpenSSL reads it, and as Python's cryptography does.

use crate::inspect::{Report, inspect};
use crate::vectors::{CERTIFICATES, Vector};
use crate::{cryptography, openssl, parallel};

/// Read here and not by OpenSSL: an attribute of the subject that is no character string, and has a tag of no type that
/// OpenSSL knows. It names nobody.
const UNREADABLE_TO_OPENSSL: [&str; 2] = [
    "x509/custom/long-form-name-attribute.pem",
    "x509/custom/name_attribute_unsupported_tag.pem",
];

/// Certificates with names that are refused to whoever asks for them, and why.
const UNREADABLE: [(&str, &str); 4] = [
    (
        "pkcs7/non-ascii-san.pem",
        "subjectAltName: an entry [1] that is not ASCII",
    ),
    (
        "x509/custom/invalid_utf8_common_name.pem",
        "subject: a string of ASN.1 type Utf8String whose bytes are not of that type",
    ),
    (
        "x509/custom/malformed-san.pem",
        "subjectAltName: an otherName that is not a type and a value",
    ),
    (
        "x509/utf8-dnsname.pem",
        "subjectAltName: an entry [2] that is not ASCII",
    ),
];

/// In its subjectAltName is an ediPartyName that OpenSSL cannot read. Nobody is named by it here.
const UNREADABLE_NAMES_OF_NOBODY: [&str; 1] = ["x509/san_edipartyname.der"];

/// Keys that OpenSSL does not print, so there is nothing to compare their digest with: DSA keys that leave their
/// parameters to the issuer, a key of an algorithm that does not exist, and one of GOST.
const UNPRINTABLE_KEYS: [&str; 4] = [
    "x509/PKITS_data/certs/DSAParametersInheritedCACert.crt",
    "x509/PKITS_data/certs/ValidDSAParameterInheritanceTest5EE.crt",
    "x509/custom/unsupported_subject_public_key_info.pem",
    "x509/e-trust.ru.der",
];

/// How many certificates there are. All are compared but for those above and those in the table of refusals.
const CERTIFICATES_IN_ALL: usize = 541;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Refused,
    /// The rules by which names of it are refused to whoever asks for them.
    Unreadable(Vec<String>),
    UnreadableToOpenssl,
    /// In all but a name that OpenSSL cannot read, of a kind that names nobody here.
    UnreadableNameOfNobody,
    Agreed,
    /// In all but the key, which OpenSSL does not print.
    AgreedButForKey,
    /// The fields, with both values.
    Disagreed(String),
}

#[test]
fn inspect_agrees_with_openssl_on_every_field() {
    let outcomes = parallel::map(&CERTIFICATES, compare);
    let names = |wanted: &Outcome| {
        let pairs = CERTIFICATES.iter().zip(&outcomes);
        let wanted = pairs.filter(|(_, outcome)| *outcome == wanted);
        wanted
            .map(|(vector, _)| vector.name.as_str())
            .collect::<Vec<_>>()
    };
    for (vector, outcome) in CERTIFICATES.iter().zip(&outcomes) {
        if let Outcome::Disagreed(fields) = outcome {
            println!("{}:{fields}", vector.name);
        }
    }
    let disagreed = |outcome: &&Outcome| matches!(outcome, Outcome::Disagreed(_));
    assert_eq!(outcomes.iter().filter(disagreed).count(), 0);
    let unreadable = CERTIFICATES.iter().zip(&outcomes);
    let unreadable = unreadable.filter_map(|(vector, outcome)| {
        let Outcome::Unreadable(rules) = outcome else {
            return None;
        };
        Some((vector.name.as_str(), rules.join(" ")))
    });
    let expected = UNREADABLE.map(|(name, rule)| (name, rule.to_owned()));
    assert_eq!(unreadable.collect::<Vec<_>>(), expected);
    assert_eq!(names(&Outcome::UnreadableToOpenssl), UNREADABLE_TO_OPENSSL);
    let of_nobody = names(&Outcome::UnreadableNameOfNobody);
    assert_eq!(of_nobody, UNREADABLE_NAMES_OF_NOBODY);
    assert_eq!(names(&Outcome::AgreedButForKey), UNPRINTABLE_KEYS);
    assert_eq!(outcomes.len(), CERTIFICATES_IN_ALL);
    assert!(names(&Outcome::Agreed).len() >= 500);
}

#[test]
fn cryptography_reads_every_certificate_as_we_do() {
    let read = CERTIFICATES.iter().filter_map(|vector| {
        let certificate = vector.read().ok()?;
        Some((vector.name.as_str(), certificate))
    });
    let (names, certificates): (Vec<_>, Vec<_>) = read.unzip();
    let readings = cryptography::read(&certificates);
    assert_eq!(readings.len(), certificates.len());
    let pairs = certificates.iter().zip(&readings);
    let disagreements = names
        .iter()
        .zip(pairs)
        .filter_map(|(name, (ours, theirs))| {
            let field = cryptography::disagreement(ours, theirs.as_ref()?)?;
            Some((*name, field))
        });
    assert_eq!(disagreements.collect::<Vec<_>>(), []);
    let compared = readings.iter().flatten().count();
    assert!(compared > 400, "{compared}");
}

/// One file, read by `inspect` and by OpenSSL.
pub(crate) fn compare(vector: &Vector) -> Outcome {
    let Ok(ours) = inspect(vector) else {
        return Outcome::Refused;
    };
    if !ours.unreadable.is_empty() {
        return Outcome::Unreadable(ours.unreadable);
    }
    let Some(mut theirs) = openssl::report(vector) else {
        return Outcome::UnreadableToOpenssl;
    };
    let has_key = !theirs.spki_sha256.is_empty();
    if !has_key {
        theirs.spki_sha256.clone_from(&ours.spki_sha256);
    }
    let has_unreadable_name = !std::mem::take(&mut theirs.unreadable).is_empty();
    match differences(&ours, &theirs) {
        Some(fields) => Outcome::Disagreed(fields),
        None if has_unreadable_name => Outcome::UnreadableNameOfNobody,
        None if has_key => Outcome::Agreed,
        None => Outcome::AgreedButForKey,
    }
}

fn differences(ours: &Report, theirs: &Report) -> Option<String> {
    let fields = |report| serde_json::to_value(report).unwrap();
    let (ours, theirs) = (fields(ours), fields(theirs));
    let pairs = ours.as_object().unwrap().iter();
    let different = pairs.filter(|&(name, value)| theirs[name] != *value);
    let lines = different.map(|(name, value)| {
        let other = &theirs[name];
        format!("\n  {name}: {value}\n  OpenSSL: {other}")
    });
    Some(lines.collect()).filter(|lines: &String| !lines.is_empty())
}
