//! The table of limits in Envoy's shared data, which all workers have in common.

use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use crate::limit::{self, Allowance, Charge, Nanoseconds};
use crate::reason::Reason;

/// How often a slot is tried that other workers write at the same time. Each failure is another worker's
/// success, so this is far more than there can be.
const ATTEMPTS: usize = 1000;

/// The key that is written when every slot is there.
const CREATED: &str = "mtls_identity.slot.created";

/// Makes every slot, if that was not done yet.
///
/// The first write of a slot cannot be guarded: a worker that stood still in front of it would undo all that the others
/// have charged in the meantime. But Envoy asks a VM of its main thread about a configuration before any worker has
/// it. So all first writes are made here, and none while requests are served. A slot that cannot be written here is
/// left to its first request.
pub(super) fn create() {
    if exists(CREATED) {
        return;
    }
    let slots = (0..limit::SLOTS).map(key);
    for missing in slots.filter(|slot| !exists(slot)) {
        let _ = hostcalls::set_shared_data(&missing, Some(&[]), None);
    }
    let _ = hostcalls::set_shared_data(CREATED, Some(&[]), None);
}

fn exists(key: &str) -> bool {
    hostcalls::get_shared_data(key).is_ok_and(|(_, cas)| cas.is_some())
}

/// The key of a slot.
fn key(slot: u64) -> String {
    format!("mtls_identity.slot.{slot}")
}

/// Charges in the table that all workers share, by compare-and-swap.
pub(super) fn charge(charge: &Charge, now: Nanoseconds) -> Result<Allowance, Reason> {
    let key = key(charge.key.slot());
    for _ in 0..ATTEMPTS {
        let (slot, cas) = hostcalls::get_shared_data(&key)?;
        let slot = slot.unwrap_or_default();
        let charged = limit::charge(&slot, charge.key, &charge.quota, now);
        let written = match &charged.slot {
            Some(next) => hostcalls::set_shared_data(&key, Some(next.as_bytes()), cas),
            None => Ok(()),
        };
        match written {
            Ok(()) => return Ok(Allowance::after(charge, &charged, now)),
            Err(Status::CasMismatch) => {}
            Err(status) => return Err(status.into()),
        }
    }
    Err(Reason::InternalError)
}
