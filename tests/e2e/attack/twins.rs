//! Whoever has a certificate that is signed with ECDSA can make another one of it, without any key: the signature (r, n − s)
//! is as valid as (r, s). TLS admits it, and its SHA-256 is another.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::harness::certs::Credentials;
use crate::harness::client::Client;
use crate::harness::curves::CURVES;
use crate::harness::{Fixture, der};

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";

const P256: &str = CURVES[1].1;

/// The content of the DER element at the beginning, and what comes behind the element.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, begin) = match bytes[1] {
        short @ 0..=0x7f => (usize::from(short), 2),
        long => {
            let octets = &bytes[2..][..usize::from(long & 0x7f)];
            let add = |sum: usize, octet: &u8| sum << 8 | usize::from(*octet);
            (octets.iter().fold(0, add), 2 + octets.len())
        }
    };
    bytes[begin..].split_at(length)
}

/// n − s, both big-endian.
fn difference(order: &str, s: &[u8]) -> Vec<u8> {
    let mut difference = data_encoding::HEXLOWER.decode(order.as_bytes()).unwrap();
    let mut borrow = 0;
    let digits = s.iter().rev().copied().chain(std::iter::repeat(0));
    for (octet, digit) in difference.iter_mut().rev().zip(digits) {
        let rest = i16::from(*octet) - i16::from(digit) - borrow;
        borrow = i16::from(rest < 0);
        *octet = rest.rem_euclid(256) as u8;
    }
    assert_eq!(borrow, 0, "s is below n");
    difference
}

/// The twin of a certificate whose issuer signs on a curve of this order, with the same key.
fn twin(credentials: &Credentials, order: &str) -> Credentials {
    let (fields, _) = split(credentials.certificate());
    let (_, algorithm_and_signature) = split(fields);
    let signed = &fields[..fields.len() - algorithm_and_signature.len()];
    let (_, signature) = split(algorithm_and_signature);
    let algorithm = &algorithm_and_signature[..algorithm_and_signature.len() - signature.len()];
    let (bits, _) = split(signature);
    let (numbers, _) = split(&bits[1..]);
    let (r, second) = split(numbers);
    let (s, _) = split(second);
    let s = s.strip_prefix(&[0]).unwrap_or(s);
    let numbers = der::sequence(&[der::integer(r), der::integer(&difference(order, s))]);
    let fields = [
        signed.to_vec(),
        algorithm.to_vec(),
        der::bit_string(&numbers),
    ];
    credentials.with_certificate(der::sequence(&fields))
}

/// What became of a request: the user, or the reason of the denial.
async fn outcome(client: Client) -> String {
    let answer = client.get("/").await.unwrap();
    match answer.status {
        200 => answer.gateway().user().concat(),
        _ => answer.denial().1,
    }
}

/// The certificate of an authority that signs on this curve, and what it has issued for Alice and Bob, whose keys are on
/// P-256.
fn issued_on(curve: &str) -> (String, [Credentials; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let openssl = |arguments: String| {
        let mut command = Command::new("openssl");
        command
            .current_dir(folder.path())
            .args(arguments.split_whitespace());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{arguments}: {output:?}");
    };
    let new = "req -x509 -nodes -days 2 -newkey ec -pkeyopt";
    let ca = format!("{new} ec_paramgen_curve:{curve} -subj /CN=CA -keyout ca.key -out ca.crt");
    openssl(ca);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let issue = |name: &str| {
        let of =
            format!("-subj /CN={name} -CA ca.crt -CAkey ca.key -keyout user.key -out user.crt");
        let leaf = "-addext basicConstraints=CA:FALSE";
        openssl(format!("{new} ec_paramgen_curve:P-256 {leaf} {of}"));
        Credentials::from_pem(&read("user.crt"), &read("user.key"))
    };
    let issued = [issue(ALICE), issue(BOB)];
    (read("ca.crt"), issued)
}

#[tokio::test]
async fn the_twin_of_a_revoked_certificate_is_revoked_on_any_version_and_curve() {
    for version in ["1.36.2", "1.37.0", "1.38.2", "1.39.3", "1.40.0"] {
        for (curve, order) in CURVES {
            let (ca, [lost, kept]) = issued_on(curve);
            let site = Fixture::new()
                .plugin(json!({"revoked": [{"sha256": lost.sha256()}]}))
                .on(version)
                .edit(move |envoy| {
                    let ca = envoy.file("clients.crt", &ca);
                    envoy.validation()["trusted_ca"] = json!({"filename": ca});
                });
            let site = site.start().await;
            let twins = [&lost, &kept].map(|credentials| twin(credentials, order));
            assert_ne!(twins[0].sha256(), lost.sha256());
            for (credentials, expected) in [
                (&lost, "revoked"),
                (&twins[0], "revoked"),
                (&kept, BOB),
                // Envoy does admit a twin: it is the filter that refuses the other.
                (&twins[1], BOB),
            ] {
                let client = site.client_with(credentials);
                assert_eq!(outcome(client).await, expected, "{version} {curve}");
            }
        }
    }
}

#[tokio::test]
async fn a_certificate_and_its_twin_are_one_user_with_one_budget() {
    let site = Fixture::new()
        .plugin(json!({
            "identity": {"sources": ["fingerprint"]},
            "rate_limit": {"default": {"rate": "1/h", "burst": 1}},
        }))
        .start()
        .await;
    let alice = site.authority.client(ALICE);
    let twin = twin(&alice, P256);
    let mut outcomes = Vec::new();
    for credentials in [&alice, &twin, &alice, &twin] {
        let answer = site.client_with(credentials).get("/").await.unwrap();
        outcomes.push(answer.status);
    }
    assert_eq!(outcomes, [200, 200, 429, 429]);
}
