//! Who is at the other end of the connection, as far as the proxy can tell.

use std::rc::Rc;

use crate::certificate::PeerCertificate;
use crate::certificate::SpiffeId;
use crate::identity::xfcc::{self, Sha256Digest, digest_of_hex};
use crate::reason::Reason;

/// What Envoy says of a connection, in its own attributes.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectionAttributes<'a> {
    /// `connection.peer_certificate`: PEM, plain or URL-encoded. Envoy 1.38 and later.
    pub peer_certificate: Option<&'a [u8]>,
    /// `connection.peer_certificate_valid`. Envoy 1.39 and later.
    pub peer_certificate_valid: Option<bool>,
    /// `connection.sha256_peer_certificate_digest`: hexadecimal.
    pub sha256_peer_certificate_digest: Option<&'a [u8]>,
    /// `filter_state["io.istio.peer_principal"]`: what a waypoint knows instead of a certificate.
    pub peer_principal: Option<&'a [u8]>,
}

/// Whether the proxy validated the certificate on this very connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// Envoy says so.
    Validated,
    /// Envoy says it did not, or is too old to say.
    NotReported,
}

/// One end of a connection that proved who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// By a certificate.
    Certificate(Rc<PeerCertificate>),
    /// By a SPIFFE ID that the mesh vouches for, without a certificate that could be read.
    Principal(SpiffeId),
}

impl Peer {
    /// The certificate, where there is one.
    pub fn certificate(&self) -> Option<&PeerCertificate> {
        match self {
            Self::Certificate(certificate) => Some(certificate),
            Self::Principal(_) => None,
        }
    }

    /// The SPIFFE ID, if the peer has exactly one URI and it is a SPIFFE ID (X509-SVID section 2).
    pub fn spiffe_id(&self) -> Option<SpiffeId> {
        match self {
            Self::Principal(id) => Some(id.clone()),
            Self::Certificate(certificate) => certificate.spiffe_id(),
        }
    }

    fn digest(&self) -> Option<&Sha256Digest> {
        self.certificate().map(PeerCertificate::sha256)
    }
}

/// The peer at the other end of this Envoy's own connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectPeer {
    /// Who it is.
    pub peer: Peer,
    /// Whether Envoy vouches for its certificate.
    pub validation: Validation,
}

impl DirectPeer {
    /// Reads the direct peer from what Envoy says; `Ok(None)` when the client showed nothing at all.
    /// `forwarded` is the request's X-Forwarded-Client-Cert.
    ///
    /// # Errors
    /// [`Reason::CertificateUnreadable`] for a certificate that is there and cannot be read or had,
    /// [`Reason::InvalidIdentity`] for a principal that is no SPIFFE ID.
    pub fn read(
        attributes: &ConnectionAttributes<'_>,
        forwarded: Option<&[u8]>,
    ) -> Result<Option<Self>, Reason> {
        let validation = match attributes.peer_certificate_valid {
            Some(true) => Validation::Validated,
            Some(false) | None => Validation::NotReported,
        };
        let peer = match certificate(attributes, forwarded)? {
            Some(certificate) => Some(Peer::Certificate(Rc::new(certificate))),
            None => principal(attributes)?.map(Peer::Principal),
        };
        Ok(peer.map(|peer| Self { peer, validation }))
    }

    /// The client for whom this peer speaks in X-Forwarded-Client-Cert; `Ok(None)` when for none.
    ///
    /// # Errors
    /// [`Reason::ForwardedAmbiguous`] when the header can be read in more than one way,
    /// [`Reason::CertificateUnreadable`] when it holds a certificate that cannot be read.
    pub fn speaks_for(&self, forwarded: Option<&[u8]>) -> Result<Option<Peer>, Reason> {
        let Some(header) = forwarded else {
            return Ok(None);
        };
        match xfcc::client(header, self.peer.digest()) {
            Ok(client) => Ok(client.map(|certificate| Peer::Certificate(Rc::new(certificate)))),
            Err(xfcc::XfccError::Certificate(_)) => Err(Reason::CertificateUnreadable),
            Err(_) => Err(Reason::ForwardedAmbiguous),
        }
    }
}

fn certificate(
    attributes: &ConnectionAttributes<'_>,
    forwarded: Option<&[u8]>,
) -> Result<Option<PeerCertificate>, Reason> {
    if let Some(pem) = attributes.peer_certificate.filter(|pem| !pem.is_empty()) {
        return PeerCertificate::from_url_encoded_pem(pem)
            .map(Some)
            .map_err(|_| Reason::CertificateUnreadable);
    }
    let digest = attributes.sha256_peer_certificate_digest;
    let Some(digest) = digest.filter(|digest| !digest.is_empty()) else {
        return Ok(None);
    };
    // From here on there is a certificate: not to find it is never "none".
    let digest = digest_of_hex(digest).ok_or(Reason::CertificateUnreadable)?;
    match xfcc::direct_peer(forwarded.unwrap_or_default(), &digest) {
        Ok(Some(certificate)) => Ok(Some(certificate)),
        Ok(None) | Err(_) => Err(Reason::CertificateUnreadable),
    }
}

fn principal(attributes: &ConnectionAttributes<'_>) -> Result<Option<SpiffeId>, Reason> {
    let Some(bytes) = attributes.peer_principal.filter(|bytes| !bytes.is_empty()) else {
        return Ok(None);
    };
    let text = std::str::from_utf8(bytes).map_err(|_| Reason::InvalidIdentity)?;
    SpiffeId::parse(text)
        .map(Some)
        .map_err(|_| Reason::InvalidIdentity)
}
