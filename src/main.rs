//! The native commands of mtls-identity: a second face of the core that runs in Envoy.

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod cli;

use cli::{check, explain, inspect, pin, schema};

/// Looks at certificates and configurations as the filter in Envoy would.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Loads a configuration as the filter would: exit 0, or 1 with the error in one line.
    Check(check::Check),
    /// Shows the decision the filter would take, and why.
    Explain(explain::Explain),
    /// Shows what the filter reads in a certificate.
    Inspect(inspect::Inspect),
    /// Prints the two pins of each certificate, ready to paste into `pins`.
    Pin(pin::Pin),
    /// Prints the JSON Schema of the plugin configuration, for editors.
    Schema(schema::Schema),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Check(check) => check.run(),
        Command::Explain(explain) => explain.run(),
        Command::Inspect(inspect) => inspect.run(),
        Command::Pin(pin) => pin.run(),
        Command::Schema(schema) => schema.run(),
    };
    match result {
        Ok(output) => {
            // A reader that has seen enough closes the pipe.
            let _ = std::io::stdout().write_all(output.as_bytes());
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
