//! Twins in chains of different algorithms: the key of a certificate says nothing of the curve on which its issuer signs.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use mtls_identity::certificate::PeerCertificate;
use mtls_identity::rules::Revocations;
use sha2::{Digest, Sha256};

use crate::curves::CURVES;

use super::twins::{identity_of_many, names, order, put_together, rest, sha256, taken_apart, twin};

/// Keys as `openssl req -newkey` names them. The first are those of [`CURVES`].
const KEYS: [&str; 6] = [
    "ec -pkeyopt ec_paramgen_curve:secp224r1",
    "ec -pkeyopt ec_paramgen_curve:prime256v1",
    "ec -pkeyopt ec_paramgen_curve:secp384r1",
    "ec -pkeyopt ec_paramgen_curve:secp521r1",
    "rsa:2048",
    "ed25519",
];

/// A certificate of an issuer with a key of one kind, for a key of another.
struct Chain {
    /// Places in [`KEYS`].
    issuer: usize,
    key: usize,
    der: Vec<u8>,
}

fn openssl(folder: &Path, arguments: &str) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.current_dir(folder).args(arguments.split(' '));
    let made = command.output().unwrap();
    assert!(made.status.success(), "{arguments}: {made:?}");
    made.stdout
}

/// Every kind of key signed by every kind of issuer. The issuer's certificate is `ca` in the folder of its number.
fn chains(folder: &Path) -> Vec<Chain> {
    let mut chains = Vec::new();
    for (issuer, issuers_key) in KEYS.iter().enumerate() {
        let folder = folder.join(issuer.to_string());
        std::fs::create_dir(&folder).unwrap();
        let ca = "req -x509 -nodes -days 2 -subj /CN=ca -out ca -keyout ca.key -newkey";
        openssl(&folder, &format!("{ca} {issuers_key}"));
        for (key, leafs_key) in KEYS.iter().enumerate() {
            let leaf = "req -x509 -nodes -days 2 -subj /CN=alice -outform DER -CA ca -CAkey ca.key \
                        -addext basicConstraints=CA:FALSE -keyout leaf.key -newkey";
            let der = openssl(&folder, &format!("{leaf} {leafs_key}"));
            chains.push(Chain { issuer, key, der });
        }
    }
    chains
}

fn certificate(der: &[u8]) -> PeerCertificate {
    PeerCertificate::from_der(der.to_vec()).unwrap()
}

fn revoking(der: &[u8]) -> Revocations {
    Revocations {
        fingerprints: [Sha256::digest(der).into()].into(),
        ..Revocations::default()
    }
}

#[test]
fn twins_are_known_by_the_curve_of_their_issuer_whatever_their_own_key_is() {
    let folder = tempfile::tempdir().unwrap();
    for chain in chains(folder.path()) {
        let Chain { issuer, key, der } = &chain;
        let chain = format!("{} signed by {}", KEYS[*key], KEYS[*issuer]);
        if *issuer >= CURVES.len() {
            assert_eq!(certificate(der).twins().digests, [[0; 32]; 0], "{chain}");
            let identity = identity_of_many(der);
            assert_eq!(names(&identity), [sha256(der)].into(), "{chain}");
            continue;
        }
        let other = twin(der, &order(*issuer));
        let folder = folder.path().join(issuer.to_string());
        for (this, another) in [(der, &other), (&other, der)] {
            std::fs::write(folder.join("leaf.der"), this).unwrap();
            openssl(&folder, "x509 -inform DER -in leaf.der -out leaf");
            openssl(&folder, "verify -CAfile ca leaf");
            assert!(revoking(another).contains(&certificate(this)), "{chain}");
        }
        let users = [der, &other].map(|der| identity_of_many(der).user);
        assert_eq!(users[0], users[1], "{chain}");
    }
}

/// Numbers that a signature may have: of any size, and at the ends of what is allowed.
struct Numbers(u64);

impl Numbers {
    fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.to_be_bytes()[3]
    }

    /// Below the order, and as long as it is. No issuer makes an r that is 32 bits shorter: it is random.
    fn r(&mut self, order: &[u8]) -> Vec<u8> {
        loop {
            let mut number: Vec<u8> = order.iter().map(|_| self.byte()).collect();
            number[0] = order[0].min(number[0]).max(1);
            if *number < *order {
                return number;
            }
        }
    }

    fn s(&mut self, order: &[u8]) -> Vec<u8> {
        let one = [&vec![0; order.len() - 1][..], &[1]].concat();
        match self.byte() {
            0 => one,
            1 => rest(order, &one),
            2..40 => {
                // Shorter by a byte at least, so below the order.
                let length = 1 + usize::from(self.byte()) % (order.len() - 1);
                let zeros = vec![0; order.len() - length];
                let digits: Vec<u8> = (1..length).map(|_| self.byte()).collect();
                [&zeros[..], &digits, &[1]].concat()
            }
            _ => self.r(order),
        }
    }
}

#[test]
fn ten_thousand_twins_in_chains_of_all_algorithms_are_revoked_together() {
    let folder = tempfile::tempdir().unwrap();
    let mut chains = chains(folder.path());
    chains.retain(|chain| chain.issuer < CURVES.len());
    let signed: Vec<_> = chains.iter().map(|it| taken_apart(&it.der).0).collect();
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let mut users = BTreeSet::new();
    let mut former: Option<Vec<u8>> = None;
    for count in 0..10_000 {
        let place = count % chains.len();
        let order = order(chains[place].issuer);
        let (r, s) = (numbers.r(&order), numbers.s(&order));
        let twins = [s.clone(), rest(&order, &s)].map(|s| put_together(&signed[place], &r, &s));
        let [one, other] = twins.each_ref().map(|der| certificate(der));
        assert!(
            revoking(&twins[0]).contains(&other),
            "{}",
            sha256(&twins[0])
        );
        assert!(revoking(&twins[1]).contains(&one), "{}", sha256(&twins[1]));
        if let Some(former) = former.replace(twins[0].clone()) {
            assert!(!revoking(&former).contains(&one));
        }
        let identities = twins.each_ref().map(|der| identity_of_many(der));
        assert_eq!(identities[0].user, identities[1].user);
        users.insert(identities[0].user.to_string());
    }
    assert_eq!(users.len(), 10_000);
}
