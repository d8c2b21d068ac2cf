//! An X.509 certificate (RFC 5280 §4.1) in which everything can be chosen, defects included.

use std::time::{Duration, SystemTime};

use rcgen::{KeyPair, PublicKeyData, SigningKey};

use super::der;

pub(crate) const SUBJECT_ALT_NAME: &str = "2.5.29.17";
pub(crate) const BASIC_CONSTRAINTS: &str = "2.5.29.19";
pub(crate) const KEY_USAGE: &str = "2.5.29.15";
pub(crate) const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
pub(crate) const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
pub(crate) const CLIENT_AUTH: &str = "1.3.6.1.5.5.7.3.2";

const ECDSA_WITH_SHA256: &str = "1.2.840.10045.4.3.2";
const DAY: Duration = Duration::from_secs(86_400);

/// One AttributeTypeAndValue of a name.
#[derive(Clone, Debug)]
pub(crate) struct Attribute(Vec<u8>);

impl Attribute {
    /// Any type, any kind of string ([`der::BMP_STRING`], say), any bytes.
    pub(crate) fn new(oid: &str, tag: u8, value: &[u8]) -> Self {
        Self(der::sequence(&[der::oid(oid), der::element(tag, value)]))
    }

    fn utf8(oid: &str, value: &str) -> Self {
        Self::new(oid, der::UTF8_STRING, value.as_bytes())
    }
}

pub(crate) fn common_name(value: &str) -> Attribute {
    Attribute::utf8("2.5.4.3", value)
}

pub(crate) fn organization(value: &str) -> Attribute {
    Attribute::utf8("2.5.4.10", value)
}

pub(crate) fn organizational_unit(value: &str) -> Attribute {
    Attribute::utf8("2.5.4.11", value)
}

/// A name of which every relative distinguished name has one attribute.
pub(crate) fn name(attributes: impl IntoIterator<Item = Attribute>) -> Vec<u8> {
    let single = attributes.into_iter().map(|attribute| vec![attribute]);
    name_of_rdns(single)
}

/// A name with multi-valued relative distinguished names.
pub(crate) fn name_of_rdns(rdns: impl IntoIterator<Item = Vec<Attribute>>) -> Vec<u8> {
    let sets = rdns.into_iter().map(|attributes| {
        let attributes: Vec<_> = attributes.into_iter().map(|one| one.0).collect();
        der::set(&attributes)
    });
    der::sequence(&sets.collect::<Vec<_>>())
}

/// A GeneralName of subjectAltName.
pub(crate) fn san_email(value: &str) -> Vec<u8> {
    der::implicit(1, value.as_bytes())
}

pub(crate) fn san_dns(value: &str) -> Vec<u8> {
    der::implicit(2, value.as_bytes())
}

pub(crate) fn san_uri(value: &str) -> Vec<u8> {
    der::implicit(6, value.as_bytes())
}

pub(crate) fn san_ip(octets: &[u8]) -> Vec<u8> {
    der::implicit(7, octets)
}

/// A client certificate to be signed: version 3, valid from yesterday for 30 days, for clientAuth.
#[derive(Clone, Debug)]
pub(crate) struct Leaf {
    subject: Vec<u8>,
    serial: Option<Vec<u8>>,
    not_before: SystemTime,
    not_after: SystemTime,
    version: Version,
    extensions: Vec<Extension>,
    trailing: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    V1,
    V1WrittenOut,
    V3,
}

#[derive(Clone, Debug)]
struct Extension {
    oid: String,
    /// The contents of the BOOLEAN; 0 leaves it out.
    critical: u8,
    value: Vec<u8>,
}

impl Leaf {
    /// With these attributes in this order, each in a relative distinguished name of its own.
    pub(crate) fn of(attributes: impl IntoIterator<Item = Attribute>) -> Self {
        Self::with_subject(name(attributes))
    }

    /// With this Name as DER; see [`name_of_rdns`].
    pub(crate) fn with_subject(subject: Vec<u8>) -> Self {
        let now = SystemTime::now();
        let leaf = Self {
            subject,
            serial: None,
            not_before: now - DAY,
            not_after: now + 30 * DAY,
            version: Version::V3,
            extensions: Vec::new(),
            trailing: Vec::new(),
        };
        leaf.extension(BASIC_CONSTRAINTS, true, der::sequence(&[]))
            .extension(KEY_USAGE, true, der::element(0x03, &[7, 0x80]))
            .extended_key_usage(&[CLIENT_AUTH])
    }

