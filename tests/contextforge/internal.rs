//! What the gateway keeps for itself: it takes a neighbour on its loopback for its own process, and Envoy is one.

use hyper::Request;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::gateway::ContextForge;
use crate::harness::Fixture;
use crate::harness::client::{Body, full};
use crate::world::{ADMIN, in_front_of};

const MALLORY: &str = "mallory@example.com";
/// What ContextForge takes where nobody has set another one.
const DEFAULT_SECRET: &str = "my-test-salt";

/// As its own process would ask for the administrator, if this is its secret.
fn from_inside(secret: &str) -> Request<Body> {
    let proof = Sha256::digest(format!("{secret}:contextforge-internal-mcp-runtime-v1"));
    let context = json!({"email": ADMIN, "teams": null, "is_authenticated": true, "is_admin": true,
        "permission_is_admin": true, "token_use": "session"});
    let context = data_encoding::BASE64URL_NOPAD.encode(context.to_string().as_bytes());
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    Request::post("/_internal/mcp/rpc")
        .header("content-type", "application/json")
        .header("authorization", "Bearer none")
        .header("x-forwarded-for", "127.0.0.1")
        .header("x-contextforge-mcp-runtime", "affinity")
        .header(
            "x-contextforge-mcp-runtime-auth",
            data_encoding::HEXLOWER.encode(&proof),
        )
        .header("x-contextforge-auth-context", context)
        .body(full(body.to_string()))
        .unwrap()
}

#[tokio::test]
async fn nobody_is_taken_for_the_gateways_own_process_not_even_who_knows_its_secret() {
    let gateway = ContextForge::start(&[]).await;
    let site = in_front_of(gateway.address(), Fixture::new()).await;
    let its_own = gateway.secret("AUTH_ENCRYPTION_SECRET");
    // The address is the client's own, as Envoy says it, and no loopback.
    for secret in [DEFAULT_SECRET, &its_own] {
        let answer = site
            .client(MALLORY)
            .send(from_inside(secret))
            .await
            .unwrap();
        let refused = answer.json()["detail"].to_string();
        assert!(
            refused.contains("only available to the local"),
            "{answer:?}"
        );
        assert_eq!(answer.status, 403);
    }
}
