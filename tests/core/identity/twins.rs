//! ECDSA twins: one certificate with two signatures, each as valid as the other. By its fingerprint it is one user.

use std::collections::BTreeSet;
use std::process::Command;
use std::rc::Rc;

use mtls_identity::certificate::{PeerCertificate, pem};
use mtls_identity::identity::{Identity, Peer};
use mtls_identity::limit::Quota;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::curves::CURVES;
use crate::decision::{configuration, outcome, serve};
use crate::der;

pub(super) fn order(place: usize) -> Vec<u8> {
    data_encoding::HEXLOWER
        .decode(CURVES[place].1.as_bytes())
        .unwrap()
}

/// A self-signed certificate over a curve, as OpenSSL makes it.
fn made_by_openssl(curve: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let parameter = format!("ec_paramgen_curve:{curve}");
    let arguments =
        "req -x509 -nodes -days 2 -subj /CN=alice -outform DER -newkey ec -keyout key -pkeyopt";
    let made = Command::new("openssl")
        .current_dir(folder.path())
        .args(arguments.split(' '))
        .arg(parameter)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    made.stdout
}

/// The contents of the element at the beginning, and what stands behind it.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, start) = match bytes[1] {
        short @ 0..0x80 => (usize::from(short), 2),
        long => {
            let size = usize::from(long & 0x7f);
            let digits = bytes[2..2 + size].iter();
            let length = digits.fold(0, |sum, &byte| sum << 8 | usize::from(byte));
            (length, 2 + size)
        }
    };
    bytes[start..].split_at(length)
}

/// What is signed with its algorithm, r and s.
pub(super) fn taken_apart(certificate: &[u8]) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let (fields, _) = split(certificate);
    let (_, behind) = split(fields);
    let (_, signature) = split(behind);
    let signed = fields[..fields.len() - signature.len()].to_vec();
    let (bits, _) = split(signature);
    let (numbers, _) = split(&bits[1..]);
    let (r, behind) = split(numbers);
    let (s, _) = split(behind);
    (signed, r.to_vec(), s.to_vec())
}

pub(super) fn put_together(signed: &[u8], r: &[u8], s: &[u8]) -> Vec<u8> {
    let numbers = der::sequence(&[der::integer(r), der::integer(s)]);
    let contents = [signed, &der::bit_string(&numbers)].concat();
    der::element(0x30, &contents)
}

/// `order - number`.
pub(super) fn rest(order: &[u8], number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let number = &number[zeros..];
    let mut result = order.to_vec();
    let mut borrow = 0;
    for place in 0..result.len() {
        let digit = |bytes: &[u8]| {
            bytes
                .len()
                .checked_sub(place + 1)
                .map_or(0, |at| i32::from(bytes[at]))
        };
        let difference = digit(order) - digit(number) - borrow;
        borrow = i32::from(difference < 0);
        let at = result.len() - place - 1;
        result[at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    result
}

pub(super) fn twin(certificate: &[u8], order: &[u8]) -> Vec<u8> {
    let (signed, r, s) = taken_apart(certificate);
    put_together(&signed, &r, &rest(order, &s))
}

pub(super) fn sha256(der: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(der))
}

fn by_fingerprint(more: Value) -> Value {
    let mut value = json!({"identity": {"sources": ["fingerprint"]}});
    for (key, section) in more.as_object().unwrap() {
        match (key.as_str(), section.as_object()) {
            ("identity", Some(identity)) => {
                value["identity"]
                    .as_object_mut()
                    .unwrap()
                    .extend(identity.clone());
            }
            _ => value[key] = section.clone(),
        }
    }
    value
}

fn identity(der: &[u8]) -> Identity {
    let configuration = configuration(&by_fingerprint(json!({})));
    let certificate = PeerCertificate::from_der(der.to_vec()).unwrap();
    let peer = Peer::Certificate(Rc::new(certificate));
    configuration
        .filter
        .policy
        .identity
        .identify(&peer)
        .unwrap()
}

pub(super) fn names(identity: &Identity) -> BTreeSet<String> {
    identity.names().map(ToString::to_string).collect()
}

fn twins_of(place: usize) -> [Vec<u8>; 2] {
    let one = made_by_openssl(CURVES[place].0);
    let other = twin(&one, &order(place));
    [one, other]
}

#[test]
fn a_certificate_and_its_twin_are_as_valid_and_are_one_user() {
    for (place, (curve, _)) in CURVES.iter().enumerate() {
        let [one, other] = twins_of(place);
        assert_ne!(one, other, "{curve}");
        assert_eq!(twin(&other, &order(place)), one, "{curve}");
        for der in [&one, &other] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("it"), pem::encode(der)).unwrap();
            let arguments = "verify -check_ss_sig -CAfile it it".split(' ');
            let verified = Command::new("openssl")
                .current_dir(folder.path())
                .args(arguments)
                .output()
                .unwrap();
            assert!(verified.status.success(), "{curve}: {verified:?}");
        }
        let [first, second] = [&one, &other].map(|der| identity(der));
        assert_eq!(first.user, second.user, "{curve}");
        for identity in [&first, &second] {
            let names = names(identity);
            assert!(names.contains(&sha256(&one)), "{curve}");
            assert!(names.contains(&sha256(&other)), "{curve}");
        }
    }
}

