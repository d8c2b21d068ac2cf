//! The releases of Istio that a world can be of.

use std::path::PathBuf;

use crate::harness::artifacts;
use crate::tools::programs;

/// A release, and the Envoy that stands for the one of its image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) name: &'static str,
    envoy: &'static str,
    /// What an operator of it adds to an overlay.
    pub(crate) components: &'static [&'static str],
}

pub(crate) const ISTIO_1_30: Release = Release {
    name: "1.30",
    envoy: "1.38.2",
    components: &["before-1.31"],
};

pub(crate) const ISTIO_1_31: Release = Release {
    name: "1.31",
    envoy: "1.39.3",
    components: &[],
};

impl Release {
    /// With these components in place of what its operator must add.
    pub(crate) const fn with(self, components: &'static [&'static str]) -> Self {
        Self { components, ..self }
    }

    /// Where the programs of this release are.
    pub(crate) fn folder(self) -> PathBuf {
        programs().join(format!("istio-{}", self.name))
    }

    /// The folder of its Envoy.
    pub(crate) fn envoy(self) -> PathBuf {
        let program = artifacts::envoy(Some(self.envoy));
        program.parent().unwrap().to_owned()
    }
}
