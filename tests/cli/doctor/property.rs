//! The property of the fuzz target `config_dump`, with a fixed seed.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

#[path = "../../../fuzz/properties/config_dump.rs"]
mod config_dump;

use super::shipped;

#[test]
fn it_holds_for_what_is_shipped() {
    config_dump::any_dump(shipped().to_string().as_bytes());
}

proptest! {
    #![proptest_config(Config { cases: 64, rng_seed: RngSeed::Fixed(20), ..Config::default() })]

    /// Bytes of the shipped configuration that become others.
    #[test]
    fn it_holds_for_a_configuration_that_was_damaged(
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = shipped().to_string().into_bytes();
        for (place, byte) in damages {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        config_dump::any_dump(&bytes);
    }
}
