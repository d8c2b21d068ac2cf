//! Access tokens that are bound to a certificate (RFC 8705), verified by Envoy's own `jwt_authn` before the filter.

use serde_json::{Value, json};

use crate::harness::Fixture;
use crate::harness::certs::Credentials;
use crate::harness::client::Client;
use crate::harness::forged::assert_only_user;
use crate::harness::token::{Issuer, METADATA, bound_to};

const ALICE: &str = "alice@example.com";
const NOT_BOUND: &str = "token_not_bound";

fn plugin(bound: &str) -> Value {
    json!({"certificate": {"bound": bound, "bound_metadata": METADATA}})
}

async fn get(client: &Client, bearer: &str) -> (u16, String) {
    let answer = client.get_with("/", &[("authorization", bearer)]).await;
    let answer = answer.unwrap();
    let reason = match answer.status {
        200 => {
            assert_only_user(&answer.gateway(), ALICE);
            String::new()
        }
        _ => answer.json()["reason"]
            .as_str()
            .unwrap_or_default()
            .to_owned(),
    };
    (answer.status, reason)
}

fn passes() -> (u16, String) {
    (200, String::new())
}

fn refused() -> (u16, String) {
    (403, NOT_BOUND.to_owned())
}

/// Values of the claim `cnf`, whether they pass where a bound token is required, and where one may be there.
fn claims(own: &Credentials, other: &Credentials) -> Vec<(Value, bool, bool)> {
    let mut twice = bound_to(own);
    twice["jkt"] = json!("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    let thumbprint = |value: Value| json!({"x5t#S256": value});
    let own_text = bound_to(own)["x5t#S256"].as_str().unwrap().to_owned();
    let odd = [
        json!({}),
        json!("text"),
        json!(own_text.clone()),
        json!(7),
        json!(true),
        json!([]),
        json!(["x5t#S256"]),
        json!([bound_to(own)]),
        json!({"jkt": null}),
        thumbprint(json!(null)),
        thumbprint(json!("")),
        thumbprint(json!(7)),
        thumbprint(json!(true)),
        thumbprint(json!([own_text.clone()])),
        thumbprint(json!({"x5t#S256": own_text.clone()})),
        thumbprint(json!(format!("{own_text}="))),
        thumbprint(json!(format!("{own_text}\u{0}"))),
        thumbprint(json!(own.sha256())),
    ];
    let told = [
        (json!(null), false, true),
        (
            json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}),
            false,
            true,
        ),
        (bound_to(own), true, true),
        (twice, true, true),
        (bound_to(other), false, false),
    ];
    let odd = odd.into_iter().map(|value| (value, false, false));
    told.into_iter().chain(odd).collect()
}

async fn assert_claims_decide(version: &'static str) {
    for (bound, is_required) in [("required", true), ("if_present", false)] {
        let issuer = Issuer::new();
        let fixture = Fixture::new().on(version).plugin(plugin(bound));
        let site = fixture.edit(issuer.verify()).start().await;
        let (alice, other) = (site.authority.client(ALICE), site.authority.client(ALICE));
        let client = site.client_with(&alice);
        for (claim, where_required, where_present) in claims(&alice, &other) {
            let is_right = if is_required {
                where_required
            } else {
                where_present
            };
            let expected = if is_right { passes() } else { refused() };
            let found = get(&client, &issuer.bearer(&claim)).await;
            assert_eq!(found, expected, "{version} {bound} {claim}");
        }
        let without = client.get("/").await.unwrap();
        assert_eq!(without.status, if is_required { 403 } else { 200 });
        // Somebody else's signature: Envoy's own filter refuses it.
        let forged = Issuer::new().bearer(&bound_to(&alice));
        let answer = client.get_with("/", &[("authorization", &forged)]).await;
        assert_eq!(answer.unwrap().status, 401);
    }
}

#[tokio::test]
async fn what_a_token_is_bound_to_decides_on_envoy_1_40() {
    assert_claims_decide("1.40.0").await;
}

#[tokio::test]
async fn what_a_token_is_bound_to_decides_on_envoy_1_39() {
    assert_claims_decide("1.39.3").await;
}

#[tokio::test]
async fn what_a_token_is_bound_to_decides_on_envoy_1_38() {
    assert_claims_decide("1.38.2").await;
}

#[tokio::test]
async fn what_a_token_is_bound_to_decides_on_envoy_1_37() {
    assert_claims_decide("1.37.0").await;
}

