//! A certificate and the SHA-256 beside it, which must be its own.

use super::error::ForwardedError;
use crate::certificate::PeerCertificate;
use crate::encoding::bytes_of_hex;

/// A SHA-256.
pub type Sha256Digest = [u8; 32];

/// The SHA-256 written as 64 hexadecimal digits.
pub fn digest_of_hex(text: &[u8]) -> Option<Sha256Digest> {
    let bytes = bytes_of_hex(text)?;
    bytes.try_into().ok()
}

/// The certificate in `Cert`, whose SHA-256 must be `Hash`. `Ok(None)` where there is no `Cert`.
pub(super) fn certificate(
    hash: Option<&[u8]>,
    cert: Option<&[u8]>,
) -> Result<Option<PeerCertificate>, ForwardedError> {
    let Some(text) = cert else {
        return Ok(None);
    };
    let certificate = PeerCertificate::from_url_encoded_pem(text)?;
    match hash.and_then(digest_of_hex) == Some(*certificate.sha256()) {
        true => Ok(Some(certificate)),
        false => Err(ForwardedError::Hash),
    }
}
