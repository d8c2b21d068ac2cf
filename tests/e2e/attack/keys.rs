//! Clients with a key of any kind that is in use. Envoy's own list of signature algorithms lacks Ed25519 and P-521: a client
//! with such a key would send no certificate, as if it had none.

use std::fs;
use std::path::Path;

use tokio::process::Command;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::Authority;
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";

const KEYS: [(&str, &str); 5] = [
    ("EC", "-pkeyopt ec_paramgen_curve:P-256"),
    ("EC", "-pkeyopt ec_paramgen_curve:P-384"),
    ("EC", "-pkeyopt ec_paramgen_curve:P-521"),
    ("ED25519", ""),
    ("RSA", "-pkeyopt rsa_keygen_bits:2048"),
];

async fn run(folder: &Path, program: &str, arguments: &str) -> String {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .args(arguments.split_whitespace());
    let output = command.output().await.unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A key of this kind and Alice's certificate for it, in `user.key` and `user.crt`.
async fn issue(folder: &Path, authority: &Authority, (kind, options): (&str, &str)) {
    fs::write(folder.join("ca.crt"), authority.pem()).unwrap();
    fs::write(folder.join("ca.key"), authority.key_pem()).unwrap();
    for arguments in [
        format!("genpkey -algorithm {kind} {options} -out user.key"),
        format!("req -new -key user.key -subj /CN={ALICE} -out user.csr"),
        "x509 -req -in user.csr -CA ca.crt -CAkey ca.key -days 2 -out user.crt".to_owned(),
    ] {
        run(folder, "openssl", &arguments).await;
    }
    assert!(folder.join("user.crt").exists(), "{kind} {options}");
}

/// The status that curl gets with that certificate; 000 without an answer.
async fn status(site: &Site, folder: &Path, tls: &str) -> String {
    let port = site.envoy.address().port();
    let files = "--cacert ca.crt --cert user.crt --key user.key";
    let arguments = format!(
        "--silent --noproxy * {tls} {files} --output answer --write-out %{{http_code}} https://localhost:{port}/"
    );
    run(folder, "curl", &arguments).await
}

const TLS: [&str; 2] = ["--tls-max 1.2", "--tlsv1.3"];

#[tokio::test]
async fn a_client_with_any_usual_kind_of_key_is_who_its_certificate_says() {
    let site = Fixture::new().start().await;
    for key in KEYS {
        let folder = tempfile::tempdir().unwrap();
        issue(folder.path(), &site.authority, key).await;
        for tls in TLS {
            assert_eq!(
                status(&site, folder.path(), tls).await,
                "200",
                "{key:?} {tls}"
            );
        }
    }
    let received = site.gateway.received();
    assert_eq!(received.len(), KEYS.len() * TLS.len());
    assert!(received.iter().all(|received| received.user() == [ALICE]));
}

fn without_signature_algorithms(envoy: &mut Bootstrap) {
    let tls = &mut envoy.downstream_tls()["common_tls_context"]["tls_params"];
    let removed = tls.as_object_mut().unwrap().remove("signature_algorithms");
    assert!(removed.is_some());
}

#[tokio::test]
async fn without_the_list_of_signature_algorithms_some_keys_are_as_none() {
    let site = Fixture::new()
        .edit(without_signature_algorithms)
        .start()
        .await;
    for (key, expected) in [(KEYS[0], "200"), (KEYS[2], "000"), (KEYS[3], "000")] {
        let folder = tempfile::tempdir().unwrap();
        issue(folder.path(), &site.authority, key).await;
        let status = status(&site, folder.path(), "--tlsv1.3").await;
        assert_eq!(status, expected, "{key:?}");
    }
}