#[tokio::test]
async fn each_request_of_a_connection_is_asked_for_its_own_token() {
    let issuer = Issuer::new();
    let fixture = Fixture::new().plugin(plugin("if_present"));
    let site = fixture.edit(issuer.verify()).start().await;
    let (alice, other) = (site.authority.client(ALICE), site.authority.client(ALICE));
    let (own, stolen) = (
        issuer.bearer(&bound_to(&alice)),
        issuer.bearer(&bound_to(&other)),
    );
    for client in [site.client_with(&alice), site.client_with(&alice).http2()] {
        let mut connection = client.connect().await.unwrap();
        for (bearer, status) in [(&own, 200), (&stolen, 403), (&own, 200)] {
            let request = crate::harness::client::get("/", &[("authorization", bearer)]);
            assert_eq!(connection.send(request).await.unwrap().status, status);
        }
    }
    let counted = ("deny.token_not_bound", 2);
    crate::harness::eventually("it is counted", crate::harness::PATIENCE, async || {
        (site.envoy.counter(counted.0).await == counted.1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_held_message_needs_its_token_too() {
    let issuer = Issuer::new();
    let fixture = Fixture::new()
        .plugin(plugin("required"))
        .plugin(json!({"mcp": {"paths": ["/mcp"]}}));
    let site = fixture.edit(issuer.verify()).start().await;
    let (alice, other) = (site.authority.client(ALICE), site.authority.client(ALICE));
    let client = site.client_with(&alice);
    for (claim, status) in [
        (bound_to(&alice), 200),
        (bound_to(&other), 403),
        (json!(null), 403),
    ] {
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let request = hyper::Request::post("/mcp")
            .header("authorization", issuer.bearer(&claim))
            .header("content-type", "application/json");
        let request = request.body(crate::harness::client::full(body)).unwrap();
        assert_eq!(
            client.send(request).await.unwrap().status,
            status,
            "{claim}"
        );
    }
}

/// Where `jwt_authn` stands behind the filter, no token has been read yet.
#[tokio::test]
async fn before_jwt_authn_the_filter_refuses_all_where_a_bound_token_is_required() {
    for (bound, expected) in [("required", refused()), ("if_present", passes())] {
        let issuer = Issuer::new();
        let behind = issuer.filter();
        let fixture = Fixture::new().plugin(plugin(bound));
        let site = fixture.edit(move |envoy| envoy.http_filters().insert(1, behind));
        let site = site.start().await;
        let alice = site.authority.client(ALICE);
        let bearer = issuer.bearer(&bound_to(&alice));
        assert_eq!(
            get(&site.client_with(&alice), &bearer).await,
            expected,
            "{bound}"
        );
    }
}

#[tokio::test]
async fn no_client_can_say_what_its_token_is_bound_to() {
    let issuer = Issuer::new();
    let site = Fixture::new().plugin(plugin("if_present"));
    let site = site.edit(issuer.verify()).start().await;
    let (alice, other) = (site.authority.client(ALICE), site.authority.client(ALICE));
    let (stolen, own) = (
        issuer.bearer(&bound_to(&other)),
        issuer.bearer(&bound_to(&alice)),
    );
    let client = site.client_with(&alice);
    assert_second_tokens_are_refused(&client, &stolen, &own).await;
    let mine = bound_to(&alice)["x5t#S256"].as_str().unwrap().to_owned();
    for name in [
        METADATA,
        "x-jwt-payload",
        "cnf",
        "x5t#S256",
        "x-envoy-dynamic-metadata",
    ] {
        let headers = [("authorization", &*stolen), (name, &*mine)];
        let answer = client.get_with("/", &headers).await.unwrap();
        answer.assert_denied(403, NOT_BOUND);
    }
}

/// A client with a token of its own beside the one that it stole.
async fn assert_second_tokens_are_refused(client: &Client, stolen: &str, own: &str) {
    for (first, second) in [(stolen, own), (own, stolen)] {
        let lines = [first, second].map(|bearer| format!("Authorization: {bearer}"));
        let answer = client
            .raw(&crate::harness::raw::get_bytes("/", lines))
            .await
            .unwrap();
        assert!(matches!(answer.status, 401 | 403), "{}", answer.status);
    }
    // Envoy's filter reads `Authorization` alone, as `bound-tokens.yaml` has it.
    let query = own.strip_prefix("Bearer ").unwrap();
    let path = format!("/?access_token={query}");
    let headers = [("authorization", stolen)];
    let answer = client.get_with(&path, &headers).await.unwrap();
    answer.assert_denied(403, NOT_BOUND);
    let both = format!("{stolen}, {own}");
    let answer = client
        .get_with("/", &[("authorization", &*both)])
        .await
        .unwrap();
    assert!(matches!(answer.status, 401 | 403), "{}", answer.status);
}
