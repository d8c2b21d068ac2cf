//! `envoy/helm`: values for the guide's chart, and the Envoy that comes in front of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;

use crate::harness::artifacts::{envoy, output, repository, wasm};
use crate::settings;

/// What the guide shows of the chart's values, of that which is set here.
const CHART: [&str; 3] = ["ingress", "secret", "config"];
/// The settings that the chart has under `config`, which it reads after `secret`; and some that it has not.
const IN_CONFIG: [&str; 7] = [
    "CSRF_EXEMPT_PATHS",
    "ENVIRONMENT",
    "PERMISSION_AUDIT_ENABLED",
    "SSRF_ALLOWED_NETWORKS",
    "SSRF_ALLOW_LOCALHOST",
    "SSRF_ALLOW_PRIVATE_NETWORKS",
    "SSRF_BLOCKED_HOSTS",
];

fn documents(text: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(text);
    documents
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

fn shipped(name: &str) -> Vec<Value> {
    documents(&fs::read_to_string(repository().join("envoy/helm").join(name)).unwrap())
}

/// The document of this kind, of which there is one.
fn only(documents: &[Value], kind: &str) -> Value {
    let of_kind: Vec<_> = documents
        .iter()
        .filter(|document| document["kind"] == kind)
        .collect();
    assert_eq!(of_kind.len(), 1, "{kind}");
    of_kind[0].clone()
}

#[test]
fn the_values_are_the_shipped_settings_where_the_chart_looks_for_them() {
    let values = shipped("values.yaml").remove(0);
    assert_eq!(values.as_object().unwrap().len(), 1);
    let values = values["mcpContextForge"].as_object().unwrap();
    for key in values.keys() {
        assert!(CHART.contains(&key.as_str()), "{key}");
    }
    assert_eq!(values["ingress"], serde_json::json!({"enabled": false}));
    let of = |part: &str| -> BTreeMap<String, String> {
        serde_json::from_value(values[part].clone()).unwrap()
    };
    let config: Vec<_> = of("config").into_keys().collect();
    assert_eq!(config, IN_CONFIG);
    let mut all = of("secret");
    all.extend(of("config"));
    // Only there has the gateway a Service, by which it could call itself around Envoy.
    let blocked = all.remove("SSRF_BLOCKED_HOSTS").unwrap();
    let blocked: Vec<String> = serde_json::from_str(&blocked).unwrap();
    let service = "mcp-gateway-mcp-stack-mcpgateway";
    for suffix in [
        "",
        ".mcp-gateway",
        ".mcp-gateway.svc",
        ".mcp-gateway.svc.cluster.local",
    ] {
        assert!(blocked.contains(&format!("{service}{suffix}")), "{suffix}");
    }
    assert_eq!(all, settings::shipped());
}

#[test]
fn secrets_come_as_values_of_the_same_names() {
    let mut script = Command::new(repository().join("envoy/contextforge/secrets.sh"));
    let values = documents(&output(script.arg("--values"))).remove(0);
    let secrets = values["mcpContextForge"]["secret"].as_object().unwrap();
    let names: Vec<_> = secrets.keys().cloned().collect();
    let mut expected: Vec<_> = settings::secrets().into_keys().collect();
    expected.sort();
    assert_eq!(names, expected);
}

/// What `configmaps.sh` prints, by name.
fn config_maps() -> BTreeMap<String, Value> {
    wasm();
    let mut script = Command::new(repository().join("envoy/helm/configmaps.sh"));
    let maps = documents(&output(&mut script)).into_iter();
    maps.map(|map| (map["metadata"]["name"].as_str().unwrap().to_owned(), map))
        .collect()
}

/// The files of a ConfigMap in this folder.
fn unpack(map: &Value, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for (name, text) in map["data"].as_object().into_iter().flatten() {
        fs::write(folder.join(name), text.as_str().unwrap()).unwrap();
    }
    for (name, base64) in map["binaryData"].as_object().into_iter().flatten() {
        let bytes = data_encoding::BASE64.decode(base64.as_str().unwrap().as_bytes());
        fs::write(folder.join(name), bytes.unwrap()).unwrap();
    }
}

/// The certificates as the guide's secrets hold them.
fn secret_file(certificates: &Path, secret: &str, key: &str) -> PathBuf {
    certificates.join(match (secret, key) {
        ("gateway-tls", "tls.crt") => "server.crt",
        ("gateway-tls", "tls.key") => "server.key",
        ("gateway-client-ca", "ca.crt") => "ca.crt",
        other => panic!("the guide has no secret like {other:?}"),
    })
}

/// The content of a volume.
fn fill(volume: &Value, maps: &BTreeMap<String, Value>, certificates: &Path, folder: &Path) {
    if let Some(map) = volume["configMap"]["name"].as_str() {
        return unpack(&maps[map], folder);
    }
    fs::create_dir_all(folder).unwrap();
    for source in volume["projected"]["sources"].as_array().unwrap() {
        let secret = source["secret"]["name"].as_str().unwrap();
        for item in source["secret"]["items"].as_array().unwrap() {
            let file = secret_file(certificates, secret, item["key"].as_str().unwrap());
            fs::copy(file, folder.join(item["path"].as_str().unwrap())).unwrap();
        }
    }
}

#[test]
fn envoy_accepts_what_its_pod_runs() {
    let root = tempfile::tempdir().unwrap();
    let certificates = root.path().join("certificates");
    let mut make = Command::new(repository().join("envoy/certs.sh"));
    output(make.arg(&certificates));
    let maps = config_maps();
    let pod = only(&shipped("envoy.yaml"), "Deployment")["spec"]["template"]["spec"].clone();
    let container = &pod["containers"][0];
    for mount in container["volumeMounts"].as_array().unwrap() {
        let mut volumes = pod["volumes"].as_array().unwrap().iter();
        let volume = volumes
            .find(|volume| volume["name"] == mount["name"])
            .unwrap();
        let inside = mount["mountPath"]
            .as_str()
            .unwrap()
            .strip_prefix('/')
            .unwrap();
        let inside = root.path().join(inside);
        // With a subPath one file is mounted; its folder here may hold more.
        let folder = match mount["subPath"].as_str() {
            Some(file) => inside.parent().filter(|_| inside.ends_with(file)).unwrap(),
            None => &inside,
        };
        fill(volume, &maps, &certificates, folder);
    }
    let command: Vec<String> = serde_json::from_value(container["command"].clone()).unwrap();
    assert_eq!(command[0], "envoy");
    let directory = container["workingDir"]
        .as_str()
        .unwrap()
        .strip_prefix('/')
        .unwrap();
    let validated = Command::new(envoy(None))
        .args(&command[1..])
        .args(["--mode", "validate", "--disable-hot-restart"])
        .current_dir(root.path().join(directory))
        .output()
        .unwrap();
    assert!(validated.status.success(), "{validated:?}");
}

#[test]
fn its_configuration_is_envoy_yaml_but_for_two_addresses() {
    let maps = config_maps();
    let ran = maps["mtls-identity"]["data"]["envoy.yaml"]
        .as_str()
        .unwrap();
    let shipped = fs::read_to_string(repository().join("envoy/envoy.yaml")).unwrap();
    assert_eq!(ran.lines().count(), shipped.lines().count());
    let differ = ran.lines().zip(shipped.lines()).filter(|(a, b)| a != b);
    let differ: Vec<_> = differ.map(|(ran, _)| ran.trim()).collect();
    assert_eq!(
        differ,
        [
            "socket_address: { address: 0.0.0.0, port_value: 8443 }",
            "socket_address: { address: mcp-gateway-mcp-stack-mcpgateway, port_value: 80 }",
        ]
    );
}

#[test]
fn nothing_but_this_envoy_reaches_the_gateway() {
    let manifests = shipped("envoy.yaml");
    let deployment = &only(&manifests, "Deployment")["spec"];
    let labels = &deployment["template"]["metadata"]["labels"];
    assert_eq!(&deployment["selector"]["matchLabels"], labels);
    assert_eq!(&only(&manifests, "Service")["spec"]["selector"], labels);

    let policy = &only(&manifests, "NetworkPolicy")["spec"];
    assert_eq!(policy["policyTypes"], serde_json::json!(["Ingress"]));
    assert_eq!(
        policy["ingress"],
        serde_json::json!([{
        "from": [{"podSelector": {"matchLabels": labels}}],
        "ports": [{"protocol": "TCP", "port": 4444}]}])
    );
    // The chart's label is also its service's name, which Envoy is told.
    let gateway = policy["podSelector"]["matchLabels"]["app"]
        .as_str()
        .unwrap();
    let maps = config_maps();
    let configuration = maps["mtls-identity"]["data"]["envoy.yaml"]
        .as_str()
        .unwrap();
    assert!(configuration.contains(&format!("address: {gateway}, port_value: 80 ")));
    assert!(deployment["template"]["spec"]["hostNetwork"].is_null());
}
