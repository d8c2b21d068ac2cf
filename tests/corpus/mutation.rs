//! Every certificate damaged at every place: nothing panics, and what is still accepted is read by x509-parser as it
//! is here, and names nobody in two ways.

use std::rc::Rc;

use data_encoding::HEXLOWER;
use mtls_identity::certificate::PeerCertificate;

use crate::properties::certificate::it_names_nobody_in_two_ways;
use crate::vectors::CERTIFICATES;
use crate::{parallel, x509_parser};

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
            return 0;
        };
        let der = original.der();
        let flipped = places(&vector.name, der.len(), *number).filter_map(|place| {
            let mut der = der.to_vec();
            der[place] ^= MASKS[place % MASKS.len()];
            PeerCertificate::from_der(der).ok()
        });
        let read = flipped.inspect(|flipped| {
            let disagreement = x509_parser::disagreement(flipped);
            assert_eq!(
                disagreement,
                None,
                "{} {}",
                vector.name,
                HEXLOWER.encode(flipped.der())
            );
        });
        let changed = read.filter(|flipped| !has_the_names_of(flipped, &original));
        let checked =
            changed.inspect(|flipped| it_names_nobody_in_two_ways(&Rc::new(flipped.clone())));
        checked.count()
    });
    let changed: usize = changed.iter().sum();
    assert!(changed > 20_000, "{changed}");
}

/// Then it is who the original is, which is looked at with the original.
fn has_the_names_of(flipped: &PeerCertificate, original: &PeerCertificate) -> bool {
    flipped.subject() == original.subject()
        && flipped.issuer() == original.issuer()
        && flipped.subject_alt_name() == original.subject_alt_name()
}
