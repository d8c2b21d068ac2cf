//! Who is at the other end of the connection, as far as the proxy can tell.

use std::rc::Rc;

use thiserror::Error;

use crate::certificate::{CertificateError, PeerCertificate};
use crate::certificate::{SpiffeId, SpiffeIdError};
use crate::identity::forwarded::{ForwardedError, ForwardedHeader, digest_of_hex, direct_peer};
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
}

/// Why nobody can say who a peer is.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeerError {
    /// The certificate of the connection cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Certificate(#[from] CertificateError),
    /// Envoy says that there is a certificate, and does not show it: before Envoy 1.38 it stands in
    /// X-Forwarded-Client-Cert only.
    #[error(
        "Envoy does not show the certificate of the connection: before Envoy 1.38, set \"forward_client_cert_details\" and \"cert\""
    )]
    NotShown,
    /// The peer of a waypoint is no SPIFFE ID.
    #[error("io.istio.peer_principal: {0}")]
    Principal(SpiffeIdError),
    /// The header in which the direct peer speaks for its client.
    #[error("{0}")]
    Forwarded(#[from] ForwardedError),
    /// The direct peer speaks for others, and names nobody.
    #[error("the proxy in front forwards no client certificate")]
    NothingForwarded,
    /// The client showed nothing at all.
    #[error("the client shows no certificate")]
    Nothing,
}

impl PeerError {
    /// The reason of the denial.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Certificate(_)
            | Self::NotShown
            | Self::Forwarded(ForwardedError::Certificate(_)) => Reason::CertificateUnreadable,
            Self::Principal(_) => Reason::InvalidIdentity,
            Self::Forwarded(_) => Reason::ForwardedAmbiguous,
            Self::NothingForwarded | Self::Nothing => Reason::NoCertificate,
        }
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
    /// [`PeerError`] for a certificate that is there and cannot be read or had, and for a principal that is no SPIFFE ID.
    pub fn read(
        attributes: &ConnectionAttributes<'_>,
        forwarded: Option<&[u8]>,
    ) -> Result<Option<Self>, PeerError> {
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

    /// The client for whom this peer speaks in a header with this value.
    ///
    /// # Errors
    /// [`PeerError`] when it speaks for nobody, when the header can be read in more than one way, and when it holds a
    /// certificate that cannot be read.
    pub fn speaks_for(
        &self,
        header: ForwardedHeader,
        value: Option<&[u8]>,
    ) -> Result<Peer, PeerError> {
        let value = value.ok_or(PeerError::NothingForwarded)?;
        let client = header.client(value, self.peer.certificate())?;
        let certificate = client.ok_or(PeerError::NothingForwarded)?;
        Ok(Peer::Certificate(Rc::new(certificate)))
    }
}

fn certificate(
    attributes: &ConnectionAttributes<'_>,
    forwarded: Option<&[u8]>,
) -> Result<Option<PeerCertificate>, PeerError> {
    if let Some(pem) = attributes.peer_certificate.filter(|pem| !pem.is_empty()) {
        return Ok(Some(PeerCertificate::from_url_encoded_pem(pem)?));
    }
    let digest = attributes.sha256_peer_certificate_digest;
    let Some(digest) = digest.filter(|digest| !digest.is_empty()) else {
        return Ok(None);
    };
    // From here on there is a certificate: not to find it is never "none".
    let digest = digest_of_hex(digest).ok_or(PeerError::NotShown)?;
    let certificate = direct_peer(forwarded.unwrap_or_default(), &digest)?;
    certificate.map(Some).ok_or(PeerError::NotShown)
}

fn principal(attributes: &ConnectionAttributes<'_>) -> Result<Option<SpiffeId>, PeerError> {
    let Some(bytes) = attributes.peer_principal.filter(|bytes| !bytes.is_empty()) else {
        return Ok(None);
    };
    // What is no UTF-8 is no SPIFFE ID either, and the replacement character says so.
    let text = String::from_utf8_lossy(bytes);
    SpiffeId::parse(&text)
        .map(Some)
        .map_err(PeerError::Principal)
}
