//! One more element at the end of every SEQUENCE, SET and extension: the certificate is refused, or it names nobody else.

use std::rc::Rc;

use mtls_identity::certificate::PeerCertificate;
use mtls_identity::identity::{Charset, IdentityRules, MultipleCn, Peer, Source, Unmapped};

use crate::der::{self, Element};
use crate::parallel;
use crate::vectors::CERTIFICATES;

/// NULL, in DER.
const ONE_MORE: [u8; 2] = [5, 0];

#[test]
fn an_element_too_many_makes_nobody_another() {
    let read = parallel::map(&CERTIFICATES, |vector| {
        let Ok(original) = vector.read() else {
            return 0;
        };
        let ways = with_one_more(original.der()).into_iter();
        let expected = users(&Rc::new(original));
        let read = ways.filter_map(|(place, der)| {
            let extended = Rc::new(PeerCertificate::from_der(der).ok()?);
            for (one, other) in users(&extended).into_iter().zip(&expected) {
                let Some(one) = one else {
                    continue;
                };
                // Any byte makes another fingerprint, and a value that is no text is shown with all of its bytes.
                let shows_bytes = fingerprints(&extended).contains(&one) || one.contains("=#");
                let is_same = shows_bytes || Some(&one) == other.as_ref();
                assert!(is_same, "{}{place}: {one} {other:?}", vector.name);
            }
            Some(())
        });
        read.count()
    });
    // In the algorithms, the key and the extensions of other kinds, which nobody reads here.
    let read: usize = read.iter().sum();
    assert!(read > 1_000, "{read}");
}

/// The user by each of [`Source::ALL`]; none where there is none.
fn users(certificate: &Rc<PeerCertificate>) -> Vec<Option<String>> {
    let peer = Peer::Certificate(Rc::clone(certificate));
    let users = Source::ALL.map(|source| {
        let rules = IdentityRules {
            sources: vec![source],
            map: Vec::new(),
            unmapped: Unmapped::Keep,
            multiple_cn: MultipleCn::Reject,
            charset: Charset::Utf8,
        };
        let identity = rules.identify(&peer).ok();
        identity.map(|identity| identity.user.to_string())
    });
    users.into()
}

/// The names that the source fingerprint can give: of the certificate, or of its ECDSA twin.
fn fingerprints(certificate: &PeerCertificate) -> Vec<String> {
    let canonical = certificate.twins().canonical;
    let digests = [Some(*certificate.sha256()), canonical];
    let digests = digests.iter().flatten();
    digests
        .map(|digest| data_encoding::HEXLOWER.encode(digest))
        .collect()
}

/// All the ways to put one more element somewhere into these, each with its place: the numbers of the elements
/// around it, from 0. None into what is no DER, as in a field of a type that nobody knows.
pub(crate) fn with_one_more(elements: &[u8]) -> Vec<(String, Vec<u8>)> {
    let read = der::elements(elements).unwrap_or_default();
    let mut ways = Vec::new();
    let mut before = 0;
    for (number, element) in read.into_iter().enumerate() {
        let behind = before + element.raw.len();
        for (place, contents) in contents_with_one_more(element) {
            let changed = der::encode(element.tag, &contents);
            let bytes = [&elements[..before], &changed, &elements[behind..]].concat();
            ways.push((format!(" {number}{place}"), bytes));
        }
        before = behind;
    }
    ways
}

fn contents_with_one_more(element: Element<'_>) -> Vec<(String, Vec<u8>)> {
    let is_constructed = element.tag & 0x20 != 0;
    // The value of an extension is DER inside an OCTET STRING.
    let is_one = |elements: Vec<_>| elements.len() == 1;
    let is_extension = element.tag == 0x04 && der::elements(element.contents).is_some_and(is_one);
    let mut ways = Vec::new();
    if is_constructed || is_extension {
        ways.push((String::new(), [element.contents, &ONE_MORE].concat()));
        ways.extend(with_one_more(element.contents));
    }
    ways
}
