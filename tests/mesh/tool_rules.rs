//! Rules for tools in the ingress gateway: the component `istio/mcp`.

use serde_json::json;

use crate::caller::{ALICE, Caller, FORGED, assert_is};
use crate::harness::answer::Answer;
use crate::order;
use crate::overlay::Mesh;
use crate::plugin::remote_code;
use crate::release::{ISTIO_1_31, Release};

const WITH_RULES: Release = ISTIO_1_31.with(&["mcp"]);

/// A POST of this body.
fn posts(caller: &Caller, body: &str) -> Answer {
    let caller = caller.clone().with(&["--data-binary", body]);
    caller.get_with(&[("content-type", "application/json")])
}

fn reason(answer: &Answer) -> String {
    let problem: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    problem["reason"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn in_the_ingress_gateway_the_body_decides_who_may_call_which_tool() {
    let mesh = Mesh::of("gateway", WITH_RULES).await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let call = |name: &str| {
        let params = json!({"name": name});
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string()
    };
    for alice in [mesh.alice(), mesh.alice().with(&["--http1.1"])] {
        assert_is(&alice.get_with(&FORGED), ALICE);
        for allowed in [&list, &call("search_web")] {
            let answer = posts(&alice, allowed);
            assert_is(&answer, ALICE);
            assert_eq!(answer.gateway().body_bytes, allowed.len());
        }
        // More than Istio's buffers take, and less than `mcp.max_body`.
        let long = format!("{list}{}", " ".repeat(100_000));
        let answer = posts(&alice, &long);
        assert_eq!(answer.gateway().body_bytes, long.len());
        for (body, status, expected) in [
            (call("delete"), 403, "not_authorized"),
            (format!("[{list}]"), 400, "malformed_mcp"),
        ] {
            let answer = posts(&alice, &body);
            assert_eq!(
                (answer.status, reason(&answer).as_str()),
                (status, expected),
                "{body}"
            );
        }
    }
    order::each_connection_manager_has_its_lines_in_order(&mesh);
    // Deleted, it leaves the guard.
    let filter = mesh.object("EnvoyFilter", "mcp-ingress", "mtls-identity");
    mesh.take_out(filter);
    mesh.alice().gets(403).await;
    let forger = mesh.alice().forging();
    mesh.put_back(filter);
    mesh.alice().is(ALICE).await;
    forger.was_always(ALICE);
    // An image that is not there: the agent's deny-all, not the filter that was.
    let mut wrong = filter.clone();
    remote_code(&mut wrong).unwrap()["sha256"] = json!("1".repeat(64));
    mesh.put_back(&wrong);
    mesh.alice().gets(403).await;
}
