//! The native commands of mtls-identity: a second face of the core that runs in Envoy.

use std::io::Write;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

mod cli;

use cli::{
    Check, Completions, Doctor, Explain, Finished, Inspect, Man, Pin, Revoke, Schema, Verify,
};

/// Looks at certificates and configurations as the filter in Envoy would.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Loads configurations as the filter would, and shows every error with its line.
    Check(Check),
    /// Names the holes around the filter in what Envoy, Istio or Envoy Gateway is told.
    Doctor(Doctor),
    /// Shows the decision the filter would take, and why.
    Explain(Explain),
    /// Shows what the filter reads in a certificate.
    Inspect(Inspect),
    /// Prints the two pins of each certificate.
    Pin(Pin),
    /// Turns a CRL, its signature checked, into entries of `revoked`, which also end who is connected already.
    Revoke(Revoke),
    /// Rebuilds the module from this source, and compares it with the one in an image.
    Verify(Verify),
    /// Prints the JSON Schema of the plugin configuration, for editors.
    Schema(Schema),
    /// Prints the completions for a shell.
    Completions(Completions),
    /// Prints a page for man(1).
    Man(Man),
}

fn main() -> ExitCode {
    let finished = match Arguments::parse().command {
        Command::Check(check) => check.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Explain(explain) => explain.run(),
        Command::Inspect(inspect) => or_failed(inspect.run()),
        Command::Pin(pin) => or_failed(pin.run()),
        Command::Revoke(revoke) => or_failed(revoke.run()),
        Command::Verify(verify) => verify.run(),
        Command::Schema(schema) => or_failed(schema.run()),
        Command::Completions(completions) => completions.run(Arguments::command()),
        Command::Man(man) => or_failed(man.run(Arguments::command())),
    };
    for note in &finished.notes {
        eprintln!("{}", mtls_identity::encoding::visible(note));
    }
    // A reader that has seen enough closes the pipe.
    let _ = std::io::stdout().write_all(finished.output.as_bytes());
    ExitCode::from(finished.code)
}

/// An error is neither of the two answers that a command can give: it could not say.
fn or_failed(result: Result<Finished, String>) -> Finished {
    result.unwrap_or_else(|line| Finished::failed(2, line))
}
