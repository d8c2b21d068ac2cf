//! `imagePullSecret`, and a registry that asks for a login.

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::cluster::SLOW;
use crate::failures::{caller, filtered};
use crate::harness::eventually;
use crate::overlay::Mesh;
use crate::plugin::wasm;
use crate::registry::{LOGIN, NAME};

/// Where the images are that need the login.
const WITH_LOGIN: &str = ":5001/";
const SECRET: &str = "mtls-identity-pull";

/// A login by Basic, in both namespaces that have the filter. Istio's agent looks at the realm before it sends a password,
/// and takes it for the address of a token service: any text but a URL is refused.
pub(crate) async fn a_registry_that_asks_for_a_login_needs_a_realm_that_is_a_url(mesh: &Mesh) {
    if mesh.overlay != "sidecar" {
        return; // once a release is enough
    }
    for namespace in mesh.plugin_namespaces() {
        mesh.put_back(&pull_secret(namespace));
        let (caller, user) = caller(mesh, namespace);
        let forger = caller.forging();

        let registry = mesh.world.start_registry_with_login("Registry Realm").await;
        mesh.put_back(&from_there(mesh, namespace, Some(SECRET)));
        caller.gets(403).await;
        let said = "rejected unsafe bearer realm";
        eventually("the agent has refused the realm", SLOW, async || {
            let network = &filtered(mesh, namespace).network;
            let log = mesh.world.network.log("agent", network);
            log.contains(said).then_some(())
        })
        .await;
        drop(registry);
        mesh.put_back(mesh.plugin(namespace));
        caller.is(user).await;

        let realm = format!("http://{NAME}");
        let registry = mesh.world.start_registry_with_login(&realm).await;
        mesh.put_back(&from_there(mesh, namespace, None));
        caller.gets(403).await;
        mesh.put_back(&from_there(mesh, namespace, Some(SECRET)));
        caller.is(user).await;
        drop(registry);
        mesh.put_back(mesh.plugin(namespace));
        caller.is(user).await;
        forger.was_always(user);
    }
}

/// The filter of this namespace, from where a login is needed.
fn from_there(mesh: &Mesh, namespace: &str, secret: Option<&str>) -> Value {
    let mut plugin = mesh.plugin(namespace).clone();
    let wasm = wasm(&mut plugin);
    let url = wasm["url"].as_str().unwrap().replace(":5000/", WITH_LOGIN);
    assert!(url.contains(WITH_LOGIN), "{url}");
    wasm["url"] = json!(url);
    if let Some(secret) = secret {
        wasm["imagePullSecret"] = json!(secret);
    }
    plugin
}

/// What `kubectl create secret docker-registry` makes.
fn pull_secret(namespace: &str) -> Value {
    let [user, password] = LOGIN;
    let login = BASE64.encode(format!("{user}:{password}").as_bytes());
    let registries = json!({"auths": {format!("{NAME}:5001"): {"auth": login}}});
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": SECRET, "namespace": namespace},
        "stringData": {".dockerconfigjson": registries.to_string()},
    })
}
