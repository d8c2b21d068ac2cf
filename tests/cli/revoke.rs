//! `mtls-identity revoke`, asked about CRLs that OpenSSL has made.

use std::fmt::Write;
use std::process::Command;

use mtls_identity::certificate::{PeerCertificate, Timestamp, UnverifiedList};
use mtls_identity::config::Configuration;
use proptest::prelude::*;
use rcgen::{CertificateParams, DnType, KeyPair, SerialNumber};
use serde_json::{Value, json};

use crate::desk::{Desk, Ran};

#[path = "../../fuzz/properties/crl.rs"]
mod property;

/// `openssl ca`, and kinds of lists.
const CONFIGURATION: &str = "\
[ca]
default_ca = it
[it]
database = index.txt
default_md = default
default_crl_days = 30
crlnumber = number
[plain]
[delta]
2.5.29.27 = critical,ASN1:INTEGER:1
[indirect]
issuingDistributionPoint = critical,@all
[all]
indirectCRL = TRUE
[users]
issuingDistributionPoint = critical,@only_users
[only_users]
onlyuser = TRUE
[attributes]
issuingDistributionPoint = critical,@only_attributes
[only_attributes]
onlyAA = TRUE
[unknown]
1.2.3.4 = critical,ASN1:NULL
[unknown_scope]
2.5.29.28 = ASN1:NULL
";

const RSA: &str = "RSA -pkeyopt rsa_keygen_bits:2048";
const P256: &str = "EC -pkeyopt ec_paramgen_curve:P-256";
const CA: [&str; 2] = ["CA:TRUE", "cRLSign,keyCertSign"];

/// A CA of OpenSSL's in a folder of its own.
struct Ca {
    desk: Desk,
}

impl Ca {
    fn new(algorithm: &str) -> Self {
        Self::with(algorithm, CA)
    }

    /// With these basicConstraints and this keyUsage.
    fn with(algorithm: &str, [constraints, usage]: [&str; 2]) -> Self {
        let ca = Self { desk: Desk::new() };
        ca.desk.write("ca.cnf", CONFIGURATION);
        ca.desk.write("number", "01\n");
        ca.revoke(&[10, 0x7b]);
        ca.openssl(&format!("genpkey -algorithm {algorithm} -out ca.key"));
        ca.openssl(&format!(
            "req -x509 -new -key ca.key -out ca.crt -subj /O=Example/CN=CA -days 100 \
             -addext basicConstraints=critical,{constraints} -addext keyUsage={usage}"
        ));
        ca
    }

