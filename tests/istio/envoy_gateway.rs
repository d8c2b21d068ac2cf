//! What is in `envoy/envoy-gateway`, without a cluster.

use std::collections::BTreeSet;

use mtls_identity::config::Configuration;
use serde_json::{Value, json};

use crate::files;
use crate::manifests::{kustomized, repository, strings};

const FOLDER: &str = "envoy/envoy-gateway";
const COMPONENTS: [&str; 3] = ["last-word", "mcp", "reload"];

fn rendered(components: &[&str]) -> Vec<Value> {
    let at = |name: &&str| format!("{FOLDER}/{name}");
    kustomized(FOLDER, &components.iter().map(at).collect::<Vec<_>>())
}

#[track_caller]
fn object<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let mut objects = objects.iter();
    let found = objects.find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name}"))
}

fn configuration(objects: &[Value]) -> &Value {
    &object(objects, "EnvoyExtensionPolicy", "mtls-identity")["spec"]["wasm"][0]["config"]
}

#[test]
fn every_manifest_is_part_of_the_folder_or_of_a_component() {
    let folder = repository().join(FOLDER);
    let components = COMPONENTS.iter().map(|name| folder.join(name));
    let reached: BTreeSet<_> = components
        .chain([folder.clone()])
        .flat_map(|folder| files::reached(&folder))
        .collect();
    let mut manifests: BTreeSet<_> = files::files(&folder).into_iter().collect();
    manifests.retain(|path| path.extension().is_some_and(|kind| kind == "yaml"));
    // For Prometheus.
    assert!(manifests.remove(&folder.join("alerts.yaml")));
    assert_eq!(reached, manifests);
}

#[test]
fn the_filter_itself_loads_its_configuration() {
    for components in [&[][..], &COMPONENTS] {
        let objects = rendered(components);
        let text = configuration(&objects).to_string();
        let loaded = Configuration::parse(text.as_bytes());
        loaded.unwrap_or_else(|error| panic!("{components:?}: {error}"));
    }
}

#[test]
fn the_image_is_named_in_one_place_and_until_it_is_set_is_none() {
    let objects = rendered(&[]);
    let filter = object(&objects, "EnvoyExtensionPolicy", "mtls-identity");
    let image = &filter["spec"]["wasm"][0]["code"]["image"];
    assert_eq!(image["url"], "registry.example.com/mtls-identity:0.2.0");
    assert_eq!(image["sha256"], "0".repeat(64));
    assert!(objects.iter().all(|object| object["kind"] != "ConfigMap"));
}

/// What the filter sets, and the names that it always removes.
fn owned(objects: &[Value]) -> Vec<String> {
    let set = configuration(objects)["headers"]["set"].as_object();
    let mut owned: Vec<_> = set.unwrap().keys().cloned().collect();
    owned.extend(
        [
            "x-ssl-client-s-dn-cn",
            "x-authenticated-user",
            "x-user-organization",
            "client-cert",
            "client-cert-chain",
        ]
        .map(str::to_owned),
    );
    owned
}

#[test]
fn what_the_filter_owns_is_removed_in_front_of_it() {
    let objects = rendered(&[]);
    let policy = object(&objects, "ClientTrafficPolicy", "mtls-identity");
    let headers = &policy["spec"]["headers"];
    assert_eq!(headers["withUnderscoresAction"], "DropHeader");
    let early = &headers["earlyRequestHeaders"];
    let removed = strings(&early["remove"]);
    let matched = early["removeOnMatch"].as_array().unwrap();
    let prefixes = matched.iter().filter(|matched| matched["type"] == "Prefix");
    let prefixes: Vec<_> = prefixes
        .map(|matched| matched["value"].as_str().unwrap())
        .collect();
    for name in owned(&objects) {
        let is_matched = prefixes.iter().any(|prefix| name.starts_with(prefix));
        assert!(is_matched || removed.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn the_last_word_removes_what_the_filter_owns_and_writes_what_it_sets() {
    let objects = rendered(&["last-word"]);
    let patches = &object(&objects, "EnvoyPatchPolicy", "last-word")["spec"]["jsonPatches"];
    let removed = strings(&patches[0]["operation"]["value"]);
    for name in owned(&objects) {
        assert!(removed.contains(&name.as_str()), "{name}");
        assert!(removed.contains(&name.replace('-', "_").as_str()), "{name}");
    }
    let added = patches[1]["operation"]["value"].as_array().unwrap().iter();
    let added: BTreeSet<_> = added
        .map(|entry| {
            let name = entry["header"]["key"].as_str().unwrap().to_owned();
            let state = format!("%FILTER_STATE(wasm.mtls_identity.{name}:PLAIN)%");
            assert_eq!(entry["header"]["value"], state);
            assert_eq!(entry["append_action"], "OVERWRITE_IF_EXISTS_OR_ADD");
            name
        })
        .collect();
    let set = configuration(&objects)["headers"]["set"]
        .as_object()
        .unwrap();
    let mut expected: BTreeSet<_> = set.keys().cloned().collect();
    expected.insert("x-ssl-client-s-dn-cn".to_owned());
    assert_eq!(added, expected);
}

#[test]
fn the_guard_asks_for_the_mark_and_for_a_certificate() {
    let objects = rendered(&[]);
    let guard = &object(&objects, "SecurityPolicy", "mtls-identity-guard")["spec"]["authorization"];
    assert_eq!(guard["defaultAction"], "Deny");
    let rule = &guard["rules"][0];
    assert_eq!(guard["rules"].as_array().unwrap().len(), 1);
    assert_eq!(rule["cel"], "connection.peer_certificate_valid");
    let set = &configuration(&objects)["headers"]["set"];
    assert_eq!(set["x-ssl-client-verify"], "verify");
    let mark = json!([{"name": "x-ssl-client-verify", "values": ["SUCCESS"]}]);
    assert_eq!(rule["principal"]["headers"], mark);
}

/// Both lists of names are one, and the bindings are for the namespace that the Gateway takes routes from.
#[test]
fn the_admission_policies_agree_with_each_other_and_with_the_gateway() {
    let objects = rendered(&[]);
    let names = ["mtls-identity-routes", "mtls-identity-route-filters"];
    let lists = names.map(|name| {
        let policy = object(&objects, "ValidatingAdmissionPolicy", name);
        policy["spec"]["variables"][0]["expression"].clone()
    });
    assert_eq!(lists[0], lists[1]);
    let gateway = object(&objects, "Gateway", "mcp-ingress");
    let namespaces = &gateway["spec"]["listeners"][0]["allowedRoutes"]["namespaces"];
    let bindings = objects
        .iter()
        .filter(|object| object["kind"] == "ValidatingAdmissionPolicyBinding");
    let mut count = 0;
    for binding in bindings {
        let selector = &binding["spec"]["matchResources"]["namespaceSelector"];
        assert_eq!(*selector, namespaces["selector"]);
        count += 1;
    }
    assert_eq!(count, 3);
}
