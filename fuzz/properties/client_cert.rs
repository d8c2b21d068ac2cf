//! Client-Cert (RFC 9440): one certificate, in one writing.

use mtls_identity::certificate::PeerCertificate;
use mtls_identity::encoding::base64;
use mtls_identity::identity::ForwardedHeader;

/// For any value, and for one that holds these bytes as a certificate.
pub fn any_value(value: &[u8]) {
    is_one_certificate_in_one_writing(value);
    let written = format!(":{}:", base64(value));
    is_one_certificate_in_one_writing(written.as_bytes());
    let read = ForwardedHeader::Rfc9440.client(written.as_bytes(), None);
    let certificate = PeerCertificate::from_der(value.to_vec());
    assert_eq!(read.ok().flatten(), certificate.ok());
}

fn is_one_certificate_in_one_writing(value: &[u8]) {
    let client = |value: &[u8]| ForwardedHeader::Rfc9440.client(value, None);
    let Ok(Some(certificate)) = client(value) else {
        return;
    };
    let written = format!(":{}:", base64(certificate.der()));
    assert_eq!(value.trim_ascii(), written.as_bytes());
    for more in [&b","[..], b";a=1", b", :AA==:", b":", b"="] {
        assert!(client(&[value, more].concat()).is_err());
    }
    assert!(client(&[value, b",", value].concat()).is_err());
}
