//! Every certificate damaged at every place: nothing panics, and what is still accepted is read by Python's cryptography
//! as it is here, and names nobody in two ways.

use std::rc::Rc;

use data_encoding::HEXLOWER;
use mtls_identity::certificate::PeerCertificate;

use crate::properties::certificate::it_names_nobody_in_two_ways;
use crate::vectors::CERTIFICATES;
use crate::{cryptography, parallel};

#[test]
fn a_certificate_that_is_cut_is_none() {
    let accepted = parallel::map(&CERTIFICATES, |vector| {
        let Ok(original) = vector.read() else {
            return 0;
        };
        let cut = (0..original.der().len()).map(|length| original.der()[..length].to_vec());
        cut.filter(|der| PeerCertificate::from_der(der.clone()).is_ok())
            .count()
    });
    assert_eq!(accepted.iter().sum::<usize>(), 0);
}

/// One bit or all of a byte, by its place, so that every kind of damage comes to every field.
const MASKS: [u8; 5] = [0x01, 0x80, 0xff, 0x20, 0x10];

/// The certificates of PKITS are of one maker and of one shape: of four places one is flipped in each, another
/// one in the next. Every other certificate is flipped at every place.
fn places(name: &str, length: usize, number: usize) -> impl Iterator<Item = usize> {
    let stride = if name.contains("PKITS") { 4 } else { 1 };
    (number % stride..length).step_by(stride)
}

#[test]
fn a_certificate_with_a_flipped_byte_is_none_or_names_nobody_in_two_ways() {
    let numbered: Vec<_> = CERTIFICATES.iter().enumerate().collect();
    let changed = parallel::map(&numbered, |(number, vector)| {
        let Ok(original) = vector.read() else {
            return Vec::new();
        };
        let der = original.der();
        let flipped = places(&vector.name, der.len(), *number).filter_map(|place| {
            let mut der = der.to_vec();
            der[place] ^= MASKS[place % MASKS.len()];
            PeerCertificate::from_der(der).ok()
        });
        let changed = flipped.filter(|flipped| !says_the_same(flipped, &original));
        let checked =
            changed.inspect(|flipped| it_names_nobody_in_two_ways(&Rc::new(flipped.clone())));
        checked.collect()
    });
    let changed = changed.concat();
    assert!(changed.len() > 20_000, "{}", changed.len());
    let readings = cryptography::read(&changed);
    let mut compared = 0;
    for (ours, theirs) in changed.iter().zip(readings) {
        let Some(theirs) = theirs else {
            continue;
        };
        compared += 1;
        let disagreement = cryptography::disagreement(ours, &theirs);
        assert_eq!(disagreement, None, "{}", HEXLOWER.encode(ours.der()));
    }
    assert!(compared > 15_000, "{compared} of {}", changed.len());
}

/// Then it is who the original is, which is looked at with the original.
fn says_the_same(flipped: &PeerCertificate, original: &PeerCertificate) -> bool {
    flipped.subject() == original.subject()
        && flipped.issuer() == original.issuer()
        && flipped.subject_alt_name() == original.subject_alt_name()
        && flipped.serial() == original.serial()
        && flipped.not_before() == original.not_before()
        && flipped.not_after() == original.not_after()
}
