//! The table of limits in Envoy's shared data, which all workers have in common.

use proxy_wasm::hostcalls;
use proxy_wasm::types::Status;

use crate::limit::{self, Allowance, Charge, Nanoseconds, TableKey};
use crate::reason::Reason;

/// How often a slot is tried that other workers write at the same time. Each failure is another worker's
/// success, so this is far more than there can be.
const ATTEMPTS: usize = 1000;

/// The key that is written when every slot is there.
const CREATED: &str = "mtls_identity.slot.created";

/// Where the random key of the table is.
const KEY: &str = "mtls_identity.key";

/// A compare-and-swap number that no value has. A write with it succeeds only where there is no value yet.
const ABSENT: u32 = u32::MAX;

/// The table, as one worker knows it.
pub(super) struct SharedTable {
    /// None if the proxy has given no key. Then requests that have a limit are refused, because without the key others
    /// could choose who shares a slot.
    key: Option<TableKey>,
}

impl SharedTable {
    /// Makes the key and every slot, if that was not done yet.
    ///
    /// The first write of a slot cannot be guarded: a worker that stood still in front of it would undo all that the others
    /// have charged in the meantime. But Envoy asks a VM of its main thread about a configuration before any worker has
    /// it. So all first writes are made here, and none while requests are served. A slot that cannot be written here is
    /// left to its first request.
    pub(super) fn open() -> Self {
        let key = key_of_process();
        if !exists(CREATED) {
            let slots = (0..limit::SLOTS).map(slot_name);
            for missing in slots.filter(|slot| !exists(slot)) {
                let _ = hostcalls::set_shared_data(&missing, Some(&[]), None);
            }
            let _ = hostcalls::set_shared_data(CREATED, Some(&[]), None);
        }
        Self { key }
    }

    /// Charges in the table that all workers share, by compare-and-swap.
    pub(super) fn charge(
        &self,
        charge: &Charge<'_>,
        now: Nanoseconds,
    ) -> Result<Allowance, Reason> {
        let key = self.key.as_ref().map(|table| charge.key(table));
        let key = key.ok_or(Reason::InternalError)?;
        let name = slot_name(key.slot());
        for _ in 0..ATTEMPTS {
            let (slot, cas) = hostcalls::get_shared_data(&name)?;
            let slot = slot.unwrap_or_default();
            let charged = limit::charge(&slot, key, &charge.quota, now);
            let written = match &charged.slot {
                Some(next) if !charge.is_question => {
                    hostcalls::set_shared_data(&name, Some(next.as_bytes()), cas)
                }
                Some(_) | None => Ok(()),
            };
            match written {
                Ok(()) => return Ok(Allowance::after(charge, &charged, now)),
                Err(Status::CasMismatch) => {}
                Err(status) => return Err(status.into()),
            }
        }
        Err(Reason::InternalError)
    }
}

/// The random key of the process: the one that is there, or else one that this worker makes. If two workers make one, the
/// first stays.
fn key_of_process() -> Option<TableKey> {
    if let Some(key) = read_key() {
        return Some(key);
    }
    let mut random = [0; TableKey::BYTES];
    getrandom::fill(&mut random).ok()?;
    let _ = hostcalls::set_shared_data(KEY, Some(&random), Some(ABSENT));
    read_key()
}

fn read_key() -> Option<TableKey> {
    let (bytes, _) = hostcalls::get_shared_data(KEY).ok()?;
    bytes?.try_into().ok().map(TableKey::new)
}

fn exists(key: &str) -> bool {
    hostcalls::get_shared_data(key).is_ok_and(|(_, cas)| cas.is_some())
}

/// The name of a slot. It is asked for with each request, so it is not formatted.
fn slot_name(slot: u64) -> String {
    ["mtls_identity.slot.", &slot.to_string()].concat()
}