    /// Big endian; without it one that no other certificate has.
    pub(crate) fn serial(mut self, serial: &[u8]) -> Self {
        self.serial = Some(serial.to_vec());
        self
    }

    pub(crate) fn not_before(mut self, time: SystemTime) -> Self {
        self.not_before = time;
        self
    }

    pub(crate) fn not_after(mut self, time: SystemTime) -> Self {
        self.not_after = time;
        self
    }

    /// The GeneralNames as [`san_dns`] and its kin make them.
    pub(crate) fn subject_alt_names(self, names: &[Vec<u8>]) -> Self {
        self.extension(SUBJECT_ALT_NAME, false, der::sequence(names))
    }

    /// In place of clientAuth.
    pub(crate) fn extended_key_usage(self, purposes: &[&str]) -> Self {
        let purposes: Vec<_> = purposes.iter().map(|purpose| der::oid(purpose)).collect();
        self.without_extension(EXTENDED_KEY_USAGE).extension(
            EXTENDED_KEY_USAGE,
            false,
            der::sequence(&purposes),
        )
    }

    /// One more, whatever its value is and even if it is there already.
    pub(crate) fn extension(mut self, oid: &str, critical: bool, value: Vec<u8>) -> Self {
        let oid = oid.to_owned();
        self.extensions.push(Extension {
            oid,
            critical: if critical { 0xff } else { 0 },
            value,
        });
        self
    }

    pub(crate) fn without_extension(mut self, oid: &str) -> Self {
        self.extensions.retain(|extension| extension.oid != oid);
        self
    }

    /// Version 1, which has no extensions.
    pub(crate) fn version_1(mut self) -> Self {
        self.version = Version::V1;
        self
    }

    /// Version 1 where DER leaves it out.
    pub(crate) fn version_1_written_out(mut self) -> Self {
        self.version = Version::V1WrittenOut;
        self
    }

    /// With another byte for the `critical` of every extension.
    pub(crate) fn critical(mut self, byte: u8) -> Self {
        let extensions = self.extensions.iter_mut();
        extensions.for_each(|extension| extension.critical = byte);
        self
    }

    /// Bytes behind the certificate.
    pub(crate) fn trailing(mut self, bytes: &[u8]) -> Self {
        self.trailing = bytes.to_vec();
        self
    }

    /// The certificate of `key` as DER, signed with ECDSA on P-256 by `signer` in the name of `issuer`.
    pub(crate) fn sign(&self, key: &KeyPair, issuer: &[u8], signer: &impl SigningKey) -> Vec<u8> {
        let algorithm = algorithm();
        let to_be_signed = self.to_be_signed(key, issuer, &algorithm);
        let signature = signer.sign(&to_be_signed).unwrap();
        let certificate = der::sequence(&[to_be_signed, algorithm, der::bit_string(&signature)]);
        [certificate, self.trailing.clone()].concat()
    }

    fn to_be_signed(&self, key: &KeyPair, issuer: &[u8], algorithm: &[u8]) -> Vec<u8> {
        let serial = self.serial.as_deref().unwrap_or(&key.der_bytes()[1..17]);
        let validity = der::sequence(&[der::time(self.not_before), der::time(self.not_after)]);
        let mut fields = vec![
            der::integer(serial),
            algorithm.to_vec(),
            issuer.to_vec(),
            validity,
            self.subject.clone(),
            key.subject_public_key_info(),
        ];
        match self.version {
            Version::V1 => {}
            Version::V1WrittenOut => fields.insert(0, der::explicit(0, &der::integer(&[0]))),
            Version::V3 => {
                fields.insert(0, der::explicit(0, &der::integer(&[2])));
                fields.push(der::explicit(3, &self.extensions()));
            }
        }
        der::sequence(&fields)
    }

    fn extensions(&self) -> Vec<u8> {
        let extensions = self.extensions.iter().map(|extension| {
            let mut fields = vec![der::oid(&extension.oid)];
            if extension.critical != 0 {
                fields.push(der::element(0x01, &[extension.critical]));
            }
            fields.push(der::octet_string(&extension.value));
            der::sequence(&fields)
        });
        der::sequence(&extensions.collect::<Vec<_>>())
    }
}

fn algorithm() -> Vec<u8> {
    der::sequence(&[der::oid(ECDSA_WITH_SHA256)])
}
