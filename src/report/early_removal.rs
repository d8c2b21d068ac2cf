//! The warning that a listener does not remove what its clients may not say.

use crate::certificate::Timestamp;

/// Every shipped listener removes headers that begin so before any filter runs.
const REMOVED_EARLY: &[u8] = b"x-ssl-client-";

/// How often the warning is written, in seconds.
const INTERVAL: i64 = 60;

/// Notices on one worker that a client's identity header has reached the filter. The filter removes it, so nobody is
/// fooled; but without the filter the header would arrive at the gateway.
#[derive(Clone, Copy, Debug, Default)]
pub struct EarlyRemoval {
    warned: Option<Timestamp>,
}

impl EarlyRemoval {
    /// The warning, if a request with this header calls for one now; at most one a minute. The name is in lower case, as
    /// Envoy has it.
    ///
    /// Names in another spelling say nothing: a listener may leave those to the filter.
    pub fn warning(&mut self, name: &[u8], now: Timestamp) -> Option<&'static str> {
        let is_due = match self.warned {
            Some(warned) => now.unix().abs_diff(warned.unix()) >= INTERVAL.unsigned_abs(),
            None => true,
        };
        if !is_due || !name.starts_with(REMOVED_EARLY) {
            return None;
        }
        self.warned = Some(now);
        Some(
            "a header x-ssl-client-* of a client has reached the filter: the listener lacks the early removal \
             (early_header_mutation_extensions in envoy.yaml), so without the filter it would reach the gateway",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warning_is_written_once_a_minute() {
        let mut removal = EarlyRemoval::default();
        let seconds = [100, 100, 130, 159, 160, 161, 500, 20];
        let warned = seconds.map(|second| {
            let now = Timestamp::from_unix(second);
            removal.warning(b"x-ssl-client-s-dn-cn", now).is_some()
        });
        // A clock that was set back does not silence it.
        let expected = [true, false, false, false, true, false, true, true];
        assert_eq!(warned, expected);
    }

    #[test]
    fn only_a_header_that_every_listener_removes_is_a_sign() {
        let mut removal = EarlyRemoval::default();
        for name in [
            "x-claimed-identity",
            "x-authenticated-user",
            "client-cert",
            "x.ssl.client.s.dn.cn",
            "x-ssl-client",
        ] {
            let warning = removal.warning(name.as_bytes(), Timestamp::from_unix(100));
            assert_eq!(warning, None, "{name}");
        }
    }
}
