//! Files, or the standard input, and the certificates in them.

use std::io::Read;
use std::path::{Path, PathBuf};

use mtls_identity::certificate::PeerCertificate;
use mtls_identity::encoding;
use percent_encoding::percent_decode;

use super::kind::Kind;

/// A file as it is called in messages.
pub(crate) fn name(path: &Path) -> String {
    match path == Path::new("-") {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

/// Refuses `-` for two files: the second would be empty.
///
/// # Errors
/// One line.
pub(crate) fn check_standard_input<'a>(
    paths: impl IntoIterator<Item = &'a PathBuf>,
) -> Result<(), String> {
    let paths = paths.into_iter();
    match paths.filter(|path| path.as_os_str() == "-").count() {
        0 | 1 => Ok(()),
        _ => Err("`-` is given twice, and the standard input can be read only once".to_owned()),
    }
}

/// All bytes of a file; of the standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let result = match path == Path::new("-") {
        true => std::io::stdin().read_to_end(&mut bytes).map(|_| bytes),
        false => std::fs::read(path),
    };
    result.map_err(|error| format!("{}: {error}", name(path)))
}

/// The first certificate of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The certificate in DER, of which nothing more is known than that it looks like one.
    pub(crate) der: Vec<u8>,
    /// What else is in the file.
    pub(crate) note: Option<String>,
}

/// Finds the first certificate in a file of PEM or DER, or in their usual wrappings.
///
/// # Errors
/// One line that begins with the file and says what it is instead.
pub(crate) fn find_certificate(path: &Path) -> Result<Found, String> {
    let bytes = read(path)?;
    let file = name(path);
    let found = find(&bytes, &file).map_err(|error| format!("{file}: {error}"))?;
    let note = found.note.map(|note| format!("{file}: {note}"));
    Ok(Found { note, ..found })
}

/// The first certificate of a file, read, and a note of what else is there.
pub(crate) fn certificate(path: &Path) -> Result<(PeerCertificate, Option<String>), String> {
    let Found { der, note } = find_certificate(path)?;
    let certificate = PeerCertificate::from_der(der);
    let certificate = certificate.map_err(|error| format!("{}: {error}", name(path)))?;
    Ok((certificate, note))
}

/// All blocks of a file of PEM with this label, in DER; the whole file if it is DER itself.
///
/// # Errors
/// One line that begins with the file.
pub(crate) fn der_blocks(path: &Path, label: &str) -> Result<Vec<Vec<u8>>, String> {
    let bytes = read(path)?;
    let file = name(path);
    if bytes.first() == Some(&0x30) {
        return Ok(vec![bytes]);
    }
    let blocks = pem::parse_many(&bytes);
    let blocks = blocks.map_err(|error| format!("{file}: this is neither DER nor PEM: {error}"))?;
    let labelled = blocks.into_iter().filter(|block| block.tag() == label);
    let labelled: Vec<_> = labelled.map(pem::Pem::into_contents).collect();
    match labelled.is_empty() {
        true => Err(format!("{file}: found no {label} in PEM or DER")),
        false => Ok(labelled),
    }
}

fn find(bytes: &[u8], file: &str) -> Result<Found, String> {
    let text = bytes.trim_ascii();
    if text.is_empty() {
        return Err("found nothing, expected a certificate in PEM or DER".to_owned());
    }
    // RFC 4648 section 4 of `-----BEGIN` and of the beginning of DER: a Secret of Kubernetes, or PEM without its lines.
    let base64 = [&b"LS0tLS1CRUdJTi"[..], b"MII"];
    if bytes.first() == Some(&0x30) {
        return of_der(bytes.to_vec(), file, None);
    }
    let decoded: Vec<u8> = percent_decode(text).collect();
    if text.contains(&b'%') && decoded.starts_with(b"-----BEGIN ") {
        return of_pem(&decoded, file);
    }
    if base64.iter().any(|start| text.starts_with(start)) {
        let characters = text
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace());
        let decoded = encoding::bytes_of_base64(&characters.collect::<Vec<_>>());
        return find(
            &decoded.ok_or("this is neither PEM nor whole base64")?,
            file,
        );
    }
    of_pem(text, file)
}

fn of_der(der: Vec<u8>, file: &str, note: Option<String>) -> Result<Found, String> {
    let kind = Kind::of_der(&der);
    // What is broken in a certificate is said by the reader of certificates.
    if matches!(kind, Kind::Certificate | Kind::Other) {
        return Ok(Found { der, note });
    }
    let file = match kind == Kind::Pkcs7 {
        true => format!("{file} -inform DER"),
        false => file.to_owned(),
    };
    let description = kind.description(&file);
    Err(format!("this is no certificate, but {description}"))
}

fn of_pem(text: &[u8], file: &str) -> Result<Found, String> {
    let blocks = pem::parse_many(text).map_err(|error| format!("this is no PEM: {error}"))?;
    let is_certificate = |block: &pem::Pem| Kind::of_label(block.tag()) == Kind::Certificate;
    let Some(place) = blocks.iter().position(is_certificate) else {
        return Err(match blocks.first() {
            None => "found neither PEM nor DER, expected a certificate".to_owned(),
            Some(block) if block.tag() == "TRUSTED CERTIFICATE" => {
                format!("this is OpenSSL's own form of a certificate: openssl x509 -in {file}")
            }
            Some(block) => {
                let kind = Kind::of_label(block.tag()).description(file);
                format!("found no certificate, but {kind} ({})", block.tag())
            }
        });
    };
    let others: Vec<_> = blocks
        .iter()
        .enumerate()
        .filter(|(at, _)| *at != place)
        .collect();
    let others: Vec<_> = others
        .iter()
        .map(|(_, block)| block.tag().to_owned())
        .collect();
    let note = (!others.is_empty()).then(|| {
        format!(
            "the first certificate counts; passed over: {}",
            others.join(", ")
        )
    });
    let der = blocks.into_iter().nth(place).map(pem::Pem::into_contents);
    of_der(der.unwrap_or_default(), file, note)
}
