//! Pins, revocation and authorization on a real Envoy, and a large configuration of them.

use hyper::{Method, Request};
use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::harness::certs::Credentials;
use crate::harness::client::empty;
use crate::harness::forged::assert_only_user;
use crate::harness::leaf::{Leaf, common_name as cn, organization};
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";
const ADMIN: &str = "admin@example.com";

fn same_key(credentials: &Credentials) -> KeyPair {
    KeyPair::from_pem(&credentials.key_pem()).unwrap()
}

/// The status, and the reason where the filter gives one.
async fn outcome(site: &Site, credentials: &Credentials, path: &str) -> String {
    let answer = site.client_with(credentials).get(path).await.unwrap();
    match answer.status {
        200 => answer.gateway().user().concat(),
        _ => answer.denial().1,
    }
}

#[tokio::test]
async fn a_renewed_certificate_passes_its_keys_pin_and_another_key_does_not() {
    let fixture = Fixture::new();
    let authority = fixture.authority();
    let leaf = Leaf::of([cn("Admin@Example.com")]);
    let first = authority.issue(&leaf);
    let renewed = authority.issue_for(same_key(&first), &leaf.clone().serial(&[7]));
    let other_key = authority.issue(&leaf);
    let root = authority.client("root@example.com");
    let by_certificate = authority.client("carol@example.com");
    let carol = Leaf::of([cn("carol@example.com")]).serial(&[9]);
    let carol = authority.issue_for(same_key(&by_certificate), &carol);
    let upper = by_certificate.sha256().to_ascii_uppercase();
    let site = fixture
        .plugin(json!({
            "pins": {
                "ADMIN@example.com": [first.spki_pin()],
                "carol@EXAMPLE.com": [format!("sha256:{upper}")],
            },
            "pin_required": ["admin@example.com", "Root@example.com"],
        }))
        .start()
        .await;
    for (credentials, expected) in [
        (&first, ADMIN),
        (&renewed, ADMIN),
        (&other_key, "pin_mismatch"),
        (&root, "pin_required"),
        (&by_certificate, "carol@example.com"),
        (&carol, "pin_mismatch"),
        (&site.authority.client(ALICE), ALICE),
    ] {
        assert_eq!(outcome(&site, credentials, "/").await, expected);
    }
    for received in site.gateway.received() {
        assert!(!received.user().contains(&"root@example.com"));
    }
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_by_fingerprint_or_serial_number() {
    let fixture = Fixture::new();
    let authority = fixture.authority();
    let lost = authority.client(ALICE);
    let leaf = Leaf::of([cn(ALICE)]).serial(&[0x0a, 0xbc, 0xde]);
    let stolen = authority.issue(&leaf);
    let good = authority.client(ALICE);
    let site = fixture
        .plugin(json!({"revoked": [
            {"sha256": lost.sha256()},
            {"issuer": "cn=test ca", "serial": "0A:BC:DE"},
        ]}))
        .start()
        .await;
    for (credentials, expected) in [(&lost, "revoked"), (&stolen, "revoked"), (&good, ALICE)] {
        assert_eq!(outcome(&site, credentials, "/").await, expected);
    }
}

/// Rules as a gateway would have them.
fn rules() -> Value {
    json!({"rules": [
        {"name": "no-eve", "action": "deny", "identities": ["eve@example.com"]},
        {"name": "tools", "action": "allow", "identities": ["*@example.com"], "methods": ["POST"],
            "paths": ["/mcp"], "headers": {"Mcp-Method": ["tools/*", "ping"]}},
        {"name": "read", "action": "allow", "identities": ["*@example.com"], "methods": ["get"],
            "paths": ["/servers/*"]},
        {"name": "partners", "action": "allow", "organizations": ["acme"], "paths": ["/partners"]},
    ]})
}

/// A request of the client of this name and organization.
struct Ask(
    &'static str,
    &'static str,
    Method,
    &'static str,
    Option<&'static str>,
);

#[tokio::test]
async fn rules_decide_by_user_organization_method_path_and_header() {
    let site = Fixture::new()
        .plugin(json!({"authorization": rules()}))
        .start()
        .await;
    let (get, post) = (Method::GET, Method::POST);
    let eve = "eve@evil-example.com";
    for (Ask(name, company, method, path, mcp_method), rule) in [
        (
            Ask(ALICE, "x", post.clone(), "/mcp", Some("tools/call")),
            Some("tools"),
        ),
        (
            Ask(ALICE, "x", post.clone(), "/mcp?a=b", Some("ping")),
            Some("tools"),
        ),
        (
            Ask(ALICE, "x", post.clone(), "/mcp", Some("resources/read")),
            None,
        ),
        (Ask(ALICE, "x", post.clone(), "/mcp", None), None),
        (Ask(ALICE, "x", post.clone(), "/mcp/", Some("ping")), None),
        (Ask(ALICE, "x", get.clone(), "/mcp", Some("ping")), None),
        (
            Ask(ALICE, "x", get.clone(), "/servers/1/tools", None),
            Some("read"),
        ),
        (
            Ask(ALICE, "x", get.clone(), "/servers/1;/tools", None),
            None,
        ),
        // Envoy has made `/admin` of it before the filter sees it.
        (
            Ask(ALICE, "x", get.clone(), "/servers/../admin", None),
            None,
        ),
        (Ask(eve, "x", get.clone(), "/servers/1", None), None),
        (
            Ask("eve@example.com", "acme", get.clone(), "/servers/1", None),
            Some("no-eve"),
        ),
        (
            Ask("bob@acme.com", "ACME", post.clone(), "/partners", None),
            Some("partners"),
        ),
        (
            Ask("bob@acme.com", "acme corp", post, "/partners", None),
            None,
        ),
    ] {
        let before = site.access_log(0).await.len();
        let leaf = Leaf::of([cn(name), organization(company)]);
        let client = site.client_with(&site.authority.issue(&leaf));
        let mut request = Request::builder().method(method).uri(path);
        if let Some(mcp_method) = mcp_method {
            request = request.header("mcp-method", mcp_method);
        }
        let answer = client.send(request.body(empty()).unwrap()).await.unwrap();
        let allowed = !matches!(rule, None | Some("no-eve"));
        match allowed {
            true => assert_only_user(&answer.gateway(), name),
            false => answer.assert_denied(403, "not_authorized"),
        }
        let logged = site.access_log(before + 1).await.pop().unwrap();
        assert_eq!(logged.record["rule"].as_str(), rule, "{}", logged.line);
    }
}

/// Two headers under which one name is two values, as a way around a rule.
#[tokio::test]
async fn a_repeated_header_is_no_way_around_a_rule() {
    let site = Fixture::new()
        .plugin(json!({"authorization": rules()}))
        .start()
        .await;
    let request = Request::post("/mcp")
        .header("mcp-method", "ping")
        .header("mcp-method", "resources/read");
    let client = site.client(ALICE);
    let answer = client.send(request.body(empty()).unwrap()).await.unwrap();
    answer.assert_denied(403, "not_authorized");
}

/// 10,000 users with a pin each, and 1,000 rules, of which the last is for Alice.
fn large(alice: &Credentials) -> Value {
    let pins = (0..10_000).map(|number| {
        let pin = format!("sha256:{:064x}", number);
        (format!("user-{number}@example.com"), json!([pin]))
    });
    let mut pins: serde_json::Map<_, _> = pins.collect();
    pins.insert(ALICE.to_owned(), json!([alice.spki_pin()]));
    let rules = (0..1000).map(|number| {
        json!({
            "name": format!("rule-{number}"),
            "action": "allow",
            "identities": [format!("*@team-{number}.example.com"), format!("user-{number}@example.com")],
            "methods": ["GET", "POST"],
            "paths": [format!("/servers/{number}/*")],
            "headers": {"mcp-method": ["tools/*"]},
        })
    });
    let last = json!({"name": "last", "action": "allow", "identities": [ALICE]});
    let rules: Vec<_> = rules.chain([last]).collect();
    json!({"pins": pins, "authorization": {"rules": rules}})
}

#[tokio::test]
async fn ten_thousand_pins_and_a_thousand_rules_load_and_serve() {
    let fixture = Fixture::new();
    let alice = fixture.authority().client(ALICE);
    let site = fixture.plugin(large(&alice)).concurrency(2).start().await;
    let answer = site.client_with(&alice).get("/").await.unwrap();
    assert_only_user(&answer.gateway(), ALICE);
    assert_eq!(
        outcome(&site, &site.authority.client(ALICE), "/").await,
        "pin_mismatch"
    );
    let bob = site.authority.client("user-7@example.com");
    assert_eq!(outcome(&site, &bob, "/").await, "pin_mismatch");
    let bob = site.authority.client("bob@example.com");
    assert_eq!(outcome(&site, &bob, "/").await, "not_authorized");
    let log = site.envoy.log();
    let bad = log
        .lines()
        .find(|line| line.contains("[error]") || line.contains("[critical]"));
    assert_eq!(bad, None);
}

#[tokio::test]
async fn envoys_validation_accepts_ten_thousand_pins_and_a_thousand_rules() {
    let fixture = Fixture::new();
    let alice = fixture.authority().client(ALICE);
    let verdict = fixture.plugin(large(&alice)).verdict().await;
    assert!(verdict.accepted, "{}", verdict.log);
}
