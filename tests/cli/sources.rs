//! `inspect` shows every name that a source could give, and what each source makes of it; `explain` says why one gives none.

use rcgen::{
    CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, KeyPair, OtherNameValue, SanType,
};
use serde_json::{Value, json};

use crate::desk::Desk;

/// A certificate with these attributes in its subject and these otherNames.
fn certificate(subject: &[(DnType, &str)], other: &[(&[u64], &str)]) -> String {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, value) in subject {
        let value = DnValue::Utf8String((*value).to_owned());
        params.distinguished_name.push(kind.clone(), value);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let other = other.iter().map(|(oid, value)| {
        let value = OtherNameValue::Utf8String((*value).to_owned());
        SanType::OtherName((oid.to_vec(), value))
    });
    params.subject_alt_names = other.collect();
    params.self_signed(&key).unwrap().pem()
}

const UPN: &[u64] = &[1, 3, 6, 1, 4, 1, 311, 20, 2, 3];
const SMTP_UTF8_MAILBOX: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 8, 9];
const UNKNOWN: &[u64] = &[1, 3, 6, 1, 4, 1, 99_999, 1];

fn custom(oid: &[u64]) -> DnType {
    DnType::CustomDnType(oid.to_vec())
}

fn person() -> String {
    let subject = [
        (custom(&[1, 2, 840, 113_549, 1, 9, 1]), "Alice@Example.com"),
        (custom(&[2, 5, 4, 5]), "PNOEE-1"),
        (custom(&[0, 9, 2342, 19_200_300, 100, 1, 1]), ""),
        (DnType::CommonName, "Alice "),
    ];
    let other = [
        (UPN, "alice@corp.local"),
        (SMTP_UTF8_MAILBOX, "z\u{f6}e@example.com"),
        (UNKNOWN, "x"),
    ];
    certificate(&subject, &other)
}

#[test]
fn inspect_shows_every_name_and_what_each_source_makes_of_it() {
    let desk = Desk::new();
    desk.write("alice", person());
    let ran = desk.run(&["inspect", "--json", "alice"]);
    let report: Value = serde_json::from_str(&ran.output).unwrap();
    assert_eq!(report["subject_email"], json!(["Alice@Example.com"]));
    assert_eq!(report["subject_serial_number"], json!(["PNOEE-1"]));
    assert_eq!(report["subject_uid"], json!([""]));
    assert_eq!(report["upn"], json!(["alice@corp.local"]));
    assert_eq!(
        report["san"]["other"],
        json!([
            {"oid": "1.3.6.1.4.1.311.20.2.3", "name": "userPrincipalName", "value": "alice@corp.local"},
            {"oid": "1.3.6.1.5.5.7.8.9", "name": "smtpUTF8Mailbox", "value": "z\u{f6}e@example.com"},
            {"oid": "1.3.6.1.4.1.99999.1", "name": null, "value": "x"},
        ])
    );
    let mut sources = report["sources"].clone();
    for long in ["fingerprint", "subject"] {
        let user = sources.as_object_mut().unwrap().remove(long).unwrap();
        assert!(user["user"].is_string(), "{user}");
    }
    assert_eq!(
        sources,
        json!({
            "cn": {"error": "cn: a user with white space at an end"},
            "subject_email": {"user": "alice@example.com"},
            "subject_serial_number": {"user": "pnoee-1"},
            "upn": {"user": "alice@corp.local"},
        })
    );
    let text = desk.run(&["inspect", "alice"]).output;
    for line in [
        "upn          \"alice@corp.local\"\n",
        "san.other    1.3.6.1.4.1.311.20.2.3 (userPrincipalName) \"alice@corp.local\"\n",
        "san.other    1.3.6.1.4.1.99999.1 \"x\"\n",
        "source       cn: nobody: cn: a user with white space at an end\n",
        "source       subject_email: \"alice@example.com\"\n",
        "subject_uid  \"\"\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[test]
fn explain_says_why_a_certificate_is_nobody() {
    let desk = Desk::new();
    desk.write("alice", person());
    let two = certificate(&[], &[(UPN, "a@b"), (UPN, "a@b")]);
    desk.write("two", two);
    for (configuration, certificate, reason, why) in [
        (
            "{}",
            "alice",
            "invalid_identity",
            "cn: a user with white space at an end",
        ),
        (
            r#"{"identity": {"sources": ["upn"]}}"#,
            "two",
            "ambiguous_identity",
            "upn is there 2 times",
        ),
        (
            r#"{"identity": {"sources": ["subject_uid"]}}"#,
            "alice",
            "no_identity",
            "none of the names that identity.sources asks for",
        ),
    ] {
        desk.write("it.json", configuration);
        let arguments = [
            "explain",
            "--json",
            "--config",
            "it.json",
            "--cert",
            certificate,
        ];
        let ran = desk.run(&arguments);
        let report: Value = serde_json::from_str(&ran.output).unwrap();
        assert_eq!(report["reason"], reason, "{report}");
        let because = report["because"].as_array().unwrap();
        assert!(because.contains(&json!(why)), "{why}: {report}");
    }
}

#[test]
fn explain_reads_what_a_proxy_in_front_forwards() {
    let desk = Desk::new();
    desk.write("proxy", certificate(&[(DnType::CommonName, "proxy")], &[]));
    let pin = desk.run(&["pin", "proxy"]).output;
    let pin = pin
        .lines()
        .find(|line| line.contains("spki-sha256:"))
        .unwrap();
    let pin = pin.split_whitespace().last().unwrap();
    let alice = certificate(&[(DnType::CommonName, "alice")], &[]);
    let base64: String = alice
        .lines()
        .filter(|line| !line.starts_with('-'))
        .collect();
    desk.write(
        "it.json",
        json!({"certificate": {"forwarded_by": [pin], "forwarded_header": "rfc9440"}}).to_string(),
    );
    for (header, user, why) in [
        (
            format!("client-cert: :{base64}:"),
            json!("alice"),
            "the source cn gives",
        ),
        (
            "accept: x".to_owned(),
            json!(null),
            "the proxy in front forwards no client certificate",
        ),
        (
            "client-cert: x".to_owned(),
            json!(null),
            "Client-Cert: expected one byte sequence",
        ),
        (
            "client-cert: :AAAA:".to_owned(),
            json!(null),
            "the forwarded certificate: ",
        ),
    ] {
        let arguments = [
            "explain", "--json", "--config", "it.json", "--cert", "proxy", "--header",
        ];
        let ran = desk.run(&[&arguments[..], &[&header]].concat());
        let report: Value = serde_json::from_str(&ran.output).unwrap();
        assert_eq!(report["user"], user, "{report}");
        assert!(ran.output.contains(why), "{why}: {report}");
    }
}
