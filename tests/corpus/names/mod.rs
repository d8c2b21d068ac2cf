//! Generated names, read here, by OpenSSL and by Python's cryptography: the same types, values and order, and the same text.
//!
//! `GENERATED_NAMES=1000000 cargo test --locked --test corpus generated_names -- --nocapture` asks a million certificates and
//! prints what it counted; without it they are ten thousand.

mod compare;
mod generate;
mod oracle;
mod random;
mod text;

use std::collections::BTreeMap;

use crate::parallel;
use compare::Outcome;
use generate::Generator;

/// So many certificates are asked at once.
const BATCH: usize = 2_500;

/// At most one certificate of so many is refused, or a subject or the SANs of a kind in it. One attribute or SAN of a thousand
/// is broken on purpose, and a certificate has seven of them.
const ONE_REFUSED_OF: usize = 100;

/// What became of so many certificates.
#[derive(Debug, Default)]
struct Tally {
    certificates: usize,
    /// Compared with each of the other readers.
    subjects_by_openssl: usize,
    subjects_by_cryptography: usize,
    names_by_openssl: usize,
    names_by_cryptography: usize,
    /// Refused here: the rule, how often, and how often another reader reads it.
    refused: BTreeMap<String, (usize, usize)>,
    /// Read here and by nobody else.
    read_here_alone: usize,
    disagreements: Vec<String>,
}

impl Tally {
    fn add(&mut self, outcome: Outcome) {
        self.certificates += 1;
        self.subjects_by_openssl += usize::from(outcome.subject_by_openssl);
        self.subjects_by_cryptography += usize::from(outcome.subject_by_cryptography);
        self.names_by_openssl += usize::from(outcome.names_by_openssl);
        self.names_by_cryptography += usize::from(outcome.names_by_cryptography);
        self.read_here_alone += usize::from(outcome.is_read_here_alone);
        for (rule, is_read) in outcome.refused {
            self.count(rule, (1, usize::from(is_read)));
        }
        self.disagreements.extend(outcome.disagreement);
    }

    fn count(&mut self, rule: String, (refused, read): (usize, usize)) {
        let counts = self.refused.entry(rule).or_default();
        *counts = (counts.0 + refused, counts.1 + read);
    }

    fn join(mut self, other: Self) -> Self {
        self.certificates += other.certificates;
        self.subjects_by_openssl += other.subjects_by_openssl;
        self.subjects_by_cryptography += other.subjects_by_cryptography;
        self.names_by_openssl += other.names_by_openssl;
        self.names_by_cryptography += other.names_by_cryptography;
        self.read_here_alone += other.read_here_alone;
        for (rule, counts) in other.refused {
            self.count(rule, counts);
        }
        self.disagreements.extend(other.disagreements);
        self
    }
}

/// How many certificates are asked.
fn wanted() -> usize {
    let wanted = std::env::var("GENERATED_NAMES");
    wanted.map_or(10_000, |number| number.parse().unwrap())
}

fn batch(seed: u64) -> Tally {
    let mut generator = Generator::new(seed);
    let certificates: Vec<_> = (0..BATCH).map(|_| generator.certificate()).collect();
    let readings = oracle::read(&certificates);
    let mut tally = Tally::default();
    for (der, reading) in certificates.into_iter().zip(readings) {
        tally.add(compare::compare(der, &reading));
    }
    tally
}

#[test]
fn generated_names_are_read_as_openssl_and_cryptography_read_them() {
    let seeds: Vec<_> = (0..u64::try_from(wanted().div_ceil(BATCH)).unwrap()).collect();
    let tallies = parallel::map(&seeds, |&seed| batch(seed));
    let mut tally = tallies.into_iter().fold(Tally::default(), Tally::join);
    let disagreements = std::mem::take(&mut tally.disagreements);
    println!("{tally:#?}");
    for disagreement in disagreements.iter().take(20) {
        println!("{disagreement}");
    }
    assert_eq!(disagreements.len(), 0);
    // The readers are asked, and most of what they read is compared.
    let most = tally.certificates / 2;
    assert!(tally.subjects_by_openssl > most, "{tally:?}");
    assert!(tally.names_by_openssl > most, "{tally:?}");
    assert!(
        tally.subjects_by_cryptography > tally.certificates / 4,
        "{tally:?}"
    );
    assert!(tally.names_by_cryptography > most, "{tally:?}");
    let refused: usize = tally.refused.values().map(|(refused, _)| refused).sum();
    assert!(refused * ONE_REFUSED_OF < tally.certificates, "{tally:?}");
}
