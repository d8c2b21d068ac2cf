//! `mtls-identity schema`.

use mtls_identity::config::Configuration;

#[derive(Debug, clap::Args)]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(&self) -> Result<String, String> {
        let json = serde_json::to_string_pretty(&Configuration::schema());
        json.map(|json| format!("{json}\n"))
            .map_err(|error| error.to_string())
    }
}
