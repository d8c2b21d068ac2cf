//! More of the gateway: its pages for the administrator, and whom it calls.

use serde_json::json;

use crate::gateway::ContextForge;
use crate::harness::gateway::USER;
use crate::harness::{Fixture, Site};
use crate::world::{ADMIN, ALICE, World, in_front_of, script};

/// The administrator was never to log in with a password, so there is none to change.
const UI: [&str; 3] = [
    "MCPGATEWAY_UI_ENABLED=true",
    "MCPGATEWAY_ADMIN_API_ENABLED=true",
    "PASSWORD_CHANGE_ENFORCEMENT_ENABLED=false",
];
const MALLORY: &str = "mallory@example.com";

#[tokio::test]
async fn the_pages_of_the_administrator_open_for_their_certificate_and_for_no_other() {
    let world = World::start(Fixture::new(), &UI).await;
    let cookie = session(&world.site).await;
    for path in ["/admin/users", "/admin/export/configuration"] {
        let refused = world.site.client(ALICE).get(path).await.unwrap();
        assert_eq!(refused.status, 403, "{path}: {refused:?}");
        let mallory = world.site.client(MALLORY);
        let refused = mallory.get_with(path, &[(USER, ADMIN)]).await.unwrap();
        assert_eq!(refused.status, 401, "{path}: {refused:?}");
        // Nor does the administrator's session, stolen, make up for the certificate.
        let stolen = mallory.get_with(path, &[("cookie", &cookie)]).await;
        assert_eq!(stolen.unwrap().status, 403, "{path}");
    }
}

/// The cookie that the gateway gives to whom it shows its pages.
async fn session(site: &Site) -> String {
    let page = site.client(ADMIN).get("/admin/").await.unwrap();
    assert_eq!(page.status, 200);
    let mut cookies = page.header("set-cookie").into_iter();
    let cookie = cookies.find(|cookie| cookie.starts_with("jwt_token="));
    cookie.unwrap().split(';').next().unwrap().to_owned()
}

#[tokio::test]
async fn the_gateway_calls_nobody_on_the_loopback_that_it_shares_with_envoy() {
    let gateway = ContextForge::start(&[]).await;
    let site = in_front_of(gateway.address(), Fixture::new()).await;
    let admin = site.client(ADMIN);
    for host in ["127.0.0.1", "localhost", "0.0.0.0", "2130706433", "127.1"] {
        let url = format!("http://{host}:9901/mcp");
        let server = json!({"name": host, "url": url, "transport": "STREAMABLEHTTP"});
        let refused = admin.send(script("/v1/gateways", &server)).await.unwrap();
        assert_eq!(refused.status, 422, "{host}: {refused:?}");
    }
}

/// What somebody is told who registers a server with a user header of its own.
async fn registered(site: &Site, url: &str) -> u16 {
    let server = json!({
        "name": "itself",
        "url": url,
        "transport": "STREAMABLEHTTP",
        "auth_type": "authheaders",
        "auth_headers": [{"key": "X-SSL-Client-S-DN-CN", "value": ADMIN}],
    });
    let admin = site.client(ADMIN);
    let answer = admin.send(script("/v1/gateways", &server)).await;
    answer.unwrap().status
}

/// The addresses of its MCP servers are allowed, and its own is among them.
#[tokio::test]
async fn the_gateway_does_not_call_itself_where_its_own_address_is_blocked() {
    let allowed = r#"SSRF_ALLOWED_NETWORKS=["127.0.0.0/8"]"#;
    let blocked = r#"SSRF_BLOCKED_NETWORKS=["127.0.0.1/32"]"#;
    let localhost = "SSRF_ALLOW_LOCALHOST=true";
    for (settings, is_refused) in [
        (&[allowed, localhost, blocked][..], true),
        (&[allowed, localhost], false),
        (&[allowed], true),
    ] {
        let gateway = ContextForge::start(settings).await;
        let site = in_front_of(gateway.address(), Fixture::new()).await;
        let url = format!("http://127.0.0.1:{}/mcp", gateway.address().port());
        let status = registered(&site, &url).await;
        // Without the block it calls itself, as whoever the header says.
        assert_eq!(status == 422, is_refused, "{settings:?}: {status}");
    }
}
