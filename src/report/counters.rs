//! What is counted: by reason, never by user. Envoy shows each as `wasmcustom.<name>`.

use crate::decide::Decision;
use crate::reason::Reason;

/// A counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Requests that passed with an identity.
    Allow,
    /// Requests that passed without one.
    Anonymous,
    /// Requests that were refused.
    Deny(Reason),
    /// Requests that would have been refused, had the check not only been observed.
    Observe(Reason),
    /// Requests that carried an owned header.
    Stripped,
    /// Certificates that were read, one for each connection.
    CertificateParsed,
    /// Of those, the ones that end within 7 days.
    CertificateExpiresSoon,
}

impl Counter {
    /// Every counter there is.
    pub fn all() -> impl Iterator<Item = Self> {
        let observable = [
            Reason::PinMismatch,
            Reason::PinRequired,
            Reason::NotAuthorized,
            Reason::RateLimited,
            Reason::MalformedMcp,
            Reason::McpHeaderMismatch,
            Reason::McpTooLarge,
        ];
        let plain = [
            Self::Allow,
            Self::Anonymous,
            Self::Stripped,
            Self::CertificateParsed,
            Self::CertificateExpiresSoon,
        ];
        plain
            .into_iter()
            .chain(Reason::ALL.map(Self::Deny))
            .chain(observable.map(Self::Observe))
    }

    /// The name.
    pub fn name(self) -> String {
        match self {
            Self::Allow => "mtls_identity.allow".to_owned(),
            Self::Anonymous => "mtls_identity.anonymous".to_owned(),
            Self::Deny(reason) => format!("mtls_identity.deny.{reason}"),
            Self::Observe(reason) => format!("mtls_identity.observe.{reason}"),
            Self::Stripped => "mtls_identity.stripped".to_owned(),
            Self::CertificateParsed => "mtls_identity.certificate.parsed".to_owned(),
            Self::CertificateExpiresSoon => "mtls_identity.certificate.expires_soon".to_owned(),
        }
    }

    /// What a decision adds to.
    pub fn of(decision: &Decision<'_>) -> impl Iterator<Item = Self> {
        let decided = match decision {
            Decision::Deny(denial) => Self::Deny(denial.reason),
            Decision::Allow(permit) if permit.identity().is_some() => Self::Allow,
            Decision::Allow(_) => Self::Anonymous,
        };
        let observed = &decision.evidence().observed;
        let observed = observed.iter().map(|&reason| Self::Observe(reason));
        std::iter::once(decided).chain(observed)
    }
}