/// Whichever of the two the configuration names, and whichever comes.
#[test]
fn a_sha256_in_the_configuration_fits_both_twins() {
    for place in 0..CURVES.len() {
        let twins = twins_of(place);
        for named in twins.each_ref().map(|der| sha256(der)) {
            let rule = |identity: &str| {
                by_fingerprint(json!({"authorization": {"rules": [
                    {"name": "a", "action": "allow", "identities": [identity]},
                ]}}))
            };
            let pinned =
                by_fingerprint(json!({"pins": {&named: [format!("sha256:{}", "0".repeat(64))]}}));
            let required = by_fingerprint(json!({"pin_required": [named]}));
            let mapped =
                by_fingerprint(json!({"identity": {"map": [{"from": named, "to": "alice"}]}}));
            let one_name = identity(&twins[0]).user.to_string();
            for (value, expected) in [
                (rule(&named), one_name.as_str()),
                (rule(&"0".repeat(64)), "not_authorized"),
                (pinned, "pin_mismatch"),
                (required, "pin_required"),
                (mapped, "alice"),
            ] {
                let configuration = configuration(&value);
                for der in &twins {
                    assert_eq!(outcome(&serve(&configuration, der)), expected, "{value}");
                }
            }
            let value = by_fingerprint(json!({"rate_limit": {
                "default": {"rate": "1/s"},
                "identities": {&named: {"rate": "7/s", "burst": 3}},
            }}));
            let configuration = configuration(&value);
            let quotas = twins.each_ref().map(|der| {
                let served = serve(&configuration, der);
                served.decision.evidence().checks.as_ref().unwrap().quota
            });
            let default: Option<Quota> = configuration.filter.limits.default;
            assert!(quotas[0].is_some() && quotas[0] != default);
            assert_eq!(quotas[0], quotas[1]);
        }
    }
}

/// What is shown is the certificate that was presented.
#[test]
fn the_header_fingerprint_is_that_of_the_presented_certificate() {
    let value = by_fingerprint(json!({"headers": {"set": {"x-fingerprint": "fingerprint"}}}));
    let configuration = configuration(&value);
    for der in twins_of(1) {
        let served = serve(&configuration, &der);
        let header = served
            .headers
            .iter()
            .find(|(name, _)| name == "x-fingerprint");
        assert_eq!(header.unwrap().1, sha256(&der).into_bytes());
    }
}

#[test]
fn ten_thousand_pairs_of_twins_are_ten_thousand_users() {
    let (signed, ..) = taken_apart(&made_by_openssl("prime256v1"));
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut users = BTreeSet::new();
    for count in 0..10_000 {
        let order = order(count % CURVES.len());
        let mut number = || loop {
            let mut number: Vec<u8> = order.iter().map(|_| random().to_be_bytes()[3]).collect();
            number[0] &= order[0];
            if number < order {
                return number;
            }
        };
        let (r, s) = (number(), number());
        let twins = [s.clone(), rest(&order, &s)].map(|s| put_together(&signed, &r, &s));
        let [one, other] = twins.each_ref().map(|der| identity_of_many(der));
        assert_eq!(one.user, other.user, "{}", sha256(&twins[0]));
        for der in &twins {
            let digest = sha256(der);
            assert!(names(&one).contains(&digest) && names(&other).contains(&digest));
        }
        users.insert(one.user.to_string());
    }
    assert_eq!(users.len(), 10_000);
}

/// The same as [`identity`], with one configuration for all.
pub(super) fn identity_of_many(der: &[u8]) -> Identity {
    thread_local! {
        static CONFIGURATION: mtls_identity::config::Configuration =
            configuration(&by_fingerprint(json!({})));
    }
    let certificate = PeerCertificate::from_der(der.to_vec()).unwrap();
    let peer = Peer::Certificate(Rc::new(certificate));
    CONFIGURATION.with(|it| it.filter.policy.identity.identify(&peer).unwrap())
}
