//! `mtls-identity schema`.

use mtls_identity::config::Configuration;

use super::finished::Finished;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  mtls-identity schema > mtls-identity.schema.json

and in the configuration: \"$schema\": \"mtls-identity.schema.json\"")]
pub(crate) struct Schema {}

impl Schema {
    pub(crate) fn run(&self) -> Result<Finished, String> {
        let json = serde_json::to_string_pretty(&Configuration::schema());
        let json = json.map_err(|error| error.to_string())?;
        Ok(Finished::with(format!("{json}\n")))
    }
}
