//! What is odd or large is served or refused, and the only worker serves the next request.

use serde_json::json;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::forged::{FORGED, assert_only_user, filter_alone};
use crate::harness::raw::{get_bytes, upgrade_bytes};
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";

/// So that the filter sees what the shipped listener would refuse.
fn generous(envoy: &mut Bootstrap) {
    filter_alone(envoy);
    envoy.hcm()["max_request_headers_kb"] = json!(256);
    envoy.hcm()["common_http_protocol_options"]["max_headers_count"] = json!(2000);
}

/// As shipped, and with limits so wide that everything gets to the filter.
async fn sites() -> [Site; 2] {
    [
        Fixture::new().start().await,
        Fixture::new().edit(generous).start().await,
    ]
}

/// Sends this on a connection of its own, then a plain request on another.
async fn survives(site: &Site, request: &[u8]) {
    let client = site.client(ALICE);
    if let Ok(answer) = client.raw(request).await {
        assert!(matches!(answer.status, 101 | 200 | 400 | 431), "{answer:?}");
    }
    for received in site.gateway.received() {
        assert_only_user(&received, ALICE);
    }
    let next = client.get("/next").await.unwrap();
    assert_only_user(&next.gateway(), ALICE);
}

#[tokio::test]
async fn header_bytes_above_0x7f_do_no_harm() {
    let lines: [&[u8]; 7] = [
        b"x-note: caf\xe9",
        b"x-note: \x80\xff\xfe",
        b"x-ssl-client-s-dn-cn: \xff",
        b"X-Authenticated-User: \xc3\x28",
        b"x-ssl-client-\xff: forged-admin@example.com",
        b"x-forwarded-client-cert: Cert=\"\xff\"",
        b"cookie: \xf0\x9f\x92\xa9",
    ];
    for site in sites().await {
        for line in lines {
            survives(&site, &get_bytes("/", [line])).await;
        }
        survives(&site, &get_bytes("/", lines)).await;
        survives(&site, b"GET /caf\xe9 HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        survives(&site, b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n").await;
        survives(&site, b"G\xc9T / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        survives(
            &site,
            &upgrade_bytes("/ws", ["Connection: upgrade, \u{e9}"]),
        )
        .await;
    }
}

#[tokio::test]
async fn a_header_byte_above_0x7f_reaches_the_gateway_as_it_is() {
    let site = Fixture::new().start().await;
    let request = get_bytes("/", [b"x-note: caf\xe9"]);
    let answer = site.client(ALICE).raw(&request).await.unwrap();
    assert_eq!(answer.gateway().values("x-note"), ["caf\\xe9"]);
}

#[tokio::test]
async fn a_header_block_of_60_kib_does_no_harm() {
    let value = |length: usize| "x".repeat(length);
    let one = format!("x-large: {}", value(59 * 1024));
    let owned = format!("x-ssl-client-s-dn-cn: {FORGED}{}", value(59 * 1024));
    let forwarded = format!("x-forwarded-client-cert: {}", value(59 * 1024));
    let many: Vec<_> = (0..60)
        .map(|number| format!("x-{number}: {}", value(1000)))
        .collect();
    for site in sites().await {
        for line in [&one, &owned, &forwarded] {
            survives(&site, &get_bytes("/", [line])).await;
        }
        survives(&site, &get_bytes("/", &many)).await;
    }
}

#[tokio::test]
async fn a_hundred_headers_do_no_harm() {
    let other: Vec<_> = (0..100).map(|number| format!("x-{number}: y")).collect();
    let owned: Vec<_> = (0..100)
        .map(|number| format!("x-ssl-client-{number}: {FORGED}"))
        .collect();
    let repeated = vec![format!("x-ssl-client-s-dn-cn: {FORGED}"); 100];
    for site in sites().await {
        for lines in [&other, &owned, &repeated] {
            survives(&site, &get_bytes("/", lines)).await;
        }
    }
}

#[tokio::test]
async fn the_filter_itself_copes_with_thousand_headers_of_its_own() {
    let site = Fixture::new().edit(generous).start().await;
    let lines: Vec<_> = (0..1000)
        .map(|number| format!("X_SSL_Client_{number}: {FORGED}"))
        .collect();
    let answer = site
        .client(ALICE)
        .raw(&get_bytes("/", &lines))
        .await
        .unwrap();
    assert_only_user(&answer.gateway(), ALICE);
}
