//! The components that need EnvoyPatchPolicies.

use serde_json::{Value, json};

use super::edge::{BACKEND, Edge, refused_by_the_guard};
use super::failures::configured;
use super::tenants::{TENANT, admission, admitted_at_last, forging, injected, reference, route};
use crate::caller::{ADMIN, ALICE, Caller, assert_is};
use crate::cluster::SLOW;
use crate::harness::answer::Answer;
use crate::harness::eventually;
use crate::harness::gateway::USER;

/// Each is in what Envoy runs.
pub(super) async fn each_patch_is_in_force(edge: &Edge) {
    for name in ["last-word", "hand-over", "reload"] {
        let patch = edge.object("EnvoyPatchPolicy", name);
        edge.says(patch, "Programmed", "True: Programmed").await;
    }
    let (manager, _) = edge.proxy.way_in();
    let filter = &manager["http_filters"][0]["typed_config"]["config"];
    assert_eq!(filter["allow_on_headers_stop_iteration"], true);
    assert_eq!(filter["failure_policy"], "FAIL_RELOAD");
    assert!(
        edge.proxy
            .routes()
            .contains("FILTER_STATE(wasm.mtls_identity.x-ssl-client-s-dn-cn:PLAIN)")
    );
}

/// A patch that finds no filter is an error of its own, and the rest is served.
pub(super) async fn without_the_filter_the_guard_holds(edge: &Edge) {
    let forger = edge.alice().forging();
    edge.take_out(edge.filter());
    edge.alice().gets(403).await;
    edge.alice()
        .forges_until("is refused", refused_by_the_guard)
        .await;
    edge.put(edge.filter());
    edge.alice().is(ALICE).await;
    let hand_over = edge.object("EnvoyPatchPolicy", "hand-over");
    edge.says(hand_over, "Programmed", "True: Programmed").await;
    forger.was_always(ALICE);
}

/// A call of this tool.
fn calls(client: &Caller, tool: &str, padding: usize) -> Answer {
    let padding = "x".repeat(padding);
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": tool, "arguments": {"text": padding}}});
    let message = message.to_string();
    let options = [
        "-m",
        "5",
        "-H",
        "content-type: application/json",
        "-d",
        &message,
    ];
    client.clone().with(&options).get()
}

/// The body says which tool is meant, whatever its length, up to a MiB.
pub(super) async fn a_rule_reads_the_tool_from_the_body(edge: &Edge) {
    let deny = json!({"name": "no-deleting", "action": "deny",
        "mcp": {"methods": ["tools/call"], "names": ["delete_*"]}});
    edge.put(&configured(edge, |config: &mut Value| {
        config["authorization"] = json!({"default": "allow", "rules": [deny]});
    }));
    let alice = edge.alice();
    eventually("the rule is in force", SLOW, async || {
        calls(&alice, "delete_all", 0)
            .is_denied("not_authorized")
            .then_some(())
    })
    .await;
    for padding in [0, 100_000] {
        for protocol in ["--http1.1", "--http2"] {
            let alice = alice.clone().with(&[protocol]);
            let answer = calls(&alice, "delete_all", padding);
            assert!(
                answer.is_denied("not_authorized"),
                "{protocol} {padding}: {answer:?}"
            );
            assert_is(&calls(&alice, "search", padding), ALICE);
        }
    }
    edge.put(edge.filter());
}

/// With the last word, what a route writes is overwritten; without it, it is believed. No admission policy is there.
pub(super) async fn the_last_word_holds_against_routes(edge: &Edge) {
    admission(edge)
        .iter()
        .for_each(|policy| edge.take_out(policy));
    let last_word = edge.object("EnvoyPatchPolicy", "last-word");
    let all = [forging("set", USER)];
    for (name, at_rule, at_backend) in [("rule", &all[..], &[][..]), ("backend", &[], &all)] {
        let mut route = route(BACKEND, at_rule, at_backend);
        route["metadata"]["name"] = json!(name);
        admitted_at_last(edge, &route).await;
        eventually("the tenant's route leads", SLOW, async || {
            edge.proxy
                .routes()
                .contains(&format!("httproute/{BACKEND}/{name}/"))
                .then_some(())
        })
        .await;
        assert_is(&edge.alice().get(), ALICE);
        edge.take_out(last_word);
        edge.alice().is(ADMIN).await;
        edge.put(last_word);
        edge.alice().is(ALICE).await;
        edge.take_out(&route);
    }
    let [secret, filter] = injected(USER);
    edge.world.cluster.apply(&[secret, filter]);
    edge.put(&route(BACKEND, &[reference()], &[]));
    eventually("the tenant's route leads", SLOW, async || {
        edge.proxy
            .routes()
            .contains(&format!("httproute/{BACKEND}/{TENANT}/"))
            .then_some(())
    })
    .await;
    assert_is(&edge.alice().get(), ALICE);
    edge.take_out(&route(BACKEND, &[], &[]));
    edge.world.cluster.apply(&admission(edge));
}
