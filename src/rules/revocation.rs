//! `revoked`: certificates that are refused from now on, without waiting for a CRL.

use std::collections::{BTreeMap, BTreeSet};

use crate::certificate::{ComparableName, DistinguishedName, PeerCertificate, SerialNumber};

/// The certificates that are revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// By the SHA-256 of the DER, whatever its ECDSA signature.
    pub fingerprints: BTreeSet<[u8; 32]>,
    /// By issuer and serial number.
    pub serials: BTreeMap<ComparableName, BTreeSet<SerialNumber>>,
}

impl Revocations {
    /// Whether this certificate is revoked.
    pub fn contains(&self, certificate: &PeerCertificate) -> bool {
        self.has_fingerprint(certificate) || self.has_serial(certificate)
    }

    fn has_fingerprint(&self, certificate: &PeerCertificate) -> bool {
        // Without fingerprints nobody pays for the twins.
        !self.fingerprints.is_empty()
            && (self.fingerprints.contains(certificate.sha256())
                || certificate
                    .twins()
                    .digests
                    .iter()
                    .any(|twin| self.fingerprints.contains(twin)))
    }

    fn has_serial(&self, certificate: &PeerCertificate) -> bool {
        if self.serials.is_empty() {
            return false;
        }
        let issuer = certificate.issuer().map(DistinguishedName::comparable);
        let serials = issuer.and_then(|issuer| self.serials.get(&issuer));
        serials.is_some_and(|serials| serials.contains(certificate.serial()))
    }
}
