//! Files, or the standard input.

use std::io::Read;
use std::path::Path;

use mtls_identity::certificate::PeerCertificate;

/// All bytes of a file; of the standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let result = if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(path)
    };
    result.map_err(|error| format!("{}: {error}", path.display()))
}

/// The one certificate in a file of PEM or DER.
pub(crate) fn certificate(path: &Path) -> Result<PeerCertificate, String> {
    let bytes = read(path)?;
    let certificate = match bytes.first() {
        Some(0x30) => PeerCertificate::from_der(bytes),
        _ => PeerCertificate::from_pem(&bytes),
    };
    certificate.map_err(|error| format!("{}: {error}", path.display()))
}
