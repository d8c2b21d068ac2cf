//! Certificates as the tools make them that PKIs are built with: `tests/fixtures/makers/make.sh` made them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::agreement::{Outcome, compare};
use crate::cryptography;
use crate::inspect::inspect;
use crate::vectors::{Form, Vector};

/// The tools that have made one, by the names of the files.
const MAKERS: [&str; 11] = [
    "bouncy_castle",
    "cfssl",
    "gnutls",
    "go_crypto_x509",
    "java_keytool",
    "node_forge",
    "nss",
    "openssl",
    "openssl_of_the_guide",
    "python_cryptography",
    "rcgen",
];

/// cryptography reads no PrintableString with an `@` in it, which node-forge writes.
const UNREADABLE_TO_CRYPTOGRAPHY: &str = "node_forge";

/// Those that can write a userPrincipalName.
const WITH_UPN: [&str; 3] = ["gnutls", "openssl", "python_cryptography"];

fn certificates() -> BTreeMap<String, Vector> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/makers");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension().is_some_and(|it| it == "pem"));
    let vectors = files.map(|path| {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let bytes = fs::read(&path).unwrap();
        let form = Form::Pem;
        (
            name.clone(),
            Vector {
                name,
                path,
                bytes,
                form,
            },
        )
    });
    vectors.collect()
}

#[test]
fn certificates_of_every_maker_are_read_as_openssl_and_cryptography_read_them() {
    let certificates = certificates();
    let names: Vec<_> = certificates.keys().map(String::as_str).collect();
    assert_eq!(names, MAKERS);
    for (maker, vector) in &certificates {
        assert_eq!(compare(vector), Outcome::Agreed, "{maker}");
        let ours = vector.read().unwrap();
        let theirs = cryptography::read([&ours]).remove(0);
        assert_eq!(theirs.is_none(), maker == UNREADABLE_TO_CRYPTOGRAPHY);
        let disagreement = theirs.and_then(|theirs| cryptography::disagreement(&ours, &theirs));
        assert_eq!(disagreement, None, "{maker}");
    }
}

#[test]
fn certificates_of_every_maker_name_the_user_that_they_were_made_for() {
    for (maker, vector) in certificates() {
        let report = inspect(&vector).unwrap();
        let source = |name: &str| report.sources.get(name)?["user"].as_str();
        assert_eq!(source("cn"), Some("alice@example.com"), "{maker}");
        // Of version 1: no extensions.
        if maker == "openssl_of_the_guide" {
            assert_eq!(report.san, Default::default());
            continue;
        }
        for (name, user) in [
            ("email", "alice@example.com"),
            ("dns", "alice.example.com"),
            ("spiffe", "spiffe://example.com/alice"),
        ] {
            assert_eq!(source(name), Some(user), "{maker}");
        }
        assert_eq!(report.san.ip[0], "192.0.2.7", "{maker}");
        let upn = WITH_UPN
            .contains(&maker.as_str())
            .then_some("alice@corp.example");
        assert_eq!(source("upn"), upn, "{maker}");
    }
}
