//! What one manifest says of another.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::manifests::{Manifests, OVERLAYS, Workload, strings};

/// A namespace of the reader's own; its workloads are not in these manifests.
const AGENTS: &str = "agents";

fn for_each(check: impl Fn(&'static str, &Manifests)) {
    for overlay in OVERLAYS {
        check(overlay, &Manifests::of(overlay));
    }
}

fn text(value: &Value) -> &str {
    value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no text"))
}

#[test]
fn every_object_is_in_a_namespace_that_is_there_and_names_are_unique() {
    for_each(|overlay, manifests| {
        let namespaces: BTreeSet<_> = manifests
            .of_kind("Namespace")
            .map(|namespace| text(&namespace["metadata"]["name"]))
            .collect();
        let mut seen = BTreeSet::new();
        for object in manifests.all() {
            let metadata = &object["metadata"];
            if object["kind"] != "Namespace" {
                assert!(
                    namespaces.contains(text(&metadata["namespace"])),
                    "{overlay}: {metadata}"
                );
            }
            assert!(seen.insert(format!(
                "{} {} {}",
                object["apiVersion"], object["kind"], metadata
            )));
        }
    });
}

#[test]
fn everything_that_is_attached_to_a_proxy_is_attached_to_one_that_is_there() {
    let kinds = [
        "WasmPlugin",
        "TrafficExtension",
        "EnvoyFilter",
        "AuthorizationPolicy",
        "PeerAuthentication",
    ];
    for_each(|overlay, manifests| {
        let workloads = manifests.workloads();
        let mut attached = 0;
        for object in kinds.iter().flat_map(|kind| manifests.of_kind(kind)) {
            let meant = workloads
                .iter()
                .filter(|workload| workload.is_meant_by(object));
            assert_eq!(meant.count(), 1, "{overlay}: {object}");
            attached += 1;
        }
        assert!(attached >= 7, "{overlay}: {attached}");
        for target in manifests.all().iter().flat_map(|object| {
            let targets = object["spec"]["targetRefs"].as_array();
            targets.into_iter().flatten()
        }) {
            assert_eq!(target["kind"], "Gateway");
            assert_eq!(target["group"], "gateway.networking.k8s.io");
        }
    });
}

#[test]
fn services_lead_to_a_port_of_their_pods() {
    for_each(|overlay, manifests| {
        for service in manifests.of_kind("Service") {
            let mut workloads = manifests.workloads().into_iter();
            let workload = workloads
                .find(|workload| workload.has_labels(&service["spec"]["selector"]))
                .unwrap_or_else(|| panic!("{overlay}: {service}"));
            assert_eq!(service["metadata"]["namespace"], *workload.namespace);
            for port in service["spec"]["ports"].as_array().unwrap() {
                container_port(&workload, text(&port["targetPort"]));
            }
        }
    });
}

/// The number of the Pod's port of this name.
fn container_port(workload: &Workload, name: &str) -> u64 {
    let ports = workload.pod["spec"]["containers"][0]["ports"].as_array();
    let mut ports = ports.unwrap().iter();
    let port = ports.find(|port| port["name"] == name);
    port.unwrap()["containerPort"].as_u64().unwrap()
}

#[test]
fn the_way_in_leads_from_the_ingress_to_the_mcp_gateway() {
    for_each(|overlay, manifests| {
        let gateway = manifests.object("Gateway", "mcp-ingress", "mcp-gateway");
        let gateway = gateway.unwrap();
        let ingress = manifests.workload("mcp-ingress");
        assert!(
            ingress.has_labels(&gateway["spec"]["selector"]),
            "{overlay}"
        );
        let server = &gateway["spec"]["servers"][0];
        assert_eq!(server["tls"]["mode"], "MUTUAL");
        let service = manifests.object("Service", "mcp-ingress", "mcp-ingress");
        let port = &service.unwrap()["spec"]["ports"][0];
        assert_eq!(port["port"], server["port"]["number"]);

        let routes = manifests.object("VirtualService", "mcp-ingress", "mcp-gateway");
        let routes = &routes.unwrap()["spec"];
        // Of this namespace: a route of another could set the user header behind the filter.
        let hosts = strings(&server["hosts"]).into_iter();
        let hosts: Vec<_> = hosts.map(|host| host.strip_prefix("./").unwrap()).collect();
        assert_eq!(strings(&routes["hosts"]), hosts);
        assert_eq!(
            strings(&routes["gateways"]),
            [text(&gateway["metadata"]["name"])]
        );
        for route in routes["http"].as_array().unwrap() {
            let destination = &route["route"][0]["destination"];
            let host = text(&destination["host"]).split('.').collect::<Vec<_>>();
            assert_eq!(host[2..], ["svc", "cluster", "local"]);
            let service = manifests.object("Service", host[1], host[0]).unwrap();
            let port = &service["spec"]["ports"][0];
            assert_eq!(port["port"], destination["port"]["number"]);
            assert_eq!(port["appProtocol"], "http");
            assert_eq!(route["timeout"], Value::Null, "it would cut event streams");
        }
    });
}

/// `cluster.local/ns/NAMESPACE/sa/ACCOUNT` of a workload that is there, or of the agents.
#[track_caller]
fn assert_known(manifests: &Manifests, principal: &str) {
    let agents = format!("cluster.local/ns/{AGENTS}/sa/*");
    let workloads = manifests.workloads();
    let known = workloads
        .iter()
        .any(|workload| workload.principal() == principal);
    assert!(known || principal == agents, "nobody is {principal}");
}

#[test]
fn every_principal_and_spiffe_id_is_somebodys() {
    for_each(|overlay, manifests| {
        let mut named = 0;
        for policy in manifests.of_kind("AuthorizationPolicy") {
            let rules = policy["spec"]["rules"].as_array().unwrap();
            for source in rules.iter().flat_map(|rule| rule["from"].as_array()) {
                for principal in source
                    .iter()
                    .flat_map(|source| strings(&source["source"]["principals"]))
                {
                    assert_known(manifests, principal);
                    named += 1;
                }
            }
        }
        assert!(named > 0, "{overlay}");
        let ingress = manifests.workload("mcp-ingress");
        for plugin in manifests.plugins() {
            let speaks = &plugin.configuration()["certificate"]["forwarded_by"];
            for id in strings(speaks) {
                assert_eq!(id, ingress.spiffe_id(), "{overlay}");
            }
        }
        for workload in manifests.workloads() {
            let account = &workload.service_account;
            let is_there = manifests.object("ServiceAccount", &workload.namespace, account);
            assert!(is_there.is_some() || workload.pod.is_null(), "{account}");
        }
    });
}

/// What agents are mapped to is what the ingress refuses to call a user.
#[test]
fn no_user_can_have_the_name_of_an_agent() {
    for_each(|overlay, manifests| {
        let ingress = manifests.plugin(&manifests.workload("mcp-ingress"));
        let ingress = ingress.unwrap();
        let configuration = ingress.configuration();
        let mut rules = configuration["authorization"]["rules"]
            .as_array()
            .unwrap()
            .iter();
        let rule = rules.find(|rule| rule["name"] == "agents-do-not-come-this-way");
        let rule = rule.unwrap();
        assert_eq!(rule["action"], "deny");
        let refused = text(&rule["identities"][0]).strip_prefix('*').unwrap();
        for plugin in manifests.plugins() {
            let mapped = &plugin.configuration()["identity"]["map"];
            for mapping in mapped.as_array().into_iter().flatten() {
                assert!(text(&mapping["to"]).ends_with(refused), "{overlay}");
                assert!(text(&mapping["from"]).starts_with("spiffe://cluster.local/"));
            }
        }
    });
}

#[test]
fn whoever_speaks_for_others_writes_the_forwarded_certificate_itself() {
    for_each(|overlay, manifests| {
        let config = manifests.workload("mcp-ingress").proxy_config();
        let forward = &config["gatewayTopology"]["forwardClientCertDetails"];
        assert_eq!(forward, "SANITIZE_SET", "{overlay}");
    });
}

#[test]
fn every_sidecar_that_runs_the_filter_is_injected_strict_and_hands_it_the_certificate() {
    for overlay in ["sidecar", "traffic-extension/sidecar"] {
        let manifests = Manifests::of(overlay);
        let gateway = manifests.workload("mcp-gateway");
        assert_eq!(
            gateway.pod["metadata"]["labels"]["sidecar.istio.io/inject"],
            "true"
        );
        let strict = manifests.attached("PeerAuthentication", &gateway);
        assert_eq!(strict[0]["spec"]["mtls"]["mode"], "STRICT");
        let headers = &gateway.proxy_config()["proxyHeaders"];
        assert_eq!(headers["setCurrentClientCertDetails"]["cert"], true);
        let plugin = manifests.plugin(&gateway).unwrap();
        assert_eq!(
            plugin.0["spec"]["match"],
            serde_json::json!([{"mode": "SERVER"}])
        );
    }
}

#[test]
fn the_network_lets_those_in_whom_the_policies_let_in_on_the_port_there_is() {
    for_each(|overlay, manifests| {
        let gateway = manifests.workload("mcp-gateway");
        let policy = manifests.object("NetworkPolicy", "mcp-system", "mcp-gateway");
        let policy = &policy.unwrap()["spec"];
        assert!(gateway.has_labels(&policy["podSelector"]["matchLabels"]));
        let first = &policy["ingress"][0];
        let is_ambient = overlay.ends_with("waypoint");
        let port = match is_ambient {
            true => 15008,
            false => container_port(&gateway, "http"),
        };
        assert_eq!(first["ports"][0]["port"], port, "{overlay}");
        let sources = first["from"].as_array().unwrap();
        let ingress = manifests.workload("mcp-ingress");
        let selector = &sources[0];
        let namespace =
            &selector["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"];
        assert_eq!(*namespace, *ingress.namespace);
        assert!(ingress.has_labels(&selector["podSelector"]["matchLabels"]));
        let agents = sources.iter().any(|source| {
            source["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] == AGENTS
        });
        assert_eq!(agents, overlay.ends_with("sidecar"), "{overlay}");
    });
}

#[test]
fn in_ambient_mode_the_service_is_behind_the_waypoint_and_no_sidecar_is_left() {
    for overlay in ["waypoint", "traffic-extension/waypoint"] {
        let manifests = Manifests::of(overlay);
        let waypoint = manifests.workload("mcp-waypoint");
        let service = manifests.object("Service", "mcp-system", "mcp-gateway");
        let labels = &service.unwrap()["metadata"]["labels"];
        assert_eq!(labels["istio.io/use-waypoint"], *waypoint.name);
        let namespaces = manifests.of_kind("Namespace");
        let system = namespaces.filter(|object| object["metadata"]["name"] == "mcp-system");
        let labels = &system.last().unwrap()["metadata"]["labels"];
        assert_eq!(labels["istio.io/dataplane-mode"], "ambient");
        assert_eq!(labels["istio-injection"], Value::Null);
        let pod = manifests.workload("mcp-gateway").pod;
        assert_eq!(
            pod["metadata"]["labels"]["sidecar.istio.io/inject"],
            "false"
        );
    }
}
