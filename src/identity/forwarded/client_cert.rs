//! Client-Cert: the certificate as a Byte Sequence (RFC 9440 section 2.2, RFC 8941 section 3.3.5).

use super::error::ForwardedError;
use crate::certificate::PeerCertificate;
use crate::encoding::bytes_of_base64;

/// The certificate in the value. Two values are joined with a comma, which no Byte Sequence has. Parameters are not
/// read: RFC 9440 has none.
pub(super) fn client(value: &[u8]) -> Result<PeerCertificate, ForwardedError> {
    let base64 = value.trim_ascii().strip_prefix(b":");
    let base64 = base64.and_then(|rest| rest.strip_suffix(b":"));
    let der = base64
        .filter(|base64| !base64.is_empty())
        .and_then(bytes_of_base64);
    let der = der.ok_or(ForwardedError::ByteSequence)?;
    Ok(PeerCertificate::from_der(der)?)
}
