//! Certificates: what is accepted is all there is, and names nobody in two ways.

use std::rc::Rc;

use mtls_identity::certificate::AttributeType;
use mtls_identity::certificate::AttributeValue;
use mtls_identity::certificate::pem;
use mtls_identity::certificate::{MAXIMUM_DER, PeerCertificate};
use mtls_identity::identity::Peer;
use mtls_identity::identity::{Charset, User};
use mtls_identity::identity::{IdentityRules, MultipleCn, Source, Unmapped};

use super::{name, serial, user};

/// For any bytes: they are no certificate, or one that is read in one way only.
pub fn any_bytes(bytes: &[u8]) {
    pem_gives_back_what_it_was_given(bytes);
    let Ok(certificate) = PeerCertificate::from_der(bytes.to_vec()) else {
        return;
    };
    it_is_all_of_its_bytes(&certificate, bytes);
    serial::of_a_certificate(&certificate);
    it_names_nobody_in_two_ways(&Rc::new(certificate));
}

/// Text in PEM, as a client or a proxy may hand it over.
pub fn any_text(text: &[u8]) {
    let plain = pem::decode(text);
    let url_encoded = pem::decode_url_encoded(text);
    if let Ok(der) = &plain
        && !text.contains(&b'%')
    {
        assert_eq!(url_encoded.as_ref(), Ok(der), "one text, two certificates");
    }
    for der in plain.into_iter().chain(url_encoded) {
        pem_gives_back_what_it_was_given(&der);
    }
}

fn pem_gives_back_what_it_was_given(der: &[u8]) {
    if der.len() > MAXIMUM_DER {
        return;
    }
    let text = pem::encode(der);
    assert_eq!(pem::decode(text.as_bytes()).as_deref(), Ok(der));
    let escaped = text.replace('+', "%2B").replace('\n', "%0A");
    for text in [&text, &escaped] {
        assert_eq!(pem::decode_url_encoded(text.as_bytes()).as_deref(), Ok(der));
    }
}

fn it_is_all_of_its_bytes(certificate: &PeerCertificate, bytes: &[u8]) {
    assert!(bytes.len() <= MAXIMUM_DER);
    assert_eq!(certificate.der(), bytes);
    let longer = [bytes, &[0]].concat();
    assert!(PeerCertificate::from_der(longer).is_err(), "a byte behind");
    let shorter = bytes.split_last().map_or(&[][..], |(_, rest)| rest);
    assert!(PeerCertificate::from_der(shorter.to_vec()).is_err());
    let text = pem::encode(bytes);
    let from_pem = PeerCertificate::from_pem(text.as_bytes());
    assert_eq!(from_pem.as_ref(), Ok(certificate));
}

/// For a certificate that is accepted: from every source it is one user in the one form, or nobody.
pub fn it_names_nobody_in_two_ways(certificate: &Rc<PeerCertificate>) {
    for name in certificate
        .subject()
        .into_iter()
        .chain(certificate.issuer())
    {
        name::is_written_so_that_it_can_be_read(name);
    }
    let peer = Peer::Certificate(Rc::clone(certificate));
    for source in Source::ALL {
        for charset in [Charset::Ascii, Charset::Utf8] {
            let identity = rules(source, charset).identify(&peer);
            if let Ok(identity) = &identity {
                assert_eq!(identity.source, source);
                user::is_canonical(&identity.user, charset);
            }
            let user = identity.ok().map(|it| it.user);
            it_is_one_value_of_its_kind(source, certificate, user.as_ref());
            if source == Source::Cn {
                it_is_its_one_common_name(certificate, user);
            }
        }
    }
}

/// The values that a source is about, as text; none for one that is about something else.
fn values(source: Source, certificate: &PeerCertificate) -> Option<Vec<String>> {
    let of_subject = |kind: AttributeType| {
        let subject = certificate.subject().ok()?;
        Some(subject.values(kind).map(ToString::to_string).collect())
    };
    let names = || certificate.subject_alt_name().ok();
    match source {
        Source::Cn => of_subject(AttributeType::COMMON_NAME),
        Source::SubjectEmail => of_subject(AttributeType::EMAIL_ADDRESS),
        Source::SubjectSerialNumber => of_subject(AttributeType::SERIAL_NUMBER),
        Source::SubjectUid => of_subject(AttributeType::USER_ID),
        Source::Upn => Some(names()?.upn().ok()?.to_vec()),
        Source::Email => Some(names()?.email().ok()?.to_vec()),
        Source::Dns => Some(names()?.dns().ok()?.to_vec()),
        Source::Uri | Source::Spiffe => Some(names()?.uri().ok()?.to_vec()),
        Source::Subject | Source::Fingerprint => None,
    }
}

/// A user is the only value of its kind, in canonical form: so two people who differ in it are two users.
fn it_is_one_value_of_its_kind(source: Source, certificate: &PeerCertificate, user: Option<&User>) {
    if matches!(source, Source::Subject | Source::Fingerprint) {
        return;
    }
    let Some(user) = user else { return };
    match values(source, certificate).as_deref() {
        Some([value]) => assert_eq!(Ok(user), User::parse(value, Charset::Utf8).as_ref()),
        other => panic!("{user} of {other:?}"),
    }
    assert_eq!(
        mtls_identity::identity::is_uri(user.as_str()),
        matches!(source, Source::Uri | Source::Spiffe)
    );
}

fn it_is_its_one_common_name(certificate: &PeerCertificate, user: Option<User>) {
    let subject = certificate.subject().into_iter();
    let names: Vec<_> = subject
        .flat_map(|subject| subject.values(AttributeType::COMMON_NAME))
        .collect();
    let user = user.as_ref().map(User::as_str);
    let [AttributeValue::Text(name)] = names.as_slice() else {
        assert_eq!(user, None, "of {names:?}");
        return;
    };
    let lower = name.to_lowercase();
    let is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"@.-_".contains(&byte));
    if is_plain && (1..=254).contains(&name.len()) {
        assert_eq!(user, Some(&*lower), "of {name:?}");
    }
    assert!(
        user.is_none() || user == Some(&lower),
        "{user:?} of {name:?}"
    );
}

fn rules(source: Source, charset: Charset) -> IdentityRules {
    IdentityRules {
        sources: vec![source],
        map: Vec::new(),
        unmapped: Unmapped::Keep,
        multiple_cn: MultipleCn::Reject,
        charset,
    }
}
