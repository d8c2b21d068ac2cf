//! X-Forwarded-Client-Cert, written as Envoy 1.37 to 1.40 write it (measured): whatever the names of a certificate are, it
//! is that client and nobody else.

use mtls_identity::certificate::{PeerCertificate, pem};
use mtls_identity::identity::ForwardedHeader;

use super::forwarded::hex;
use super::name::element;

/// What an Envoy is told to write, beside `Cert`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Form {
    /// `subject: true`.
    pub subject: bool,
    /// `chain: true`.
    pub chain: bool,
    /// `uri: true`.
    pub uri: bool,
    /// `dns: true`.
    pub dns: bool,
    /// `issuer: true`.
    pub issuer: bool,
    /// `format: JSON`.
    pub json: bool,
}

impl Form {
    /// One form for each number below 64.
    pub fn numbered(number: u8) -> Self {
        let bit = |place: u8| number >> place & 1 == 1;
        Self {
            subject: bit(0),
            chain: bit(1),
            uri: bit(2),
            dns: bit(3),
            issuer: bit(4),
            json: bit(5),
        }
    }
}

/// The names of a certificate, whatever their bytes are.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The commonName.
    pub common_name: String,
    /// uniformResourceIdentifiers.
    pub uris: Vec<Vec<u8>>,
    /// dNSNames.
    pub dns: Vec<Vec<u8>>,
}

/// For any client and any proxy: the client that the proxy writes is read, at the next Envoy as well.
pub fn what_envoy_writes_is_the_client(client: &Names, form: Form, proxy: &Names, own: Form) {
    let (client_der, proxy_der) = (certificate(client), certificate(proxy));
    let direct = PeerCertificate::from_der(proxy_der.clone()).expect("it is a certificate");
    let first = header(client, &client_der, form);
    let own_text = text(proxy, &proxy_der, own);
    let mut headers = vec![first.clone(), first.trim_ascii_end().to_vec()];
    if form.json {
        let list = first.strip_suffix(b"]").expect("it is a list");
        let own = json(proxy, &proxy_der, own);
        headers.push([list, b",", own.as_bytes(), b"]"].concat());
    }
    headers.push([first.trim_ascii_end(), b",", &own_text].concat());
    for header in headers {
        let read = ForwardedHeader::Xfcc.client(&header, Some(&direct));
        let shown = String::from_utf8_lossy(&header).into_owned();
        let der = read.map(|it| it.map(|it| it.der().to_vec()));
        assert_eq!(der, Ok(Some(client_der.clone())), "{shown}");
    }
    // The proxy alone speaks for nobody.
    let read = ForwardedHeader::Xfcc.client(&own_text, Some(&direct));
    assert_eq!(read, Ok(None));
}

/// The header of the first Envoy.
fn header(names: &Names, der: &[u8], form: Form) -> Vec<u8> {
    match form.json {
        true => format!("[{}]", json(names, der, form)).into_bytes(),
        false => text(names, der, form),
    }
}

fn digest(der: &[u8]) -> String {
    let certificate = PeerCertificate::from_der(der.to_vec()).expect("it is a certificate");
    hex(certificate.sha256())
}

fn url_encoded(der: &[u8]) -> String {
    let escape = |character: char| match character {
        '\n' | ' ' | '+' | '/' | '=' => format!("%{:02X}", u32::from(character)),
        other => other.to_string(),
    };
    pem::encode(der).chars().map(escape).collect()
}

/// The subject and the issuer in the form of RFC 4514.
fn subject(names: &Names) -> String {
    let escape = |character: char| match character {
        ',' | '+' | '"' | '\\' | '<' | '>' | ';' => format!("\\{character}"),
        other => other.to_string(),
    };
    let value: String = names.common_name.chars().map(escape).collect();
    format!("CN={value}")
}

