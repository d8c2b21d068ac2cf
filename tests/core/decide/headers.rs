//! The values of `headers.set`, for a certificate that has everything and for one that has nothing.

use mtls_identity::reason::Reason;
use serde_json::{Value, json};

use crate::decision::{configuration, issue, serve};
use crate::leaf::{
    Attribute, Leaf, common_name, organization, organizational_unit, san_dns, san_email, san_uri,
};

fn set(value: &Value, certificate: &[u8]) -> Result<Vec<(String, String)>, Reason> {
    let configuration = configuration(value);
    let outcome = serve(&configuration, certificate);
    match outcome.decision.reason() {
        Some(reason) => Err(reason),
        None => Ok(outcome.headers.iter().map(text).collect()),
    }
}

fn text((name, value): &(String, Vec<u8>)) -> (String, String) {
    (name.clone(), String::from_utf8(value.clone()).unwrap())
}

/// The value of one kind, for this certificate.
fn value(kind: &str, certificate: &[u8]) -> Result<Option<String>, Reason> {
    let headers = set(&json!({"headers": {"set": {"x-a": kind}}}), certificate)?;
    let found = headers.into_iter().find(|(name, _)| name == "x-a");
    Ok(found.map(|(_, value)| value))
}

#[test]
fn the_user_header_is_there_once_and_so_is_each_of_set() {
    let certificate = issue(&Leaf::of([common_name("Admin@Example.com")]));
    let headers = set(
        &json!({"headers": {"user": "X-User", "set": {"X-Verify": "verify", "x-again": "user"}}}),
        &certificate,
    );
    let expected = [
        ("x-user", "admin@example.com"),
        ("x-again", "admin@example.com"),
        ("x-ssl-client-verify", "SUCCESS"),
        ("x-verify", "SUCCESS"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(headers, Ok(expected.to_vec()));
}

#[test]
fn every_value_is_that_of_the_certificate() {
    let certificate = issue(
        &Leaf::of([
            organization("Acme, Inc."),
            organization("100% Acme"),
            organizational_unit("Ops"),
            common_name("a"),
        ])
        .serial(&[0x0a, 0xbc])
        .subject_alt_names(&[
            san_uri("spiffe://a/b"),
            san_dns("x.example.com"),
            san_dns("y,z"),
            san_dns("y%2Cz"),
            san_email("a@example.com"),
        ]),
    );
    for (kind, expected) in [
        ("user", "a"),
        ("subject", r"CN=a,OU=Ops,O=100% Acme,O=Acme\, Inc."),
        ("issuer", "CN=Test CA"),
        ("organization", "Acme%2C Inc.,100%25 Acme"),
        ("organizational_unit", "Ops"),
        ("serial", "0abc"),
        ("san_uri", "spiffe://a/b"),
        ("san_dns", "x.example.com,y%2Cz,y%252Cz"),
        ("san_email", "a@example.com"),
        ("spiffe", "spiffe://a/b"),
        ("verify", "SUCCESS"),
    ] {
        assert_eq!(
            value(kind, &certificate),
            Ok(Some(expected.to_owned())),
            "{kind}"
        );
    }
}

#[test]
fn a_value_that_is_absent_sets_no_header() {
    let certificate = issue(&Leaf::of([common_name("a")]));
    for kind in [
        "organization",
        "organizational_unit",
        "san_uri",
        "san_dns",
        "san_email",
        "spiffe",
    ] {
        assert_eq!(value(kind, &certificate), Ok(None), "{kind}");
    }
}

#[test]
fn digests_times_and_whole_certificates_agree_with_openssl() {
    let certificate = issue(&Leaf::of([common_name("a")]));
    let text = |kind| value(kind, &certificate).unwrap().unwrap();
    let openssl = |arguments: &[&str]| crate::openssl::ask(arguments, &certificate);
    let fingerprint = openssl(&["x509", "-noout", "-fingerprint", "-sha256"]);
    let fingerprint = fingerprint.split_once('=').unwrap().1.replace(':', "");
    assert_eq!(text("fingerprint"), fingerprint.to_lowercase());
    assert_eq!(text("spki"), crate::openssl::spki_sha256(&certificate));
    let dates = openssl(&["x509", "-noout", "-dates", "-dateopt", "iso_8601"]);
    let date = |text: String| text.replace('T', " ");
    let expected = format!(
        "notBefore={}\nnotAfter={}",
        date(text("not_before")),
        date(text("not_after"))
    );
    assert_eq!(dates, expected);
    let pem = openssl(&["x509"]);
    let escaped = text("certificate_escaped");
    let unescaped = percent_encoding::percent_decode_str(&escaped)
        .decode_utf8()
        .unwrap();
    assert_eq!(unescaped.trim_end(), pem);
    assert!(!escaped.contains(['+', '/', '=', '\n', ' ']));
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(text("certificate_rfc9440"), format!(":{base64}:"));
}

#[test]
fn an_organization_that_is_no_text_of_the_charset_is_refused() {
    let name = common_name("a");
    let latin = Attribute::new("2.5.4.10", crate::der::TELETEX_STRING, &[0xc4]);
    for attribute in [
        organization("A\r\nX-User: root"),
        organization("A\0"),
        organization(" A"),
        organization("\u{c4}"),
        latin,
    ] {
        let certificate = issue(&Leaf::of([name.clone(), organization("B"), attribute]));
        let refused = value("organization", &certificate);
        assert_eq!(refused, Err(Reason::InvalidIdentity));
    }
    let certificate = issue(&Leaf::of([name, organization("\u{c4}rzte")]));
    let utf8 =
        json!({"identity": {"charset": "utf8"}, "headers": {"set": {"x-a": "organization"}}});
    let headers = set(&utf8, &certificate).unwrap();
    assert!(headers.contains(&("x-a".to_owned(), "\u{c4}rzte".to_owned())));
}

#[test]
fn a_value_of_a_name_that_cannot_be_read_is_refused() {
    let latin_1 = |number| crate::der::implicit(number, b"\xe9");
    let with = |names: &[Vec<u8>]| {
        let names = [&[san_dns("d")], names].concat();
        issue(&Leaf::of([common_name("a")]).subject_alt_names(&names))
    };
    let unreadable = Err(Reason::CertificateUnreadable);
    let dns = || Ok(Some("d".to_owned()));
    for (certificate, kind, expected) in [
        (with(&[latin_1(1)]), "san_email", unreadable.clone()),
        (with(&[latin_1(1)]), "san_dns", dns()),
        (with(&[latin_1(1)]), "spiffe", Ok(None)),
        (with(&[latin_1(6)]), "san_uri", unreadable.clone()),
        (with(&[latin_1(6)]), "spiffe", unreadable.clone()),
        (with(&[latin_1(6)]), "san_dns", dns()),
        (with(&[latin_1(9)]), "san_dns", unreadable),
        (with(&[latin_1(9)]), "subject", Ok(Some("CN=a".to_owned()))),
    ] {
        assert_eq!(value(kind, &certificate), expected, "{kind}");
    }
}

#[test]
fn a_value_over_8_kib_is_refused_and_never_cut() {
    let uri = |length: usize| san_uri(&format!("https://a/{}", "b".repeat(length - 10)));
    let certificate = |length| {
        let leaf = Leaf::of([common_name("a")]);
        issue(&leaf.subject_alt_names(&[uri(length)]))
    };
    let longest = value("san_uri", &certificate(8192)).unwrap().unwrap();
    assert_eq!(longest.len(), 8192);
    assert_eq!(
        value("san_uri", &certificate(8193)),
        Err(Reason::HeaderTooLarge)
    );
    assert_eq!(
        value("certificate_escaped", &certificate(8192)),
        Err(Reason::HeaderTooLarge)
    );
    assert_eq!(
        value("fingerprint", &certificate(8193))
            .unwrap()
            .unwrap()
            .len(),
        64
    );
}
