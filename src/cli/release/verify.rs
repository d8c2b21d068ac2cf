//! `mtls-identity verify`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::layout::{Image, sha256};
use crate::cli::finished::Finished;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit code: 0 if the module in the image is the one that the source gives, 1 if it is another, 2 if that \
cannot be said.
The source must be that of the commit which the image names, and the toolchain the one it was built with.

Examples:
  skopeo copy docker://registry.example.com/mtls-identity:0.2.0 oci:image
  mtls-identity verify image"
)]
pub(crate) struct Verify {
    /// A folder with the image: an OCI image layout.
    layout: PathBuf,
    /// The folder with the source of mtls-identity.
    #[arg(long, default_value = ".")]
    source: PathBuf,
    /// Compares with this module instead of building one.
    #[arg(long)]
    wasm: Option<PathBuf>,
}

impl Verify {
    pub(crate) fn run(&self) -> Finished {
        self.verify()
            .unwrap_or_else(|line| Finished::failed(2, line))
    }

    fn verify(&self) -> Result<Finished, String> {
        let layout = self.layout.display();
        let image = Image::read(&self.layout).map_err(|line| format!("{layout}: {line}"))?;
        let path = match &self.wasm {
            Some(path) => path.clone(),
            None => build(&self.source)?,
        };
        let built = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let revision = image.revision.as_deref().unwrap_or("it does not say");
        let (found, expected) = (sha256(&image.wasm), sha256(&built));
        let is_same = image.wasm == built;
        let verdict = match is_same {
            true => "ok: this source gives the module of the image",
            false => "DIFFERENT: this source does not give the module of the image",
        };
        let output = format!(
            "{verdict}\nimage     sha256:{}\nrevision  {revision}\nmodule    sha256:{found}\nbuilt     sha256:{expected}\n",
            image.digest
        );
        Ok(Finished {
            output,
            notes: Vec::new(),
            code: u8::from(!is_same),
        })
    }
}

/// Builds the module; returns its path.
fn build(source: &Path) -> Result<PathBuf, String> {
    let script = source.join("wasm-build.sh");
    let failed = |error: String| format!("{}: {error}", script.display());
    let script = script
        .canonicalize()
        .map_err(|error| failed(error.to_string()))?;
    let output = Command::new(&script).output();
    let output = output.map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    let built = PathBuf::from(printed.lines().next().unwrap_or_default());
    // A path that is not absolute is one from the folder of the script.
    Ok(script
        .parent()
        .map_or_else(|| built.clone(), |folder| folder.join(&built)))
}
