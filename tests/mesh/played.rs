//! The istiod that `tests/e2e/istio` plays for the releases that cannot be built, held against the real one.

use serde_json::Value;

use crate::manifests;
use crate::overlay::Mesh;
use crate::pod::Pod;
use crate::release::ISTIO_1_30;

#[path = "../e2e/istio/istiod.rs"]
mod istiod;
#[path = "../e2e/istio/policies.rs"]
mod policies;
#[path = "../e2e/istio/release.rs"]
mod release;

use istiod::{Istiod, Kind};

/// What the played one leaves to others, or says in words of its own.
const LEFT_OUT: [&str; 4] = ["@type", "stat_prefix", "route_config", "http_filters"];

/// Every field of a connection manager that it writes is there as it writes it, and its filters are there in its order.
pub(crate) fn it_shapes_each_proxy_as_the_real_istiod(mesh: &Mesh) {
    for pod in mesh.filtered() {
        let played = played(mesh, pod);
        let managers = crate::order::managers(mesh, pod);
        for (_, chain, real) in managers {
            let at = format!("{} {chain}", pod.name);
            for (field, value) in played.as_object().unwrap() {
                if !LEFT_OUT.contains(&field.as_str()) {
                    assert!(
                        is_said(value, &real[field]),
                        "{at} {field}: {value}, {}",
                        real[field]
                    );
                }
            }
            assert_in_order(&names(&played), &names(&real), &at);
        }
    }
}

fn played(mesh: &Mesh, pod: &Pod) -> Value {
    let manifests = manifests::Manifests::from(mesh.objects.clone());
    let (name, kind) = match pod.network.name == mesh.ingress.network.name {
        true => ("mcp-ingress", Kind::Ingress),
        false if mesh.waypoint.is_some() => ("mcp-waypoint", Kind::Waypoint),
        false => ("mcp-gateway", Kind::Sidecar),
    };
    let [_, older, newer, _] = release::RELEASES;
    let istiod = Istiod {
        workload: manifests.workload(name),
        manifests,
        kind,
        release: match mesh.world.release() == ISTIO_1_30 {
            true => older,
            false => newer,
        },
    };
    istiod.manager("ecds.json", "cluster")
}

/// Envoy's dump leaves out what is Envoy's default.
fn is_said(played: &Value, real: &Value) -> bool {
    match (played, real) {
        (Value::Object(played), _) => played.iter().all(|(key, value)| is_said(value, &real[key])),
        (Value::Array(played), Value::Array(real)) => played
            .iter()
            .all(|value| real.iter().any(|other| is_said(value, other))),
        (played, Value::Null) => [
            Value::from(false),
            Value::from("AUTO"),
            Value::from("KEEP_UNCHANGED"),
        ]
        .contains(played),
        (played, real) => played == real,
    }
}

fn names(manager: &Value) -> Vec<String> {
    let filters = manager["http_filters"].as_array().unwrap().iter();
    let names = filters.map(|filter| filter["name"].as_str().unwrap().to_owned());
    names.collect()
}

fn assert_in_order(played: &[String], real: &[String], at: &str) {
    let mut rest = real.iter();
    for name in played {
        let found = rest.any(|other| other == name);
        assert!(found, "{at}: {name} of {played:?} in {real:?}");
    }
}