    fn openssl(&self, arguments: &str) {
        let folder = self.desk.write("openssl", "");
        let mut command = Command::new("openssl");
        command
            .args(arguments.split_whitespace())
            .current_dir(folder.parent().unwrap());
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    /// These serial numbers, and no others, are revoked.
    fn revoke(&self, serials: &[u64]) {
        let mut index = String::from("V\t350101000000Z\t\t0C\tunknown\t/CN=valid\n");
        for serial in serials {
            let hex = format!("{serial:02X}");
            let hex = if hex.len() % 2 == 1 {
                format!("0{hex}")
            } else {
                hex
            };
            writeln!(
                index,
                "R\t350101000000Z\t260101000000Z,keyCompromise\t{hex}\tunknown\t/CN=a"
            )
            .unwrap();
        }
        self.desk.write("index.txt", index);
    }

    /// A list of this kind as `list.crl`.
    fn list(&self, kind: &str, more: &str) {
        self.openssl(&format!(
            "ca -gencrl -config ca.cnf -cert ca.crt -keyfile ca.key -crlexts {kind} -out list.crl {more}"
        ));
    }

    fn revoke_command(&self, more: &[&str]) -> Ran {
        let arguments = [&["revoke", "--crl", "list.crl", "--ca", "ca.crt"], more].concat();
        self.desk.run(&arguments)
    }
}

fn json_of(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(&ran.output).unwrap()
}

#[track_caller]
fn assert_refused(ran: &Ran, words: &str) {
    assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{ran:?}");
    assert!(ran.errors.contains(words), "{ran:?}");
}

#[test]
fn a_list_of_each_kind_of_key_is_one_group_of_its_issuer() {
    for (algorithm, more) in [
        (RSA, ""),
        (RSA, "-md sha512"),
        (
            RSA,
            "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest -md sha256",
        ),
        (P256, ""),
        ("EC -pkeyopt ec_paramgen_curve:P-384", "-md sha384"),
        ("ED25519", ""),
    ] {
        let ca = Ca::new(algorithm);
        ca.list("plain", more);
        let ran = ca.revoke_command(&[]);
        let expected =
            json!({"revoked": [{"issuer": "CN=CA,O=Example", "serials": ["0x0a", "0x7b"]}]});
        assert_eq!(json_of(&ran), expected, "{algorithm} {more}");
        assert!(
            ran.errors
                .contains("2 serial numbers of CN=CA,O=Example; the next list is due at")
        );
    }
}

#[test]
fn a_list_in_der_and_a_ca_among_others_are_found() {
    let ca = Ca::new(P256);
    ca.list("users", "");
    let plain = json_of(&ca.revoke_command(&[]));
    ca.openssl("crl -in list.crl -outform DER -out list.der");
    ca.openssl("x509 -in ca.crt -outform DER -out ca.der");
    let der = ca
        .desk
        .run(&["revoke", "--crl", "list.der", "--ca", "ca.der"]);
    assert_eq!(json_of(&der), plain);
    ca.openssl("req -x509 -new -key ca.key -out other.crt -subj /CN=Other -days 1");
    let read =
        |name: &str| std::fs::read_to_string(ca.desk.write("x", "").with_file_name(name)).unwrap();
    ca.desk
        .write("bundle.crt", read("other.crt") + &read("ca.crt"));
    let bundle = ca
        .desk
        .run(&["revoke", "--crl", "list.crl", "--ca", "bundle.crt"]);
    assert_eq!(json_of(&bundle), plain);
}

#[test]
fn a_list_that_is_not_the_cas_own_is_refused() {
    let ca = Ca::new(P256);
    ca.list("plain", "");
    // Another CA of the same name, and one of another name.
    ca.openssl(&format!("genpkey -algorithm {P256} -out other.key"));
    for (subject, words) in [
        ("/O=Example/CN=CA", "its signature is not of this CA's key"),
        ("/CN=Other", "its issuer is not this CA"),
    ] {
        ca.openssl(&format!(
            "req -x509 -new -key other.key -out other.crt -subj {subject} -days 1"
        ));
        let ran = ca
            .desk
            .run(&["revoke", "--crl", "list.crl", "--ca", "other.crt"]);
        assert_refused(&ran, words);
    }
    for (certificate, words) in [
        (["CA:FALSE", "cRLSign"], "is of no CA"),
        (["CA:TRUE", "keyCertSign"], "does not allow it to sign CRLs"),
    ] {
        let ca = Ca::with(P256, certificate);
        ca.list("plain", "");
        assert_refused(&ca.revoke_command(&[]), words);
    }
}

#[test]
fn a_list_that_is_out_of_force_is_refused() {
    let ca = Ca::new(P256);
    ca.list("plain", "");
    assert_refused(
        &ca.revoke_command(&["--at", "2126-01-01"]),
        "a newer one was due at",
    );
    assert_refused(
        &ca.revoke_command(&["--at", "2020-01-01"]),
        "which is to come",
    );
}

#[test]
fn a_list_that_says_less_or_more_than_its_entries_is_refused() {
    let ca = Ca::new(RSA);
    for (kind, more, words) in [
        ("delta", "", "delta CRL"),
        ("indirect", "", "indirect CRL"),
        ("attributes", "", "attribute certificates"),
        ("unknown", "", "the critical extension 1.2.3.4"),
        ("unknown_scope", "", "the critical extension 2.5.29.28"),
        ("plain", "-md sha1", "signed with SHA-1"),
    ] {
        ca.list(kind, more);
        assert_refused(&ca.revoke_command(&[]), words);
    }
    let ca = Ca::new("EC -pkeyopt ec_paramgen_curve:P-521");
    ca.list("plain", "");
    assert_refused(&ca.revoke_command(&[]), "or of one that is not known");
    ca.desk.write(
        "list.crl",
        "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
    );
    assert_refused(&ca.revoke_command(&[]), "this is no CRL of RFC 5280");
    for text in [
        "",
        "hello",
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    ] {
        ca.desk.write("list.crl", text);
        assert_refused(&ca.revoke_command(&[]), "found no X509 CRL");
    }
}

#[test]
fn a_configuration_keeps_everything_else_and_what_was_revoked_by_hand() {
    let ca = Ca::new(P256);
    ca.list("plain", "");
    let fingerprint = "ab".repeat(32);
    let before = json!({
        "audit": {"log": "all"},
        "pins": {},
        "revoked": [
            {"sha256": fingerprint},
            {"issuer": "CN=Other", "serial": "01"},
            {"issuer": "CN=CA, O=Example", "serials": ["0x0a", "0xff"]},
        ],
    });
    let mut expected = before.clone();
    expected["revoked"][2]["serials"] = json!(["0x0a", "0xff", "0x7b"]);
    ca.desk.write("filter.json", before.to_string());
    let ran = ca.revoke_command(&["--config", "filter.json"]);
    assert_eq!(json_of(&ran), expected);
    // A second time nothing is added.
    ca.desk.write("filter.json", ran.output);
    assert_eq!(
        json_of(&ca.revoke_command(&["--config", "filter.json"])),
        expected
    );
    // A list without entries takes nothing away.
    ca.revoke(&[]);
    ca.list("plain", "");
    assert_eq!(
        json_of(&ca.revoke_command(&["--config", "filter.json"])),
        expected
    );
    assert_eq!(json_of(&ca.revoke_command(&[])), json!({"revoked": []}));
    ca.desk.write("filter.json", r#"{"revoke": []}"#);
    assert_refused(
        &ca.revoke_command(&["--config", "filter.json"]),
        "did you mean \"revoked\"?",
    );
}

#[test]
fn ten_thousand_entries_are_loaded_and_refuse_each_of_theirs() {
    let ca = Ca::new(P256);
    let serials: Vec<u64> = (0..10_000)
        .map(|number| 0x1122_3344_5566_0000 + number)
        .collect();
    ca.revoke(&serials);
    ca.list("plain", "");
    let ran = ca.revoke_command(&[]);
    let listed = json_of(&ran);
    assert_eq!(
        listed["revoked"][0]["serials"].as_array().unwrap().len(),
        10_000
    );
    // Where a WasmPlugin is kept there is room for 1.5 MB.
    assert!(ran.output.len() < 500_000, "{}", ran.output.len());
    let configuration = Configuration::parse(ran.output.as_bytes()).unwrap();
    let revoked = &configuration.filter.policy.revoked;
    for (serial, is_revoked) in [
        (serials[0], true),
        (serials[9_999], true),
        (serials[9_999] + 1, false),
    ] {
        assert_eq!(
            revoked.contains(&certificate(serial)),
            is_revoked,
            "{serial:x}"
        );
    }
}

/// A certificate with this serial number, of an issuer with the CA's name.
fn certificate(serial: u64) -> PeerCertificate {
    let mut params = CertificateParams::default();
    params.serial_number = Some(SerialNumber::from(serial));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, "Example");
    params.distinguished_name.push(DnType::CommonName, "CA");
    let issued = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
    PeerCertificate::from_der(issued.der().to_vec()).unwrap()
}

#[test]
fn a_damaged_list_is_none_or_says_what_the_ca_has_signed() {
    let ca = Ca::new("ED25519");
    ca.list("plain", "");
    ca.openssl("crl -in list.crl -outform DER -out list.der");
    ca.openssl("x509 -in ca.crt -outform DER -out ca.der");
    let read = |name: &str| std::fs::read(ca.desk.write("x", "").with_file_name(name)).unwrap();
    let (list, authority) = (read("list.der"), read("ca.der"));
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let now = Timestamp::from_unix(i64::try_from(since).unwrap());
    let verify = |bytes: &[u8]| UnverifiedList::read(bytes)?.verify(&authority, now);
    let whole = verify(&list).unwrap();
    assert_eq!(whole.serials.len(), 2);
    for place in 0..list.len() {
        for bit in [1, 0x80] {
            let mut damaged = list.clone();
            damaged[place] ^= bit;
            assert!(
                verify(&damaged).map_or(true, |list| list == whole),
                "byte {place}"
            );
            property::any_bytes(&damaged);
        }
        assert!(verify(&list[..place]).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_no_list_or_one_whose_numbers_are_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        property::any_bytes(&bytes);
    }
}
