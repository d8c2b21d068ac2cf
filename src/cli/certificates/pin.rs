//! `mtls-identity pin`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::PathBuf;

use mtls_identity::certificate::PeerCertificate;
use mtls_identity::config::Configuration;
use mtls_identity::encoding::visible;
use mtls_identity::encoding::{base64, hex};
use mtls_identity::identity::Peer;
use std::rc::Rc;

use crate::cli::finished::Finished;
use crate::cli::{configurations, files};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mtls-identity pin alice.crt
  mtls-identity pin --json *.crt      a piece to paste into \"pins\"")]
pub(crate) struct Pin {
    /// Certificates in PEM or DER, or `-` for the standard input. The first of each file counts.
    #[arg(required = true)]
    certificates: Vec<PathBuf>,
    /// A piece for `pins`: each user with the pins of its certificates' keys.
    #[arg(long)]
    json: bool,
    /// The configuration that says who a certificate is; `{}` if not given.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// The pins of one file.
struct Row {
    file: String,
    user: Result<String, String>,
    sha256: String,
    spki_sha256: String,
}

impl Pin {
    pub(crate) fn run(&self) -> Result<Finished, String> {
        files::check_standard_input(self.config.iter().chain(&self.certificates))?;
        let configuration = configurations::one_or_default(self.config.as_deref())?;
        let mut rows = Vec::new();
        let mut notes = Vec::new();
        for path in &self.certificates {
            let (certificate, note) = files::certificate(path)?;
            notes.extend(note);
            rows.push(Row::new(files::name(path), certificate, &configuration));
        }
        let output = match self.json {
            true => self.piece(&rows)?,
            false if std::io::stdout().is_terminal() => table(&rows),
            false => plain(&rows),
        };
        Ok(Finished {
            output,
            notes,
            code: 0,
        })
    }

    fn piece(&self, rows: &[Row]) -> Result<String, String> {
        let mut pins = BTreeMap::<_, BTreeSet<_>>::new();
        for row in rows {
            let user = row.user.as_ref();
            let user = user.map_err(|error| format!("{}: no user: {error}", row.file))?;
            pins.entry(user).or_default().insert(&row.spki_sha256);
        }
        let json = serde_json::to_string_pretty(&pins).map_err(|error| error.to_string())?;
        Ok(format!("{json}\n"))
    }
}

impl Row {
    fn new(file: String, certificate: PeerCertificate, configuration: &Configuration) -> Self {
        let sha256 = format!("sha256:{}", hex(certificate.sha256()));
        let spki_sha256 = format!("spki-sha256:{}", base64(certificate.spki_sha256()));
        let peer = Peer::Certificate(Rc::new(certificate));
        let identity = configuration.filter.policy.identity.identify(&peer);
        Self {
            file,
            user: identity
                .map(|identity| identity.user.to_string())
                .map_err(|error| error.to_string()),
            sha256,
            spki_sha256,
        }
    }
}

/// For other programs: two lines a file.
fn plain(rows: &[Row]) -> String {
    let lines = rows.iter().flat_map(|row| [&row.sha256, &row.spki_sha256]);
    lines.map(|pin| format!("{pin}\n")).collect()
}

fn table(rows: &[Row]) -> String {
    let block = |row: &Row| {
        let user = match &row.user {
            Ok(user) => visible(user),
            Err(error) => format!("none: {}", visible(error)),
        };
        let Row {
            file,
            sha256,
            spki_sha256,
            ..
        } = row;
        format!(
            "{}\n  user         {user}\n  certificate  {sha256}\n  key          {spki_sha256}\n",
            visible(file)
        )
    };
    rows.iter().map(block).collect()
}
