//! `mtls-identity pin`.

use mtls_identity::encoding::{base64, hex};
use std::path::PathBuf;

use super::input;

#[derive(Debug, clap::Args)]
pub(crate) struct Pin {
    /// Certificates in PEM or DER, or `-` for the standard input.
    #[arg(required = true)]
    certificates: Vec<PathBuf>,
}

impl Pin {
    pub(crate) fn run(&self) -> Result<String, String> {
        let mut output = String::new();
        for path in &self.certificates {
            let certificate = input::certificate(path)?;
            let sha256 = hex(certificate.sha256());
            let spki_sha256 = base64(certificate.spki_sha256());
            output.push_str(&format!("sha256:{sha256}\nspki-sha256:{spki_sha256}\n"));
        }
        Ok(output)
    }
}
