//! What Envoy knows of a connection and of the time.

use std::time::UNIX_EPOCH;

use proxy_wasm::hostcalls;

use crate::certificate::Timestamp;
use crate::identity::{ConnectionAttributes, DirectPeer, PeerError};
use crate::limit::Nanoseconds;
use crate::reason::Reason;
use crate::rules::Confirmation;

use super::sdk_gaps::property;

/// Asks Envoy for the least that tells who is there: each answer costs a copy into the VM.
pub(super) fn read_direct_peer(
    forwarded: impl FnOnce() -> Option<Vec<u8>>,
) -> Result<Result<Option<DirectPeer>, PeerError>, Reason> {
    let certificate = attribute(b"connection\0peer_certificate")?;
    let digest = match certificate {
        Some(_) => None,
        None => attribute(b"connection\0sha256_peer_certificate_digest")?,
    };
    let principal = match certificate.as_ref().or(digest.as_ref()) {
        Some(_) => None,
        None => attribute(b"filter_state\0io.istio.peer_principal")?,
    };
    let valid = attribute(b"connection\0peer_certificate_valid")?;
    let attributes = ConnectionAttributes {
        peer_certificate: certificate.as_deref(),
        peer_certificate_valid: valid.map(|bytes| bytes == [1]),
        sha256_peer_certificate_digest: digest.as_deref(),
        peer_principal: principal.as_deref(),
    };
    // Envoy 1.38 and later show the certificate itself.
    let forwarded = certificate.is_none().then(forwarded).flatten();
    Ok(DirectPeer::read(&attributes, forwarded.as_deref()))
}

/// Envoy's number for the connection.
pub(super) fn connection_id() -> Result<Option<u64>, Reason> {
    let bytes = attribute(b"connection\0id")?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok().map(u64::from_le_bytes)))
}

/// An attribute of Envoy, by its path with a NUL between the parts; an empty one is none.
pub(super) fn attribute(path: &[u8]) -> Result<Option<Vec<u8>>, Reason> {
    let bytes = property(path)?;
    Ok(bytes.filter(|bytes| !bytes.is_empty()))
}

/// Envoy's wall clock.
pub(super) fn now() -> Result<Nanoseconds, Reason> {
    let since = hostcalls::get_current_time()?.duration_since(UNIX_EPOCH);
    let nanoseconds = since.map_err(|_| Reason::InternalError)?.as_nanos();
    Nanoseconds::try_from(nanoseconds).map_err(|_| Reason::InternalError)
}

/// The whole seconds of a moment.
pub(super) fn timestamp(now: Nanoseconds) -> Timestamp {
    Timestamp::from_unix(i64::try_from(now / 1_000_000_000).unwrap_or(i64::MAX))
}

/// What the claims say of a certificate, which `envoy.filters.http.jwt_authn` has written under this key of its dynamic
/// metadata. Envoy gives text as it is, and objects and lists as header maps. A null it cannot give.
pub(super) fn confirmation(key: &str) -> Confirmation {
    let claim = format!("metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0{key}\0cnf");
    let thumbprint = property(format!("{claim}\0x5t#S256").as_bytes());
    match thumbprint.map(|found| found.map(|it| Confirmation::parse(&it))) {
        Ok(Some(confirmation)) => confirmation,
        Ok(None) => match property(claim.as_bytes()) {
            Ok(claim) => Confirmation::without_thumbprint(claim.as_deref()),
            Err(_) => Confirmation::Unreadable,
        },
        Err(_) => Confirmation::Unreadable,
    }
}
