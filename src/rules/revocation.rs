//! `revoked`: certificates that are refused from now on, without waiting for a CRL.

use std::collections::BTreeSet;

use crate::certificate::{ComparableName, PeerCertificate};

/// The certificates that are revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// By the SHA-256 of the DER.
    pub fingerprints: BTreeSet<[u8; 32]>,
    /// By issuer and serial number (RFC 5280 section 5.1.2.6), the latter without leading zeros.
    pub serials: BTreeSet<(ComparableName, Vec<u8>)>,
}

impl Revocations {
    /// Whether this certificate is revoked.
    pub fn contains(&self, certificate: &PeerCertificate) -> bool {
        if self.fingerprints.contains(certificate.sha256()) {
            return true;
        }
        if self.serials.is_empty() {
            return false;
        }
        let issuer = certificate.issuer().comparable();
        let serial = certificate.serial().to_vec();
        self.serials.contains(&(issuer, serial))
    }
}
