//! `mtls-identity inspect --json`, the program itself.

use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::artifacts::commands;
use crate::vectors::Vector;

/// What `inspect --json` prints. A field that the test does not know is an error. What is not serialized is not compared
/// with OpenSSL, which does not print it in this form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Report {
    pub(crate) subject: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) serial: String,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    pub(crate) cn: Vec<String>,
    #[serde(skip_serializing)]
    pub(crate) subject_email: Vec<String>,
    #[serde(skip_serializing)]
    pub(crate) subject_serial_number: Vec<String>,
    #[serde(skip_serializing)]
    pub(crate) subject_uid: Vec<String>,
    #[serde(skip_serializing)]
    pub(crate) upn: Vec<String>,
    #[serde(skip_serializing)]
    pub(crate) sources: serde_json::Map<String, serde_json::Value>,
    pub(crate) san: SubjectAltNames,
    pub(crate) sha256: String,
    pub(crate) spki_sha256: String,
    pub(crate) spiffe: Option<String>,
    #[serde(default)]
    pub(crate) unreadable: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubjectAltNames {
    pub(crate) dns: Vec<String>,
    pub(crate) email: Vec<String>,
    pub(crate) uri: Vec<String>,
    pub(crate) ip: Vec<String>,
    #[serde(skip_serializing)]
    pub(crate) other: Vec<serde_json::Value>,
}

/// The report on a file, or the one line that says why there is none.
pub(crate) fn inspect(vector: &Vector) -> Result<Report, String> {
    let mut program = Command::new(commands());
    let output = program.arg("inspect").arg("--json").arg(&vector.path);
    let output = output.output().unwrap();
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).unwrap());
    }
    assert_eq!(output.status.code(), Some(2), "{}", vector.name);
    let errors = String::from_utf8(output.stderr).unwrap();
    let path = format!("{}: ", vector.path.display());
    let reason = errors.trim_end().strip_prefix(&path).unwrap();
    assert!(!reason.contains('\n'), "{errors}");
    Err(reason.to_owned())
}
