//! Two plugins of one VM in one chain.

use serde_json::json;

use crate::harness::Fixture;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::forged::{FORGED, assert_nothing_forged};
use crate::harness::gateway::{USER, VERIFY};

const ALICE: &str = "alice@example.com";

/// A second plugin behind the first, which names the same client in another header. It sets the mark as well.
fn second_plugin(envoy: &mut Bootstrap) {
    let mut second = envoy.http_filters()[0].clone();
    second["name"] = json!("second");
    let plugin = &mut second["typed_config"]["config"];
    plugin["root_id"] = json!("second");
    plugin["configuration"]["value"] = json!(r#"{"headers": {"user": "x-second"}}"#);
    envoy.http_filters().insert(1, second);
}

/// A route that switches the first off, and writes what it would have written.
fn switch_off(envoy: &mut Bootstrap) {
    let off = json!({"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": true});
    let host = &mut envoy.route_config()["virtual_hosts"][0];
    host["typed_per_filter_config"] = json!({"mtls_identity": off});
    host["request_headers_to_add"] = json!([{"header": {"key": USER, "value": FORGED}}]);
}

#[tokio::test]
async fn two_plugins_in_one_chain_each_say_who_the_client_is() {
    let site = Fixture::new().edit(second_plugin).start().await;
    let forged = [(USER, FORGED), ("x-second", FORGED), (VERIFY, FORGED)];
    let answer = site.client(ALICE).get_with("/", &forged).await.unwrap();
    let received = answer.gateway();
    assert_nothing_forged(&received);
    assert_eq!(received.user(), [ALICE]);
    assert_eq!(received.values("x-second"), [ALICE]);
    assert_eq!(received.values(VERIFY), ["SUCCESS"]);
}

/// The guard takes the mark of the second for that of the first.
#[tokio::test]
async fn the_mark_of_a_second_plugin_brings_no_user_header_where_the_first_is_off() {
    let fixture = Fixture::new().edit(second_plugin).edit(switch_off);
    let site = fixture.start().await;
    let answer = site.client(ALICE).get_with("/", &[(USER, FORGED)]).await;
    let received = answer.unwrap().gateway();
    assert_nothing_forged(&received);
    assert!(received.user().is_empty(), "{received:?}");
    assert_eq!(received.values("x-second"), [ALICE]);
}
