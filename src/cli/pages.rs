//! `mtls-identity completions` and `mtls-identity man`.

use clap::Command;
use clap_complete::Shell;

use super::finished::Finished;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mtls-identity completions bash > ~/.local/share/bash-completion/completions/mtls-identity
  mtls-identity completions zsh > \"${fpath[1]}/_mtls-identity\"")]
pub(crate) struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, mut program: Command) -> Finished {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut program, "mtls-identity", &mut script);
        Finished::with(String::from_utf8_lossy(&script).into_owned())
    }
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mtls-identity man | man -l -
  mtls-identity man explain > /usr/local/share/man/man1/mtls-identity-explain.1")]
pub(crate) struct Man {
    /// The page of this command; without it that of the program.
    command: Option<String>,
}

impl Man {
    pub(crate) fn run(&self, mut program: Command) -> Result<Finished, String> {
        program.build();
        let page = match &self.command {
            None => program,
            Some(name) => {
                let found = program.find_subcommand(name);
                let found = found.ok_or_else(|| format!("found {name:?}, expected a command"))?;
                found.clone()
            }
        };
        let mut text = Vec::new();
        let rendered = clap_mangen::Man::new(page).render(&mut text);
        rendered.map_err(|error| error.to_string())?;
        Ok(Finished::with(String::from_utf8_lossy(&text).into_owned()))
    }
}
