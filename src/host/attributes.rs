//! What Envoy knows of a connection and of the time.

use proxy_wasm_abi::Answers;

use crate::certificate::Timestamp;
use crate::identity::{ConnectionAttributes, DirectPeer};
use crate::limit::Nanoseconds;
use crate::reason::Reason;

/// Asks Envoy for the least that tells who is there: each answer costs a copy into the VM.
pub(super) fn read_direct_peer(
    forwarded: impl FnOnce() -> Option<Vec<u8>>,
    answers: &Answers,
) -> Result<Result<Option<DirectPeer>, Reason>, Reason> {
    let certificate = attribute(b"connection\0peer_certificate", answers)?;
    let digest = match certificate {
        Some(_) => None,
        None => attribute(b"connection\0sha256_peer_certificate_digest", answers)?,
    };
    let principal = match certificate.or(digest) {
        Some(_) => None,
        None => attribute(b"filter_state\0io.istio.peer_principal", answers)?,
    };
    let valid = attribute(b"connection\0peer_certificate_valid", answers)?;
    let attributes = ConnectionAttributes {
        peer_certificate: certificate,
        peer_certificate_valid: valid.map(|bytes| bytes == [1]),
        sha256_peer_certificate_digest: digest,
        peer_principal: principal,
    };
    // Envoy 1.38 and later show the certificate itself.
    let forwarded = certificate.is_none().then(forwarded).flatten();
    Ok(DirectPeer::read(&attributes, forwarded.as_deref()))
}

pub(super) fn connection_id(answers: &Answers) -> Result<Option<u64>, Reason> {
    let bytes = attribute(b"connection\0id", answers)?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok().map(u64::from_le_bytes)))
}

/// An attribute of Envoy, by its path with NUL between the parts; an empty one is none.
pub(super) fn attribute<'a>(path: &[u8], answers: &'a Answers) -> Result<Option<&'a [u8]>, Reason> {
    let bytes = answers.property(path)?;
    Ok(bytes.filter(|bytes| !bytes.is_empty()))
}

/// The whole seconds of a moment.
pub(super) fn timestamp(now: Nanoseconds) -> Timestamp {
    Timestamp::from_unix(i64::try_from(now / 1_000_000_000).unwrap_or(i64::MAX))
}
