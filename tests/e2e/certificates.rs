//! `envoy/certs.sh`: what it makes, what it keeps, and what it renews while Envoy serves.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use crate::harness::artifacts::repository;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::Credentials;
use crate::harness::client::Client;
use crate::harness::forged::assert_only_user;
use crate::harness::{Fixture, Site};
use crate::rotation::until_shown;
use crate::xds::{Crl, Xds};

const BOB: &str = "bob@example.com";

/// In this folder, with the environment's variables of these names unset but for these.
fn run(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut script = Command::new(repository().join("envoy/certs.sh"));
    for name in ["DAYS", "RENEW_DAYS", "KEY", "KEEP_KEY"] {
        script.env_remove(name);
    }
    script.envs(environment.iter().copied()).args(arguments);
    script.arg(folder).output().unwrap()
}

/// The names of the certificates that were made.
#[track_caller]
fn made(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Vec<String> {
    let output = run(folder, environment, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    assert_eq!(errors, "");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines
        .lines()
        .map(|line| line.rsplit('/').next().unwrap().replace(".crt", ""))
        .collect()
}

#[track_caller]
fn refused(folder: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> String {
    let output = run(folder, environment, arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Every file and what is in it.
fn content(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

fn credentials(folder: &Path, name: &str) -> Credentials {
    let file = |kind| read(folder, &format!("{name}.{kind}"));
    Credentials::from_pem(&file("crt"), &file("key"))
}

#[track_caller]
fn assert_openssl_verifies(folder: &Path, arguments: &[&str]) {
    let mut verify = Command::new("openssl");
    verify
        .current_dir(folder)
        .args(["verify", "-x509_strict", "-CAfile", "ca.crt"]);
    let output = verify.args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
}

const SERVER: [&str; 3] = [
    "--server",
    "server",
    "localhost,gateway.example.com,127.0.0.1,::1",
];
const USER: [&str; 3] = ["--user", "bob", BOB];

/// Envoy with certificates that the script has put into the folder it watches, key and certificate in one file.
async fn site(environment: &[(&str, &str)]) -> (Site, Xds) {
    let xds = Xds::empty();
    let folder = xds.path("certs");
    assert_eq!(made(&folder, environment, &SERVER), ["ca", "server"]);
    assert_eq!(made(&folder, environment, &USER), ["bob"]);
    let fixture = Fixture::new().edit(xds.certificates(Crl::None));
    let server = xds.shipped("server.yaml");
    let in_one = server
        .replace("server.crt }", "server.pem }")
        .replace("server.key }", "server.pem }");
    assert_eq!(in_one.matches("server.pem }").count(), 2);
    xds.put("server.yaml", &in_one);
    (fixture.start().await, xds)
}

fn client(site: &Site, folder: &Path) -> Client {
    client_as(site, folder, "bob")
}

fn client_as(site: &Site, folder: &Path, name: &str) -> Client {
    let authority = CertificateDer::from_pem_slice(read(folder, "ca.crt").as_bytes()).unwrap();
    Client::new(site.envoy.address(), &authority).presenting(&credentials(folder, name))
}

#[tokio::test]
async fn a_servers_certificate_is_no_users_and_the_cas_neither() {
    let (site, xds) = site(&[]).await;
    for name in ["server", "ca"] {
        let client = client_as(&site, &xds.path("certs"), name);
        for client in [client.clone(), client.http2()] {
            assert!(client.get("/").await.is_err(), "{name}");
        }
    }
    assert_eq!(site.gateway.received(), []);
}

#[tokio::test]
async fn openssl_rustls_and_envoy_accept_what_it_makes_with_either_kind_of_key() {
    for key in ["ec", "rsa"] {
        let (site, xds) = site(&[("KEY", key)]).await;
        let folder = xds.path("certs");
        assert_openssl_verifies(&folder, &["-purpose", "sslclient", "bob.crt"]);
        for host in ["localhost", "gateway.example.com"] {
            let arguments = [
                "-purpose",
                "sslserver",
                "-verify_hostname",
                host,
                "server.crt",
            ];
            assert_openssl_verifies(&folder, &arguments);
        }
        for address in ["127.0.0.1", "::1"] {
            assert_openssl_verifies(&folder, &["-verify_ip", address, "server.crt"]);
        }
        for client in [
            client(&site, &folder).tls12(),
            client(&site, &folder).tls13(),
        ] {
            assert_only_user(&client.get("/").await.unwrap().gateway(), BOB);
        }
    }
}

#[tokio::test]
async fn renewal_reaches_new_connections_in_one_move_and_open_ones_go_on() {
    let (site, xds) = site(&[("DAYS", "8")]).await;
    let folder = xds.path("certs");
    let before = client(&site, &folder);
    let old = credentials(&folder, "server");
    let mut open = before.connect().await.unwrap();
    assert_only_user(&open.get("/").await.unwrap().gateway(), BOB);

    assert_eq!(
        made(&folder, &[("RENEW_DAYS", "9")], &["--renew"]),
        ["bob", "server"]
    );
    let new = credentials(&folder, "server");
    assert_ne!(new.sha256(), old.sha256());
    until_shown(&before, &new).await;
    for client in [before, client(&site, &folder)] {
        assert_only_user(&client.get("/").await.unwrap().gateway(), BOB);
    }
    assert_only_user(&open.get("/").await.unwrap().gateway(), BOB);
    for stat in [
        "sds.server.key_rotation_failed",
        "sds.server.update_rejected",
    ] {
        assert_eq!(site.envoy.stat(stat).await, Some(0), "{stat}");
    }
}

/// `plugin-server.yaml` in front of the test's gateway, with what the commands of its head made.
async fn plugin_server(folder: &Path) -> Site {
    let path = repository().join("envoy/plugin-server.yaml");
    let text = fs::read_to_string(path).unwrap();
    let commands = text
        .lines()
        .filter_map(|line| line.strip_prefix("#   envoy/certs.sh "));
    let commands: Vec<Vec<_>> = commands.map(|line| line.split(' ').collect()).collect();
    assert_eq!(commands.len(), 2);
    for command in commands {
        made(folder, &[], &command);
    }
    let tls = "envoy/certs/";
    assert_eq!(text.matches(&format!(" {tls}")).count(), 3);
    let mut certificates = Bootstrap::of(&text, folder);
    let certificates = certificates.downstream_tls().to_string();
    let certificates = certificates.replace(tls, &format!("{}/", folder.display()));
    let certificates: Value = serde_json::from_str(&certificates).unwrap();
    let fixture = Fixture::new().yaml(text);
    let edit = move |envoy: &mut Bootstrap| *envoy.downstream_tls() = certificates;
    fixture.edit(edit).start().await
}

#[tokio::test]
async fn the_commands_of_plugin_server_yaml_make_what_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let site = plugin_server(folder).await;
    made(folder, &[], &USER);
    let gateway = client_as(&site, folder, "mcpgateway");
    let received = gateway.get("/mcp").await.unwrap().gateway();
    assert_only_user(&received, "mcpgateway");
    let refused = client(&site, folder).get("/mcp").await.unwrap();
    refused.assert_denied(403, "not_authorized");
    for host in ["plugins.internal.example.com", "localhost"] {
        let arguments = ["-purpose", "sslserver", "-verify_hostname", host];
        assert_openssl_verifies(folder, &[&arguments[..], &["plugins.crt"]].concat());
    }
}

#[test]
fn a_second_run_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let all = [
        "ca",
        "server",
        "admin",
        "user",
        "service",
        "stranger-ca",
        "stranger",
    ];
    assert_eq!(made(folder, &[], &[]), all);
    assert_eq!(made(folder, &[], &USER), ["bob"]);
    let before = content(folder);
    for arguments in [&[][..], &USER, &["--renew"]] {
        assert_eq!(made(folder, &[], arguments), [] as [&str; 0]);
        assert_eq!(content(folder), before);
    }
}

#[test]
fn only_what_ends_soon_is_renewed_and_by_wish_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    made(folder, &[], &SERVER);
    made(folder, &[("DAYS", "20")], &USER);
    let before = content(folder);
    assert_eq!(
        made(folder, &[("RENEW_DAYS", "19")], &["--renew"]),
        [] as [&str; 0]
    );
    let month = ("RENEW_DAYS", "30");
    assert_eq!(
        made(folder, &[month, ("KEEP_KEY", "yes")], &["--renew"]),
        ["bob"]
    );
    let after = content(folder);
    let changed = after
        .iter()
        .filter(|(name, content)| before[*name] != **content);
    let changed: Vec<_> = changed.map(|(name, _)| name.as_str()).collect();
    assert_eq!(changed, ["bob.crt", "bob.pem"]);
    assert_openssl_verifies(folder, &["-purpose", "sslclient", "bob.crt"]);
    assert_eq!(made(folder, &[month], &["--renew"]), [] as [&str; 0]);
}

#[test]
fn what_is_broken_or_asked_for_differently_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    made(folder, &[], &SERVER);
    made(folder, &[], &USER);
    let other = ["--user", "bob", "robert@example.com"];
    assert_eq!(made(folder, &[], &other), ["bob"]);
    assert_eq!(made(folder, &[], &USER), ["bob"]);
    let says = refused(folder, &[], &["--user", "server", BOB]);
    assert!(says.contains("server is not for clientAuth"), "{says}");
    fs::write(folder.join("bob.crt"), "").unwrap();
    assert_eq!(made(folder, &[], &["--renew"]), ["bob"]);
    fs::copy(folder.join("server.key"), folder.join("bob.key")).unwrap();
    assert_eq!(made(folder, &[], &["--renew"]), ["bob"]);
    let bundle = [read(folder, "bob.crt"), read(folder, "bob.key")].concat();
    assert_eq!(read(folder, "bob.pem"), bundle);
}

#[test]
fn keys_are_their_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    made(folder.path(), &[], &USER);
    for (name, mode) in [
        ("ca.key", 0o600),
        ("bob.key", 0o600),
        ("bob.pem", 0o600),
        ("bob.crt", 0o644),
    ] {
        let permissions = fs::metadata(folder.path().join(name))
            .unwrap()
            .permissions();
        assert_eq!(permissions.mode() & 0o777, mode, "{name}");
    }
    assert!(!folder.path().join("ca.pem").exists());
}

#[test]
fn without_the_cas_key_or_a_ca_that_lasts_nothing_is_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    made(folder, &[("DAYS", "8")], &USER);
    let before = content(folder);
    // The CA that lasts 8 days and 10 years.
    let says = refused(
        folder,
        &[("DAYS", "4000"), ("RENEW_DAYS", "9")],
        &["--renew"],
    );
    assert!(says.contains("ca.crt ends before"), "{says}");
    assert_eq!(content(folder), before);
    fs::remove_file(folder.join("ca.key")).unwrap();
    let says = refused(folder, &[("RENEW_DAYS", "9")], &["--renew"]);
    assert!(says.contains("ca.key is missing"), "{says}");
    let says = refused(folder, &[], &["--user", "eve", "eve@example.com"]);
    assert!(says.contains("ca.key is missing"), "{says}");
    assert!(!folder.join("eve.crt").exists());
}

#[test]
fn a_name_that_openssl_or_the_shell_would_read_as_more_makes_no_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let users = [
        "a$dir",
        "a\nOU = b",
        "a,b",
        "a#b",
        "a\\",
        "\"a\"",
        "Admin@example.com",
        "a b",
        "",
        "[extensions]",
        "zo\u{eb}@example.com",
    ];
    for user in users {
        refused(folder.path(), &[], &["--user", "bob", user]);
    }
    for hosts in ["", "a b", "a,,b", "a,DNS:b\nc", "$x", "a\n", "a,"] {
        refused(folder.path(), &[], &["--server", "s", hosts]);
    }
    for name in ["ca", "other-ca", "../bob", "", ".bob", "a/b", "-x"] {
        refused(folder.path(), &[], &["--user", name, BOB]);
    }
    for environment in [
        ("DAYS", "0"),
        ("DAYS", "7"),
        ("RENEW_DAYS", "x"),
        ("KEY", "dsa"),
    ] {
        refused(folder.path(), &[environment], &USER);
    }
    let names: Vec<_> = content(folder.path()).into_keys().collect();
    let of_the_ca = |name: &String| name.starts_with("ca.");
    assert!(names.iter().all(of_the_ca), "{names:?}");
}
