//! `mtls-identity doctor` on what a real Envoy runs: each hole is made in one, an attacker goes through it, and the dump of
//! that Envoy names it.

mod attacks;
mod clean;
mod lost_filter;
mod warnings;

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::Site;
use crate::harness::artifacts::{commands, repository};
use crate::harness::envoy::Envoy;

/// What the doctor says.
pub(crate) struct Diagnosis {
    /// The exit code.
    pub(crate) code: i32,
    pub(crate) findings: Vec<Value>,
}

impl Diagnosis {
    /// Of the configuration that an Envoy runs.
    pub(crate) async fn of(envoy: &Envoy) -> Self {
        let dump = envoy.admin("/config_dump").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dump.json");
        fs::write(&file, dump).unwrap();
        Self::of_files(&[file.to_str().unwrap()])
    }

    /// Of files.
    pub(crate) fn of_files(files: &[&str]) -> Self {
        let mut doctor = Command::new(commands());
        doctor.args(["doctor", "--json"]).args(files);
        let output = doctor.current_dir(repository()).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let said: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{files:?}: {error}: {errors}"));
        Self {
            code: output.status.code().unwrap(),
            findings: said["findings"].as_array().unwrap().clone(),
        }
    }

    /// The rules of this severity, in their order.
    fn rules(&self, severity: &str) -> Vec<&str> {
        let findings = self.findings.iter();
        let findings = findings.filter(|it| it["severity"] == severity);
        let mut rules: Vec<_> = findings.map(|it| it["rule"].as_str().unwrap()).collect();
        rules.dedup();
        rules
    }

    pub(crate) fn errors(&self) -> Vec<&str> {
        self.rules("error")
    }

    pub(crate) fn warnings(&self) -> Vec<&str> {
        self.rules("warning")
    }

    /// No error; where there is one, all of them are shown.
    #[track_caller]
    pub(crate) fn assert_clean(&self, what: &str) {
        assert_eq!(self.errors(), [""; 0], "{what}: {:#?}", self.findings);
        assert_eq!(self.code, 0, "{what}");
    }
}

/// The errors of this Envoy's configuration are these.
async fn assert_errors(site: &Site, expected: &[&str]) {
    let diagnosis = Diagnosis::of(&site.envoy).await;
    assert_eq!(diagnosis.errors(), expected, "{:#?}", diagnosis.findings);
    assert_eq!(diagnosis.code, 1);
}
