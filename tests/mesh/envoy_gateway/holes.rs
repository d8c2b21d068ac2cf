//! What `mtls-identity doctor` says of the Envoy that runs, and of the objects that it is made of.

use serde_json::{Value, json};

use super::edge::{Edge, INGRESS, refused_by_the_guard};
use crate::caller::ALICE;
use crate::cluster::SLOW;
use crate::doctor::{errors, list, warnings};
use crate::harness::eventually;

/// Waits until the doctor names these errors in the dump of what runs, and no other.
async fn runs_with(edge: &Edge, expected: &[&str]) {
    let what = format!("the doctor names {expected:?} in what runs");
    eventually(&what, SLOW, async || {
        (errors(&edge.proxy.config_dump()) == expected).then_some(())
    })
    .await;
}

/// As `kubectl get … -A -o yaml` has them, with this object in the place of the one of its kind and name.
fn with(edge: &Edge, object: &Value) -> Vec<String> {
    let is_same = |other: &Value| {
        other["kind"] == object["kind"] && other["metadata"]["name"] == object["metadata"]["name"]
    };
    let others = edge.objects.iter().filter(|other| !is_same(other));
    let mut objects: Vec<_> = others.cloned().collect();
    objects.push(object.clone());
    errors(&list(&objects))
}

/// Without EnvoyPatchPolicies Envoy Gateway has no field for the last word. Else there is no hole.
pub(super) async fn there_is_none_but_the_last_word(edge: &Edge) {
    runs_with(edge, &["last_word"]).await;
    assert_eq!(warnings(&edge.proxy.config_dump()), [""; 0]);
    assert_eq!(errors(&list(&edge.objects)), [""; 0]);
    assert_eq!(warnings(&list(&edge.objects)), [""; 0]);
}

/// The guard in front of the filter: it refuses everybody, and is no second line any more.
pub(super) async fn an_order_of_the_filters_is_one(edge: &Edge) {
    let proxy = edge.object("EnvoyProxy", INGRESS);
    let mut turned = proxy.clone();
    turned["spec"]["filterOrder"] =
        json!([{"name": "envoy.filters.http.rbac", "before": "envoy.filters.http.wasm"}]);
    assert_eq!(with(edge, &turned), ["guard"]);
    edge.put(&turned);
    runs_with(edge, &["guard", "last_word"]).await;
    assert!(refused_by_the_guard(&edge.alice().get()));
    edge.put(proxy);
    edge.alice().is(ALICE).await;
    runs_with(edge, &["last_word"]).await;
}

/// With the component `last-word` there is none. A patch that finds nothing draws no line, and Envoy Gateway says so in its
/// status alone.
pub(super) async fn a_patch_under_another_name_is_one(edge: &Edge) {
    runs_with(edge, &[]).await;
    assert_eq!(errors(&list(&edge.objects)), [""; 0]);
    let last_word = edge.object("EnvoyPatchPolicy", "last-word");
    let mut elsewhere = last_word.clone();
    for patch in elsewhere["spec"]["jsonPatches"].as_array_mut().unwrap() {
        patch["name"] = json!(format!("{INGRESS}/{INGRESS}/http"));
    }
    assert_eq!(with(edge, &elsewhere), ["patch_without_effect"]);
    edge.put(&elsewhere);
    edge.says(&elsewhere, "Programmed", "False: ResourceNotFound")
        .await;
    runs_with(edge, &["last_word"]).await;
    edge.put(last_word);
    runs_with(edge, &[]).await;
    edge.alice().is(ALICE).await;
}