fn text(names: &Names, der: &[u8], form: Form) -> Vec<u8> {
    let pem = url_encoded(der);
    let mut parts = vec![
        b"By=spiffe://a,b;c".to_vec(),
        format!("Hash={}", digest(der)).into_bytes(),
        format!("Cert=\"{pem}\"").into_bytes(),
    ];
    let quoted = |key: &str, value: &str| format!("{key}=\"{value}\"").into_bytes();
    if form.chain {
        parts.push(quoted("Chain", &format!("{pem}{pem}")));
    }
    if form.subject {
        parts.push(quoted("Subject", &subject(names)));
    }
    if form.uri {
        parts.extend(names.uris.iter().map(|uri| [b"URI=", &uri[..]].concat()));
        // It stands there for a certificate without a URI, too.
        parts.extend(names.uris.is_empty().then(|| b"URI=".to_vec()));
    }
    if form.dns {
        parts.extend(names.dns.iter().map(|name| [b"DNS=", &name[..]].concat()));
    }
    if form.issuer {
        parts.push(quoted("Issuer", "O=x\\, \\\"y\\\",C=XX"));
    }
    parts.join(&b";"[..])
}

fn json(names: &Names, der: &[u8], form: Form) -> String {
    let pem = url_encoded(der);
    let mut members = vec![
        "\"by\":[\"spiffe://a,b;c\"]".to_owned(),
        format!("\"hash\":\"{}\"", digest(der)),
        format!("\"cert\":\"{pem}\""),
    ];
    let list = |values: &[Vec<u8>]| {
        let values: Vec<_> = values.iter().map(|value| json_string(value)).collect();
        format!("[{}]", values.join(","))
    };
    if form.chain {
        members.push(format!("\"chain\":[\"{pem}\",\"{pem}\"]"));
    }
    if form.subject {
        members.push(format!(
            "\"subject\":{}",
            json_string(subject(names).as_bytes())
        ));
    }
    if form.uri && !names.uris.is_empty() {
        members.push(format!("\"uri\":{}", list(&names.uris)));
    }
    if form.dns && !names.dns.is_empty() {
        members.push(format!("\"dns\":{}", list(&names.dns)));
    }
    if form.issuer {
        members.push(format!("\"issuer\":{}", json_string(b"C=XX")));
    }
    format!("{{{}}}", members.join(","))
}

/// A string that is no UTF-8 is written byte by byte.
fn json_string(bytes: &[u8]) -> String {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    };
    let escape = |character: char| match character {
        '"' | '\\' => format!("\\{character}"),
        '\0'..=' ' | '\u{7f}'..='\u{9f}' => format!("\\u{:04x}", u32::from(character)),
        other => other.to_string(),
    };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// The DER of a certificate with these names. Nobody has signed it: that is for TLS to see.
pub fn certificate(names: &Names) -> Vec<u8> {
    let oid = |bytes: &'static [u8]| element(6, &[bytes]);
    let name = super::name::encode(&vec![vec![(0, names.common_name.clone())]]);
    let algorithm = element(0x30, &[oid(&[0x2a, 3])]);
    let time = |text: &str| element(0x17, &[text]);
    let key = element(0x30, &[algorithm.clone(), element(3, &[[0, 1]])]);
    let of_kind = |tag: u8, values: &[Vec<u8>]| {
        let values = values.iter();
        values
            .map(move |value| element(tag, &[value]))
            .collect::<Vec<_>>()
    };
    let entries = [of_kind(0x86, &names.uris), of_kind(0x82, &names.dns)].concat();
    let value = element(4, &[element(0x30, &entries)]);
    let extension = element(0x30, &[oid(&[0x55, 0x1d, 17]), value]);
    let extensions = element(0xa3, &[element(0x30, &[extension])]);
    let mut fields = vec![
        element(0xa0, &[element(2, &[[2]])]),
        element(2, &[[1]]),
        algorithm.clone(),
        name.clone(),
        element(0x30, &[time("260101000000Z"), time("491231000000Z")]),
        name,
        key,
    ];
    fields.extend((!entries.is_empty()).then_some(extensions));
    element(
        0x30,
        &[element(0x30, &fields), algorithm, element(3, &[[0, 1]])],
    )
}
