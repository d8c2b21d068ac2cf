//! A certificate authority for one test: everything it trusts and everything it issues is new.

use std::process::Command;
use std::time::{Duration, SystemTime};

use data_encoding::{BASE64, HEXLOWER};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    DistinguishedName, DnType, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, PublicKeyData,
    RevokedCertParams, SerialNumber,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};

use super::leaf::{self, Leaf};

/// A root CA, with a P-256 key.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    name: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("Test CA")
    }

    /// Two authorities of one name are still two: their keys differ.
    pub(crate) fn named(common_name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self {
            issuer: CertifiedIssuer::self_signed(authority(common_name), key).unwrap(),
            name: leaf::name([leaf::common_name(common_name)]),
        }
    }

    /// An intermediate authority, whose certificate this one has signed.
    pub(crate) fn intermediate(&self, common_name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = authority(common_name);
        Self {
            issuer: CertifiedIssuer::signed_by(params, key, &self.issuer).unwrap(),
            name: leaf::name([leaf::common_name(common_name)]),
        }
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        self.issuer.der()
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The private key.
    pub(crate) fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// For `localhost` and 127.0.0.1.
    pub(crate) fn server(&self) -> Credentials {
        let names = [leaf::san_dns("localhost"), leaf::san_ip(&[127, 0, 0, 1])];
        let server = Leaf::of([leaf::common_name("localhost")])
            .subject_alt_names(&names)
            .extended_key_usage(&[leaf::SERVER_AUTH]);
        self.issue(&server)
    }

    /// For a client whose subject is this CN and nothing else.
    pub(crate) fn client(&self, common_name: &str) -> Credentials {
        self.issue(&Leaf::of([leaf::common_name(common_name)]))
    }

    /// With a new key.
    pub(crate) fn issue(&self, leaf: &Leaf) -> Credentials {
        self.issue_for(KeyPair::generate().unwrap(), leaf)
    }

    /// With this key: a renewed certificate, or a kind of key that is not P-256.
    pub(crate) fn issue_for(&self, key: KeyPair, leaf: &Leaf) -> Credentials {
        let certificate = self.certify(&key, leaf);
        Credentials { certificate, key }
    }

    /// The same with an RSA key of 4,096 bits: as large as certificates in wide use are.
    pub(crate) fn issue_rsa_4096(&self, leaf: &Leaf) -> Credentials {
        let arguments = "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096".split(' ');
        let made = Command::new("openssl").args(arguments).output().unwrap();
        let key = String::from_utf8(made.stdout).unwrap();
        self.issue_for(KeyPair::from_pem(&key).unwrap(), leaf)
    }

    /// The certificate alone: for many of one key.
    pub(crate) fn certify(&self, key: &KeyPair, leaf: &Leaf) -> CertificateDer<'static> {
        leaf.sign(key, &self.name, self.issuer.key()).into()
    }

    /// A CRL as PEM that names these serial numbers (big endian).
    pub(crate) fn revocation_list(&self, serials: &[&[u8]]) -> String {
        let now = SystemTime::now().into();
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: now,
            reason_code: None,
            invalidity_date: None,
        });
        let list = CertificateRevocationListParams {
            this_update: now - Duration::from_secs(60),
            next_update: now + Duration::from_secs(86_400),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

/// What the certificate of an authority says.
fn authority(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A certificate and its private key.
#[derive(Debug)]
pub(crate) struct Credentials {
    certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Credentials {
    /// What somebody else has issued.
    pub(crate) fn from_pem(certificate: &str, key: &str) -> Self {
        Self {
            certificate: CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap(),
            key: KeyPair::from_pem(key).unwrap(),
        }
    }

    pub(crate) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The same key with this certificate.
    pub(crate) fn with_certificate(&self, der: Vec<u8>) -> Self {
        Self {
            certificate: der.into(),
            key: KeyPair::from_pem(&self.key_pem()).unwrap(),
        }
    }

    pub(crate) fn pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// Of the DER, in hex.
    pub(crate) fn sha256(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(&self.certificate))
    }

    /// RFC 7469, by the tests' own means.
    pub(crate) fn spki_pin(&self) -> String {
        let key = self.key.subject_public_key_info();
        format!("spki-sha256:{}", BASE64.encode(&Sha256::digest(key)))
    }

    pub(crate) fn key(&self) -> &KeyPair {
        &self.key
    }

    pub(crate) fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

/// The element of X-Forwarded-Client-Cert in which Envoy would speak for this certificate, with `cert: true`.
pub(crate) fn forwarded_element(certificate: &[u8]) -> String {
    let hash = HEXLOWER.encode(&Sha256::digest(certificate));
    let pem = pem("CERTIFICATE", certificate);
    format!(
        "Hash={hash};Cert=\"{}\"",
        utf8_percent_encode(&pem, NON_ALPHANUMERIC)
    )
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let base64 = data_encoding::BASE64.encode(der);
    let lines: Vec<&str> = base64
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
