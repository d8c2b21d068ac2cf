//! `mtls-identity check`.

use std::path::PathBuf;

use mtls_identity::config::Configuration;

use super::input;

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The plugin configuration in JSON, or `-` for the standard input.
    config: PathBuf,
}

impl Check {
    pub(crate) fn run(&self) -> Result<String, String> {
        match Configuration::parse(&input::read(&self.config)?) {
            Ok(_) => Ok(String::new()),
            Err(error) => Err(error.to_string()),
        }
    }
}
