//! Certificates in every usual file, for `inspect` and `pin`.

use data_encoding::BASE64;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::desk::{Desk, issue};

#[test]
fn a_certificate_is_found_in_every_usual_writing() {
    let desk = Desk::new();
    let alice = issue("alice");
    let other = issue("other");
    desk.write("plain", &alice.pem);
    let expected = desk.run(&["inspect", "--json", "plain"]).output;
    let indented = alice.pem.lines().map(|line| format!("    {line}  \r\n"));
    let text = format!("Subject: alice\n{}", alice.pem);
    for (name, content) in [
        ("crlf", alice.pem.replace('\n', "\r\n").into_bytes()),
        ("indented", indented.collect::<String>().into_bytes()),
        ("text", text.into_bytes()),
        (
            "key-first",
            format!("{}{}", alice.key, alice.pem).into_bytes(),
        ),
        ("chain", format!("{}{}", alice.pem, other.pem).into_bytes()),
        ("der", alice.der.clone()),
        ("secret", BASE64.encode(alice.pem.as_bytes()).into_bytes()),
        ("base64", BASE64.encode(&alice.der).into_bytes()),
        (
            "url",
            utf8_percent_encode(&alice.pem, NON_ALPHANUMERIC)
                .to_string()
                .into_bytes(),
        ),
        (
            "old-label",
            alice
                .pem
                .replace("CERTIFICATE", "X509 CERTIFICATE")
                .into_bytes(),
        ),
    ] {
        desk.write(name, content);
        let ran = desk.run(&["inspect", "--json", name]);
        assert_eq!(
            (ran.code, &ran.output),
            (0, &expected),
            "{name}: {}",
            ran.errors
        );
        let has_note = ran.errors.contains("the first certificate counts");
        assert_eq!(
            has_note,
            ["key-first", "chain"].contains(&name),
            "{name}: {}",
            ran.errors
        );
    }
}

#[test]
fn what_is_no_certificate_is_called_what_it_is() {
    let desk = Desk::new();
    let alice = issue("alice");
    let der = |pem: &str| pem::parse(pem).unwrap().into_contents();
    let pkcs7 = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02\xa0\x00".to_vec();
    let pkcs12 =
        b"\x30\x10\x02\x01\x03\x30\x0b\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01".to_vec();
    for (content, words) in [
        (alice.key.clone().into_bytes(), "a private key"),
        (der(&alice.key), "a private key"),
        (
            alice.request.clone().into_bytes(),
            "a certificate request (CSR)",
        ),
        (der(&alice.request), "a certificate request (CSR)"),
        (
            pkcs7,
            "PKCS#7: openssl pkcs7 -in it -inform DER -print_certs",
        ),
        (pkcs12, "PKCS#12: openssl pkcs12 -in it -nokeys"),
        (
            alice
                .pem
                .replace("CERTIFICATE", "TRUSTED CERTIFICATE")
                .into_bytes(),
            "openssl x509 -in it",
        ),
        (
            alice.pem.replace("CERTIFICATE", "PKCS7").into_bytes(),
            "PKCS#7: openssl pkcs7 -in it -print_certs",
        ),
        (Vec::new(), "found nothing"),
        (b"hello".to_vec(), "found neither PEM nor DER"),
    ] {
        desk.write("it", content);
        for command in ["inspect", "pin"] {
            let ran = desk.run(&[command, "it"]);
            assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{words}");
            assert!(ran.errors.starts_with("it: "), "{}", ran.errors);
            assert!(ran.errors.contains(words), "{words}: {}", ran.errors);
        }
    }
    let ran = desk.run_with(&["inspect", "-"], "hello");
    assert!(ran.errors.starts_with("standard input: "), "{}", ran.errors);
}

#[test]
fn inspect_says_who_a_certificate_is_or_why_nobody() {
    let desk = Desk::new();
    desk.write("alice", issue("Alice@Corp.example").pem);
    desk.write("space", issue("alice ").pem);
    desk.write("email.json", r#"{"identity": {"sources": ["email"]}}"#);
    for (arguments, line) in [
        (
            &["alice"][..],
            "user         \"alice@corp.example\" (source cn)\n",
        ),
        (
            &["space"],
            "user         none: cn: a user with white space at an end\n",
        ),
        (&["space"], "cn           \"alice \"\n"),
        (&["alice"], "validity     valid now\n"),
        (&["alice"], "key          EC 256\n"),
        (&["alice"], "purpose      client authentication\n"),
        (
            &["alice", "--config", "email.json"],
            "user         none: none of the names",
        ),
    ] {
        let ran = desk.run(&[&["inspect"], arguments].concat());
        assert_eq!(ran.code, 0, "{arguments:?}");
        assert!(ran.output.contains(line), "{line}: {}", ran.output);
    }
}

#[test]
fn the_piece_of_pin_is_one_that_check_accepts() {
    let desk = Desk::new();
    let (alice, bob) = (issue("Alice"), issue("bob"));
    desk.write("alice", &alice.pem);
    desk.write("bob", &bob.pem);
    let ran = desk.run(&["pin", "--json", "alice", "bob", "alice"]);
    let piece: Value = serde_json::from_str(&ran.output).unwrap();
    let users: Vec<_> = piece.as_object().unwrap().keys().collect();
    assert_eq!(users, ["alice", "bob"]);
    desk.write("pins.json", format!("{{\"pins\": {}}}", ran.output));
    let checked = desk.run(&["check", "--strict", "pins.json"]);
    assert_eq!(checked.output, "ok: 2 users pinned\n", "{}", checked.errors);
    for user in ["alice", "bob"] {
        let explained = desk.run(&["explain", "--config", "pins.json", "--cert", user]);
        assert_eq!(explained.code, 0, "{explained:?}");
    }
    let lines = desk.run(&["pin", "alice"]).output;
    assert_eq!(piece["alice"][0], lines.lines().last().unwrap());
}
