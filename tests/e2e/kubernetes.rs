//! The manifests of `envoy/kubernetes` fit each other; that they work is in `renewal`.

use std::fs;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::harness::artifacts::repository;

mod api_server;
mod pod;
mod renewal;

use api_server::NAMESPACE;

const SECRET: &str = "gateway-tls";

/// All documents of a file of `envoy/kubernetes`.
fn documents(file: &str) -> Vec<Value> {
    let path = repository().join("envoy/kubernetes").join(file);
    let text = fs::read_to_string(path).unwrap();
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    documents
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

#[track_caller]
fn document(file: &str, kind: &str, name: &str) -> Value {
    let found = documents(file)
        .into_iter()
        .find(|it| it["kind"] == kind && it["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name} in {file}"))
}

fn job() -> Value {
    let cron_job = document("cronjob.yaml", "CronJob", "renew-certificates");
    cron_job["spec"]["jobTemplate"]["spec"]["template"]["spec"].clone()
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().unwrap().iter()
}

#[track_caller]
fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A value of the job's environment.
fn setting(name: &str) -> String {
    let job = job();
    let mut settings = each(&job["containers"][0]["env"]);
    let setting = settings.find(|setting| setting["name"] == name).unwrap();
    text(&setting["value"]).to_owned()
}

fn role() -> Value {
    document("cronjob.yaml", "Role", "renew-certificates")
}

/// The volumes that a pod's containers mount, by name.
#[track_caller]
fn assert_every_mount_has_its_volume(pod: &Value) {
    let volumes: Vec<_> = each(&pod["volumes"]).map(|it| text(&it["name"])).collect();
    let mounts = each(&pod["containers"]).flat_map(|container| each(&container["volumeMounts"]));
    let mut mounted: Vec<_> = mounts.map(|it| text(&it["name"])).collect();
    mounted.sort_unstable();
    let mut expected = volumes.clone();
    expected.sort_unstable();
    assert_eq!(mounted, expected);
}

fn volume<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let mut volumes = each(&pod["volumes"]);
    volumes.find(|volume| volume["name"] == name).unwrap()
}

#[test]
fn the_job_may_change_its_secret_and_nothing_else() {
    let rules = &role()["rules"];
    let only = json!([{
        "apiGroups": [""], "resources": ["secrets"],
        "resourceNames": [setting("SECRET")], "verbs": ["patch"],
    }]);
    assert_eq!(*rules, only);
    let binding = document("cronjob.yaml", "RoleBinding", "renew-certificates");
    assert_eq!(binding["roleRef"]["name"], role()["metadata"]["name"]);
    assert_eq!(binding["roleRef"]["kind"], "Role");
    let job = job();
    let account = document(
        "cronjob.yaml",
        "ServiceAccount",
        text(&job["serviceAccountName"]),
    );
    assert_eq!(binding["subjects"][0]["name"], account["metadata"]["name"]);
    assert_eq!(binding["subjects"].as_array().unwrap().len(), 1);
    let context = &job["containers"][0]["securityContext"];
    assert_eq!(context["readOnlyRootFilesystem"], true);
    assert_eq!(context["allowPrivilegeEscalation"], false);
    assert_eq!(context["capabilities"]["drop"], json!(["ALL"]));
    assert_eq!(job["securityContext"]["runAsNonRoot"], true);
}

#[test]
fn the_manifests_name_each_others_secrets_keys_and_paths() {
    let (job, envoy) = (job(), documents("deployment-patch.yaml").remove(0));
    let envoy = &envoy["spec"]["template"]["spec"];
    for pod in [&job, envoy] {
        assert_every_mount_has_its_volume(pod);
    }
    assert_eq!(
        volume(&job, "current")["secret"]["secretName"],
        setting("SECRET")
    );
    assert_eq!(
        volume(envoy, "gateway-tls")["secret"]["secretName"],
        setting("SECRET")
    );
    let map = document("sds.yaml", "ConfigMap", "envoy-sds");
    assert_eq!(
        volume(envoy, "envoy-sds")["configMap"]["name"],
        map["metadata"]["name"]
    );
    let of_cert_manager = document("cert-manager.yaml", "Certificate", SECRET);
    assert_eq!(of_cert_manager["spec"]["secretName"], setting("SECRET"));
    let hosts: Vec<_> = each(&of_cert_manager["spec"]["dnsNames"])
        .map(text)
        .collect();
    assert_eq!(hosts.join(","), setting("HOSTS"));
    let authority = document("cert-manager.yaml", "Certificate", "mtls-ca");
    let mounted = &volume(&job, "ca")["secret"]["secretName"];
    assert_eq!(authority["spec"]["secretName"], *mounted);
    // Envoy has no use for the key of the CA.
    assert!(!envoy.to_string().contains(text(mounted)));
    for file in ["cronjob.yaml", "cert-manager.yaml", "sds.yaml"] {
        for document in documents(file) {
            assert_eq!(document["metadata"]["namespace"], NAMESPACE, "{document}");
        }
    }
}

#[test]
fn every_certificate_of_cert_manager_has_an_issuer_that_is_there() {
    for certificate in documents("cert-manager.yaml") {
        if certificate["kind"] != "Certificate" {
            continue;
        }
        let issuer = &certificate["spec"]["issuerRef"];
        document(
            "cert-manager.yaml",
            text(&issuer["kind"]),
            text(&issuer["name"]),
        );
        let hours = |key: &str| {
            let text = text(&certificate["spec"][key]);
            text.trim_end_matches('h').parse::<u32>().unwrap()
        };
        assert!(hours("renewBefore") < hours("duration"), "{certificate}");
    }
    let issuer = document("cert-manager.yaml", "Issuer", "mtls-clients");
    let authority = document("cert-manager.yaml", "Certificate", "mtls-ca");
    assert_eq!(
        issuer["spec"]["ca"]["secretName"],
        authority["spec"]["secretName"]
    );
}

#[test]
fn a_client_of_cert_manager_is_a_user_and_can_be_nothing_else() {
    let agent = document("cert-manager.yaml", "Certificate", "agent-mtls");
    let spec = &agent["spec"];
    let user = text(&spec["commonName"]);
    assert_eq!(user, user.to_lowercase());
    assert_eq!(spec["usages"], json!(["digital signature", "client auth"]));
    assert_eq!(spec["emailAddresses"], json!([user]));
    assert_eq!(spec["privateKey"]["rotationPolicy"], "Always");
}
