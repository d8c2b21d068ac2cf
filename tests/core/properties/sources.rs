//! No source makes one user of two people, or lets two values through where it wants one.

use std::rc::Rc;

use mtls_identity::certificate::PeerCertificate;
use mtls_identity::identity::{
    Charset, IdentityError, IdentityRules, MultipleCn, Peer, Source, Unmapped, User,
};
use proptest::prelude::*;
use proptest::sample::select;

use super::{config, shared, text, two_texts};
use crate::decision::issue;
use crate::der::{self, UTF8_STRING};
use crate::identity::names::attribute;
use crate::identity::sources::upn;
use crate::leaf::Leaf;

/// The sources whose value may have any character, and where that value stands.
const SOURCES: [(Source, &str); 5] = [
    (Source::Cn, "2.5.4.3"),
    (Source::SubjectEmail, "1.2.840.113549.1.9.1"),
    (Source::SubjectSerialNumber, "2.5.4.5"),
    (Source::SubjectUid, "0.9.2342.19200300.100.1.1"),
    (Source::Upn, ""),
];

/// A certificate with these values of a source.
fn certificate(place: usize, values: &[&str]) -> Peer {
    let (source, oid) = SOURCES[place];
    let leaf = if source == Source::Upn {
        let names: Vec<_> = values.iter().map(|value| upn(value)).collect();
        Leaf::of([]).subject_alt_names(&names)
    } else {
        Leaf::of(values.iter().map(|value| attribute(oid, value)))
    };
    let certificate = PeerCertificate::from_der(issue(&leaf)).unwrap();
    Peer::Certificate(Rc::new(certificate))
}

fn user(place: usize, charset: Charset, values: &[&str]) -> Result<User, IdentityError> {
    let rules = IdentityRules {
        sources: vec![SOURCES[place].0],
        map: Vec::new(),
        unmapped: Unmapped::Keep,
        multiple_cn: MultipleCn::Reject,
        charset,
    };
    let identity = rules.identify(&certificate(place, values));
    identity.map(|identity| identity.user)
}

/// Near an address: two parts with an `@` between them.
fn near_an_address() -> impl Strategy<Value = (String, String)> {
    let same_domain = |(one, other): (String, String)| {
        (format!("{one}@corp.local"), format!("{other}@Corp.LOCAL"))
    };
    prop_oneof![1 => two_texts(), 2 => two_texts().prop_map(same_domain)]
}

proptest! {
    #![proptest_config(config(1500))]

    #[test]
    fn two_values_are_one_user_only_if_they_are_one_name(
        place in 0..SOURCES.len(),
        charset in select(&[Charset::Ascii, Charset::Utf8][..]),
        (one, other) in near_an_address(),
    ) {
        let users = [&one, &other].map(|value| user(place, charset, &[value]));
        for (user, value) in users.iter().zip([&one, &other]) {
            if let Ok(user) = user {
                shared::user::is_canonical(user, charset);
                prop_assert!(shared::user::is_one_name(user.as_str(), value), "{user} {value:?}");
            }
            prop_assert_eq!(user == &Err(IdentityError::Missing), value.is_empty());
        }
        if let [Ok(first), Ok(second)] = &users {
            prop_assert_eq!(first == second, shared::user::is_one_name(&one, &other));
        }
    }

    #[test]
    fn two_values_are_nobody_whatever_they_are(
        place in 0..SOURCES.len(),
        (one, other) in (text(), text()),
    ) {
        let (source, _) = SOURCES[place];
        for pair in [[&*one, &*other], [&*one, &*one], [&*one, ""], ["", &*one], ["", ""]] {
            let user = user(place, Charset::Utf8, &pair);
            prop_assert_eq!(user, Err(IdentityError::Ambiguous(source, 2)));
        }
    }

    #[test]
    fn a_user_principal_name_is_a_utf8_string_or_nobody(tag in 0_u8..=0x1e, bytes in any::<Vec<u8>>()) {
        let is_its_type = tag == UTF8_STRING && std::str::from_utf8(&bytes).is_ok();
        let oid = der::oid("1.3.6.1.4.1.311.20.2.3");
        let value = der::explicit(0, &der::element(tag, &bytes));
        let names = [der::explicit(0, &[oid, value].concat())];
        let leaf = Leaf::of([]).subject_alt_names(&names);
        let certificate = PeerCertificate::from_der(issue(&leaf)).unwrap();
        let names = certificate.subject_alt_name().unwrap();
        prop_assert_eq!(names.upn().is_ok(), is_its_type);
    }
}
