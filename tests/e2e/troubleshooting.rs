//! `envoy/TROUBLESHOOTING.md`: each of its commands, and what it says they print.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::harness::artifacts::{commands, output, repository};
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::Authority;
use crate::harness::leaf::{Leaf, common_name};
use crate::harness::{Fixture, Site, eventually};

mod page;

use page::{Example, examples, page};

/// Envoy's logs come a little later than its answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where the page's commands run: a folder that looks like the repository beside a running demonstration.
struct Desk {
    folder: TempDir,
    site: Site,
}

impl Desk {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path();
        fs::create_dir(here.join("envoy")).unwrap();
        for script in ["envoy/refusals.py", "envoy/certs.sh"] {
            symlink(repository().join(script), here.join(script)).unwrap();
        }
        symlink(commands(), here.join("mtls-identity")).unwrap();
        let certs = here.join("envoy/certs");
        let made = Command::new(here.join("envoy/certs.sh"))
            .arg(&certs)
            .output();
        assert!(made.await.unwrap().status.success());
        let site = Fixture::new()
            .edit(move |envoy| with_certificates(envoy, &certs))
            .start()
            .await;
        symlink(site.envoy.access_log_path(), here.join("access.log")).unwrap();
        symlink(site.envoy.log_path(), here.join("envoy.log")).unwrap();
        Self { folder, site }
    }

    /// In a shell as an operator has it, at the addresses of this site.
    async fn run(&self, commands: &str) -> Output {
        let listener = format!("localhost:{}", self.site.envoy.address().port());
        let commands = commands.replace("localhost:8443", &listener).replace(
            "127.0.0.1:9901",
            &self.site.envoy.admin_address().to_string(),
        );
        let here = self.folder.path();
        let path = format!("{}:{}", here.display(), std::env::var("PATH").unwrap());
        Command::new("bash")
            .args(["-c", &commands])
            .current_dir(here)
            .env("PATH", path)
            .env("NO_PROXY", "localhost,127.0.0.1")
            .env("no_proxy", "localhost,127.0.0.1")
            .output()
            .await
            .unwrap()
    }
}

fn with_certificates(envoy: &mut Bootstrap, certs: &Path) {
    let tls = &mut envoy.downstream_tls()["common_tls_context"];
    tls["tls_certificates"][0] = json!({
        "certificate_chain": {"filename": certs.join("server.crt")},
        "private_key": {"filename": certs.join("server.key")},
    });
    tls["validation_context"]["trusted_ca"] = json!({"filename": certs.join("ca.crt")});
}

/// Tries until the page is right; then nothing may stand in the standard error, or a command is misspelt.
async fn check(desk: &Desk, example: &Example) {
    let end = Instant::now() + PATIENCE;
    loop {
        let output = desk.run(&example.commands).await;
        let printed = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert_eq!(errors, "", "line {}", example.line);
        let Some(missing) = example.missing(&printed) else {
            return;
        };
        let line = example.line;
        assert!(
            Instant::now() < end,
            "line {line}: no {missing:?} in\n{printed}"
        );
    }
}

#[tokio::test]
async fn every_command_of_the_page_prints_what_the_page_says() {
    let desk = Desk::start().await;
    let examples = examples();
    assert!(examples.len() >= 10, "{}", examples.len());
    for example in &examples {
        check(&desk, example).await;
    }
}

/// Names that try to begin a column or a line of their own, or to paint the terminal.
const HOSTILE: &str = "a\t200\n2026\u{1b}[31m\"\\ \u{2028}\u{e9}";

#[tokio::test]
async fn every_refusal_is_one_line_of_six_columns_whatever_the_client_wrote() {
    let site = Fixture::new()
        .edit(Bootstrap::certificate_optional)
        .plugin(json!({
            "pin_required": ["bob@example.com"],
            "authorization": {"default": "allow", "rules": [
                {"name": "no", "action": "deny", "paths": ["/no*"]},
            ]},
        }))
        .start()
        .await;
    let leaf = |name| Leaf::of([common_name(name)]);
    let hostile = site.authority.issue(&leaf(HOSTILE));
    let refused = [
        (site.client_without_certificate(), "/a", "no_certificate\t-"),
        (
            site.client("alice@example.com"),
            "/no",
            "not_authorized\talice@example.com",
        ),
        (
            site.client("bob@example.com"),
            "/b",
            "pin_required\tbob@example.com",
        ),
        (
            site.client_with(&hostile),
            "/c",
            "invalid_identity\tCN=a\\\\09200",
        ),
    ];
    for (client, path, _) in &refused {
        assert_eq!(client.get(path).await.unwrap().status, 403);
    }
    assert_eq!(
        site.client("alice@example.com")
            .get("/")
            .await
            .unwrap()
            .status,
        200
    );
    let stranger = Authority::new().issue(&leaf(HOSTILE));
    assert!(site.client_with(&stranger).get("/").await.is_err());
    let printed = eventually("all are in the log", PATIENCE, async || {
        let printed = refusals(&site);
        (printed.lines().count() == 5).then_some(printed)
    })
    .await;
    assert!(printed.is_ascii(), "{printed}");
    let lines: Vec<_> = printed.lines().collect();
    for (line, (_, path, expected)) in lines.iter().zip(refused) {
        assert_eq!(line.split('\t').count(), 6, "{line}");
        assert!(line.contains(&format!("\t403\t{expected}")), "{line}");
        assert!(
            line.ends_with(&format!("\t127.0.0.1\tGET {path}")),
            "{line}"
        );
    }
    assert!(
        lines[4].contains("CERTIFICATE_VERIFY_FAILED"),
        "{}",
        lines[4]
    );
    assert_eq!(lines[4].split('\t').count(), 6);
}

fn refusals(site: &Site) -> String {
    let script = repository().join("envoy/refusals.py");
    output(std::process::Command::new(script).arg(site.envoy.access_log_path()))
}

#[test]
fn a_log_of_another_form_is_said_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("access.log");
    fs::write(&log, "[2026-01-01T00:00:00Z] \"GET / HTTP/1.1\" 403\n").unwrap();
    let refusals = |argument: &Path| {
        let mut script = std::process::Command::new(repository().join("envoy/refusals.py"));
        script.arg(argument).output().unwrap()
    };
    let plain = refusals(&log);
    assert!(!plain.status.success());
    assert!(String::from_utf8_lossy(&plain.stderr).contains("no line of this file is JSON"));
    fs::write(&log, "").unwrap();
    assert!(refusals(&log).status.success());
    let missing = refusals(&folder.path().join("nowhere"));
    assert!(String::from_utf8_lossy(&missing.stderr).starts_with("refusals.py: "));
    assert!(
        String::from_utf8_lossy(&refusals(Path::new("--help")).stdout)
            .contains("envoy/refusals.py")
    );
}

#[test]
fn the_page_has_every_reason_and_every_issue_of_the_guide() {
    let page = page();
    for reason in mtls_identity::reason::Reason::ALL {
        let name = format!("`{}`", reason.as_str());
        assert!(page.contains(&name), "{name}");
    }
    for issue in [
        "SSL certificate problem",
        "400 No required SSL certificate",
        "`X-Authenticated-User` is missing",
        "Connection refused",
        "alert certificate expired",
    ] {
        assert!(page.contains(issue), "{issue}");
    }
}
