//! Another reader of JSON: a program that says of each message what it finds in it.

use std::io::Write;
use std::process::{Command, Stdio};
use std::thread;

use data_encoding::HEXLOWER;
use serde_json::Value;

/// What a reader finds: method, `params.name` and `params.uri`, each as JSON, null where there is none.
pub(crate) type Reading = [Value; 3];

/// What this program reads; none for a message that it refuses. It gets a message a line, in hexadecimal digits, and answers
/// each with a list of three, or with `null`.
pub(crate) fn read(program: &str, messages: &[&[u8]]) -> Vec<Option<Reading>> {
    let mut words = program.split(' ');
    let mut command = Command::new(words.next().unwrap());
    command.args(words).current_dir(env!("CARGO_MANIFEST_DIR"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut input = child.stdin.take().unwrap();
    let lines: String = messages
        .iter()
        .map(|message| HEXLOWER.encode(message) + "\n")
        .collect();
    let writing = thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "{program}");
    let output = String::from_utf8(output.stdout).unwrap();
    let readings: Vec<_> = output.lines().map(reading).collect();
    assert_eq!(readings.len(), messages.len(), "{program}");
    readings
}

fn reading(line: &str) -> Option<Reading> {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// What serde_json reads when nobody looks for keys that are there twice.
pub(crate) fn by_serde_json(message: &[u8]) -> Option<Reading> {
    let value: Value = serde_json::from_slice(message).ok()?;
    let params = &value["params"];
    Some([
        value["method"].clone(),
        params["name"].clone(),
        params["uri"].clone(),
    ])
}
