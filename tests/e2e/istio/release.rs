//! The releases of Istio, and what they call the filter.

use super::manifests::Plugin;

/// A release of Istio with the Envoy it is built on, and the overlay that a cluster of it applies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Release {
    pub(super) envoy: &'static str,
    minor: u32,
    /// Whether the cluster uses the TrafficExtension form.
    extension: bool,
}

/// Istio 1.29, 1.30 and 1.31, and the one that takes Envoy 1.40. The second and the last in the newer form.
pub(super) const RELEASES: [Release; 4] = [
    Release::new("1.37.0", 29, false),
    Release::new("1.38.2", 30, true),
    Release::new("1.39.3", 31, false),
    Release::new("1.40.0", 32, true),
];

/// The oldest and the newest: for what does not depend on how Envoy shows the certificate.
pub(super) const OLDEST_AND_NEWEST: [Release; 2] = [RELEASES[0], RELEASES[3]];

impl Release {
    const fn new(envoy: &'static str, minor: u32, extension: bool) -> Self {
        Self {
            envoy,
            minor,
            extension,
        }
    }

    /// The newest.
    pub(super) fn newest() -> Self {
        RELEASES[RELEASES.len() - 1]
    }

    /// The overlay in the form that this cluster uses.
    pub(super) fn overlay(self, name: &'static str) -> &'static str {
        match (self.extension, name) {
            (true, "gateway") => "traffic-extension/gateway",
            (true, "sidecar") => "traffic-extension/sidecar",
            (true, "waypoint") => "traffic-extension/waypoint",
            (_, name) => name,
        }
    }

    /// What its operator adds to the overlay.
    pub(super) fn components(self) -> &'static [&'static str] {
        match self.minor {
            ..31 => &["before-1.31"],
            31.. => &[],
        }
    }

    /// The name of the filter in Envoy and of its resource in ECDS. From 1.30 on Istio translates a WasmPlugin.
    pub(super) fn resource_name(self, plugin: &Plugin) -> String {
        let name = plugin.qualified_name();
        match (plugin.0["kind"].as_str(), self.minor) {
            (Some("TrafficExtension"), _) => format!("extensions.istio.io/trafficextension/{name}"),
            (_, ..30) => format!("extensions.istio.io/wasmplugin/{name}"),
            (_, 30..) => {
                format!("extensions.istio.io/trafficextension/{name}~istio-translated-wasmplugin")
            }
        }
    }
}
