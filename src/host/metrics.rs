//! The counters, as metrics of Envoy. They never decide: what cannot be counted is not.

use std::cell::Cell;

use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;

use crate::report::Counter;

/// The metrics of one worker.
pub(super) struct Metrics {
    ids: Vec<(Counter, u32)>,
    /// Requests that passed since the last flush: the call is saved with each of them.
    passed: Cell<u64>,
}

impl Metrics {
    pub(super) fn define() -> Self {
        let define = |counter: Counter| {
            let id = hostcalls::define_metric(MetricType::Counter, &counter.name());
            id.ok().map(|id| (counter, id))
        };
        Self {
            ids: Counter::all().filter_map(define).collect(),
            passed: Cell::default(),
        }
    }

    /// Counts at once; requests that pass with the next flush.
    pub(super) fn count(&self, counter: Counter) {
        match counter {
            Counter::Allow => self.passed.set(self.passed.get() + 1),
            Counter::Anonymous
            | Counter::Deny(_)
            | Counter::Observe(_)
            | Counter::Stripped
            | Counter::CertificateParsed
            | Counter::CertificateExpiresSoon => self.add(counter, 1),
        }
    }

    pub(super) fn flush(&self) {
        let passed = self.passed.take();
        if passed > 0 {
            self.add(Counter::Allow, passed);
        }
    }

    fn add(&self, counter: Counter, number: u64) {
        let mut ids = self.ids.iter();
        if let Some((_, id)) = ids.find(|(known, _)| *known == counter) {
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            let _ = hostcalls::increment_metric(*id, number);
        }
    }
}
