//! The table of limits in Envoy's shared data, which all workers have in common.

use proxy_wasm_abi::Answers;
use proxy_wasm_abi::calls::{self, Status};

use crate::limit;
use crate::limit::Nanoseconds;
use crate::limit::{Allowance, Charge};
use crate::reason::Reason;

/// How often a slot is tried that other workers write at the same time. Each failure is another worker's
/// success, so this is far more than there can be.
const ATTEMPTS: usize = 1000;

/// Written when every slot is there.
const CREATED: &[u8] = b"mtls_identity.slots";

/// What the name of a slot begins with.
const SLOT: &[u8] = b"mtls_identity.slot.";

/// Makes every slot, if that was not done yet.
///
/// The first write of a slot cannot be guarded: a worker that stood still in front of it would undo all that the others
/// have charged in the meantime. But Envoy asks a VM of its main thread about a configuration before any worker has
/// it, so that all first writes are made here, and none while requests are served. What cannot be written is left to the
/// first request.
pub(super) fn create(answers: &Answers) {
    if exists(CREATED, answers) {
        return;
    }
    let slots = (0..limit::SLOTS).map(key);
    for missing in slots.filter(|slot| !exists(slot, answers)) {
        let _ = calls::set_shared_data(&missing, &[], None);
    }
    let _ = calls::set_shared_data(CREATED, &[], None);
}

fn exists(key: &[u8], answers: &Answers) -> bool {
    answers.shared_data(key).is_ok_and(|found| found.is_some())
}

/// The name of a slot: its number in two bytes behind a prefix.
fn key(slot: u64) -> [u8; SLOT.len() + 2] {
    let mut key = [0; SLOT.len() + 2];
    let [.., high, low] = slot.to_be_bytes();
    let bytes = SLOT.iter().copied().chain([high, low]);
    key.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
    key
}

const _: () = assert!(limit::SLOTS <= 1 << 16);

/// Charges in the table that all workers share, by compare-and-swap.
pub(super) fn charge(
    charge: &Charge,
    now: Nanoseconds,
    answers: &Answers,
) -> Result<Allowance, Reason> {
    let key = key(charge.key.slot());
    for _ in 0..ATTEMPTS {
        let (slot, cas) = answers.shared_data(&key)?.unzip();
        let slot = slot.unwrap_or_default();
        let charged = limit::charge(slot, charge.key, &charge.quota, now);
        let written = match &charged.slot {
            Some(next) => calls::set_shared_data(&key, next.as_bytes(), cas),
            None => Ok(()),
        };
        match written {
            Ok(()) => return Ok(Allowance::after(charge, &charged, now)),
            Err(Status::CAS_MISMATCH) => {}
            Err(status) => return Err(status.into()),
        }
    }
    Err(Reason::InternalError)
}
