//! Versions of Envoy, and from which on an advisory is mended.

use std::fmt;

use crate::doctor::finding::{Finding, Report};
use crate::doctor::node::Node;
use crate::doctor::rule::Rule;

/// A version of Envoy 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    pub(super) minor: u64,
    pub(super) patch: u64,
}

impl Version {
    /// Of an `envoy.type.v3.SemanticVersion`. A number that is zero may be left out.
    pub(super) fn of_node(version: &Node<'_>) -> Option<Self> {
        let number = |name: &str| version.number(name).unwrap_or_default();
        (number("major_number") == 1).then(|| Self {
            minor: number("minor_number"),
            patch: number("patch"),
        })
    }

    /// Whether the attribute `connection.peer_certificate` is there.
    pub(super) fn shows_certificates(self) -> bool {
        self.minor >= 38
    }

    /// Whether the attribute `connection.peer_certificate_valid` is there.
    pub(super) fn reports_validation(self) -> bool {
        self.minor >= 39
    }

    /// Whether this version has what came with these. A minor version before the first of them never got it.
    fn has(self, mended: &[(u64, u64)]) -> bool {
        let own = mended.iter().find(|(minor, _)| *minor == self.minor);
        let newest = mended.last().is_some_and(|(minor, _)| self.minor > *minor);
        own.is_some_and(|(_, patch)| self.patch >= *patch) || newest
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1.{}.{}", self.minor, self.patch)
    }
}

/// A security fix of Envoy that concerns mTLS, headers, policies or wasm.
struct Advisory {
    name: &'static str,
    /// In each minor version the first patch that has it.
    mended: &'static [(u64, u64)],
}

const AUGUST_2026: &[(u64, u64)] = &[(36, 10), (37, 6), (38, 4), (39, 1)];

/// The rows of the table in `envoy/DOCTOR.md`.
const ADVISORIES: [Advisory; 10] = [
    Advisory {
        name: "CVE-2025-66220",
        mended: &[(36, 3)],
    },
    Advisory {
        name: "CVE-2026-26308",
        mended: &[(36, 5), (37, 1)],
    },
    Advisory {
        name: "CVE-2026-47778",
        mended: &[(36, 9), (37, 5), (38, 3)],
    },
    Advisory {
        name: "CVE-2026-73511",
        mended: AUGUST_2026,
    },
    Advisory {
        name: "CVE-2026-73548",
        mended: AUGUST_2026,
    },
    Advisory {
        name: "CVE-2026-73550",
        mended: AUGUST_2026,
    },
    Advisory {
        name: "CVE-2026-73551",
        mended: AUGUST_2026,
    },
    Advisory {
        name: "CVE-2026-73552",
        mended: AUGUST_2026,
    },
    Advisory {
        name: "CVE-2026-73553",
        mended: AUGUST_2026,
    },
    Advisory {
        name: "CVE-2026-35189",
        mended: &[(36, 11), (37, 7), (38, 5), (39, 2)],
    },
];

/// What the version of a proxy lacks. A finding about it belongs to `at`.
pub(super) fn check(version: Option<Version>, at: Option<&Node<'_>>, report: &mut Report) {
    let (Some(version), Some(at)) = (version, at) else {
        return report.cannot_see("the version of Envoy: give the config dump of the running one");
    };
    let lacking = ADVISORIES
        .iter()
        .filter(|advisory| !version.has(advisory.mended));
    let lacking: Vec<_> = lacking.map(|advisory| advisory.name).collect();
    if lacking.is_empty() {
        return;
    }
    let found = format!("Envoy {version} lacks the fixes of {}", lacking.join(", "));
    let cure = match ADVISORIES
        .iter()
        .flat_map(|it| it.mended)
        .filter(|(minor, _)| *minor == version.minor)
        .max()
    {
        Some((minor, patch)) => {
            format!("run Envoy 1.{minor}.{patch} or later, or a newer minor version")
        }
        None => "run a minor version of Envoy that still gets security fixes".to_owned(),
    };
    report.add(Finding::warning(Rule::OldEnvoy, at, found, cure));
}

/// Whether this version mixes up requests behind an upgrade that is not taken (CVE-2026-73548).
pub(super) fn smuggles(version: Version) -> bool {
    !version.has(AUGUST_2026)
}
