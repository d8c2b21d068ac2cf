//! The table of limits in Envoy's shared data, which all workers have in common.

use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use crate::denial::Reason;
use crate::gcra::Nanoseconds;
use crate::limit_table;
use crate::rate_limit::{Allowance, Charge};

/// How often a slot is tried that other workers write at the same time. Each failure is another worker's
/// success, so this is far more than there can be.
const ATTEMPTS: usize = 1000;

/// Charges in the table that all workers share, by compare-and-swap.
pub(super) fn charge(charge: &Charge, now: Nanoseconds) -> Result<Allowance, Reason> {
    let key = format!("mtls_identity.limit.{}", charge.key.slot());
    for _ in 0..ATTEMPTS {
        let (slot, cas) = hostcalls::get_shared_data(&key)?;
        let slot = slot.unwrap_or_default();
        let charged = limit_table::charge(&slot, charge.key, &charge.quota, now);
        let written = match &charged.slot {
            Some(next) => hostcalls::set_shared_data(&key, Some(next), cas),
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
