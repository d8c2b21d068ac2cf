//! From JWT to certificates: each phase of `envoy/migration` on a real Envoy.

use std::process::Command;

use hyper::Request;
use serde_json::json;

use crate::harness::answer::Answer;
use crate::harness::artifacts::{output, repository};
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::client::{Client, empty};
use crate::harness::forged::{assert_nobody, assert_only_user, lines};
use crate::harness::gateway::{Gateway, Received};
use crate::harness::leaf::{Leaf, common_name as cn};
use crate::harness::raw::{get_bytes, upgrade_bytes};
use crate::harness::{Fixture, PATIENCE, Site, Update, eventually};

mod bound;
mod files;

const ALICE: &str = "alice@example.com";
const ADMIN: &str = "admin@example.com";
/// The administrator's, of a gateway that signs with HS256; who carries it is another matter.
const JWT: &str = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZG1pbkBleGFtcGxlLmNvbSJ9.c2lnbmVk";
const AUTHORIZATION: &str = "authorization";
/// Fewer than the 100 headers that the listener admits.
const TOGETHER: usize = 80;

fn rendered(phase: u8) -> String {
    let script = repository().join("envoy/migration/render.py");
    output(Command::new(script).arg(phase.to_string()))
}

fn phase(phase: u8) -> Fixture {
    Fixture::new().yaml(rendered(phase))
}

async fn with_jwt(client: &Client, path: &str) -> Answer {
    client
        .get_with(path, &[(AUTHORIZATION, JWT)])
        .await
        .unwrap()
}

/// The gateway sees the JWT as it was sent, and no user that anybody vouched for.
#[track_caller]
fn assert_jwt_alone(received: &Received) {
    assert_nobody(received);
    assert_eq!(received.values(AUTHORIZATION), [JWT]);
}

/// The gateway sees the user of the certificate, and no JWT that says something else; at most that there was one.
#[track_caller]
fn assert_certificate_alone(received: &Received, user: &str) {
    assert_only_user(received, user);
    let tokens = received.values(AUTHORIZATION);
    assert!(tokens.is_empty() || tokens == ["Bearer none"], "{tokens:?}");
}

/// Who writes the filter's headers beside a JWT is as anonymous as before.
async fn assert_forged_headers_make_nobody_anybody(site: &Site) {
    let client = site.client_without_certificate();
    let lines: Vec<_> = lines()
        .into_iter()
        .filter(|line| !line.contains('_') && is_owned_as_shipped(line))
        .chain(["X-SSL-Client-Verify: SUCCESS".to_owned()])
        .collect();
    for lines in lines.chunks(TOGETHER) {
        let jwt = format!("Authorization: {JWT}");
        let lines = lines.iter().cloned().chain([jwt]);
        let answer = client.raw(&get_bytes("/mcp", lines)).await.unwrap();
        assert_jwt_alone(&answer.gateway());
    }
}

/// The other names are owned where a configuration says so.
fn is_owned_as_shipped(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    !["x-organization", "x-tenant", "x-role"]
        .iter()
        .any(|name| line.starts_with(name))
}

#[tokio::test]
async fn in_phase_1_a_jwt_passes_and_no_certificate_is_asked_for() {
    let site = phase(1).start().await;
    let anybody = [
        site.client_without_certificate(),
        site.client(ALICE),
        // Had it been asked for this one, it would have been refused.
        site.client_with(&Authority::new().client(ADMIN)),
    ];
    for client in anybody {
        for client in [client.clone(), client.http2()] {
            assert_jwt_alone(&with_jwt(&client, "/mcp").await.gateway());
        }
    }
    assert_forged_headers_make_nobody_anybody(&site).await;
}

#[tokio::test]
async fn in_phases_2_and_3_a_certificate_is_its_user_and_else_a_jwt_passes_untouched() {
    for number in [2, 3] {
        let site = phase(number).start().await;
        let (alice, nobody) = (site.client(ALICE), site.client_without_certificate());
        for (alice, nobody) in [
            (alice.clone(), nobody.clone()),
            (alice.http2(), nobody.http2()),
        ] {
            let answer = alice.get("/mcp").await.unwrap();
            assert_certificate_alone(&answer.gateway(), ALICE);
            assert_jwt_alone(&with_jwt(&nobody, "/mcp").await.gateway());
            let neither = nobody.get("/mcp").await.unwrap().gateway();
            assert_nobody(&neither);
            assert_eq!(neither.values(AUTHORIZATION), [] as [&str; 0]);
        }
        assert_forged_headers_make_nobody_anybody(&site).await;
    }
}

/// Each kind of request, with the administrator's JWT.
async fn every_way_with_jwt(client: &Client) {
    for path in ["/mcp", "/servers/1/sse?events=1", "/", "/admin?x=y"] {
        for client in [client.clone(), client.clone().http2()] {
            assert_eq!(with_jwt(&client, path).await.status, 200);
        }
    }
    for client in [client.clone(), client.clone().http2()] {
        let socket = client.websocket("/ws", &[(AUTHORIZATION, JWT)]).await;
        assert!(socket.is_ok());
    }
    let jwt = format!("aUTHORIZATION: {JWT}");
    let twice = [&*jwt, &*jwt];
    let answer = client.raw(&get_bytes("/mcp", twice)).await.unwrap();
    assert_eq!(answer.status, 200);
    let upgrade = ["Connection: Upgrade, Authorization", &*jwt];
    client.raw(&upgrade_bytes("/ws", upgrade)).await.unwrap();
    let request = Request::post("/mcp").header(AUTHORIZATION, JWT);
    let answer = client.send(request.body(empty()).unwrap()).await.unwrap();
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn whoever_has_a_certificate_is_its_user_also_with_somebody_elses_jwt() {
    for number in [2, 3] {
        let site = phase(number).start().await;
        every_way_with_jwt(&site.client(ALICE)).await;
        let received = site.gateway.received();
        assert!(received.len() >= 12, "{}", received.len());
        for received in &received {
            assert_certificate_alone(received, ALICE);
        }
    }
}

#[tokio::test]
async fn in_phases_2_and_3_a_bad_certificate_is_refused_and_not_taken_for_none() {
    for number in [2, 3] {
        let site = phase(number).start().await;
        let stranger = site.client_with(&Authority::new().client(ALICE));
        assert!(stranger.get("/mcp").await.is_err());
        let two = Leaf::of([cn(ALICE), cn(ADMIN)]);
        let two = site.client_with(&site.authority.issue(&two));
        with_jwt(&two, "/mcp")
            .await
            .assert_denied(403, "ambiguous_identity");
        // A certificate that names nobody is one that says nothing: the JWT decides.
        let nameless = site.client_with(&site.authority.issue(&Leaf::of([])));
        assert_jwt_alone(&with_jwt(&nameless, "/mcp").await.gateway());
    }
}

/// The administrator is pinned to the first of these; the second is of another key.
fn pinned(fixture: Fixture) -> (Fixture, [Credentials; 2]) {
    let admins = [ADMIN, ADMIN].map(|name| fixture.authority().client(name));
    let pins = json!({"pins": {ADMIN: [admins[0].spki_pin()]}});
    (fixture.plugin(pins), admins)
}

/// Requests that phase 3 lets pass and phase 4 does not, with the reason.
fn refused_later(site: &Site, admin: &Credentials) -> [(Client, &'static str, &'static str); 3] {
    [
        (site.client_with(admin), "/mcp", "pin_mismatch"),
        (site.client("bob@other.org"), "/mcp", "not_authorized"),
        (site.client(ALICE), "/admin/users", "not_authorized"),
    ]
}

fn welcome_later(site: &Site, admin: &Credentials) -> [(Client, &'static str); 2] {
    [
        (site.client_with(admin), "/admin/users"),
        (site.client(ALICE), "/mcp"),
    ]
}

#[tokio::test]
async fn phase_3_shows_whom_phase_4_would_refuse_and_refuses_nobody() {
    let (fixture, [admin, impostor]) = pinned(phase(3));
    let site = fixture.start().await;
    for (client, path) in welcome_later(&site, &admin) {
        assert_eq!(client.get(path).await.unwrap().status, 200);
    }
    for (client, path, _) in refused_later(&site, &impostor) {
        assert_eq!(client.get(path).await.unwrap().status, 200);
    }
    let nobody = site.client_without_certificate();
    let agent = [(AUTHORIZATION, JWT), ("user-agent", "old \"client\"\t1")];
    for _ in 0..2 {
        nobody.get_with("/mcp", &agent).await.unwrap();
    }
    let counted = [
        "anonymous",
        "observe.not_authorized",
        "observe.pin_mismatch",
    ];
    eventually("all is counted", PATIENCE, async || {
        let mut counts = Vec::new();
        for counter in counted {
            counts.push(site.envoy.counter(counter).await);
        }
        (counts == [2, 4, 1]).then_some(())
    })
    .await;
    assert_stragglers(&site).await;
}

/// What `stragglers.py` makes of Envoy's access log.
async fn assert_stragglers(site: &Site) {
    site.access_log(7).await;
    let script = repository().join("envoy/migration/stragglers.py");
    let printed = output(Command::new(script).arg(site.envoy.access_log_path()));
    let lines: Vec<_> = printed.lines().collect();
    assert_eq!(
        lines,
        [
            "2\tanonymous,not_authorized\t-\t127.0.0.1\t\"old \\\"client\\\"\\t1\"",
            "1\tpin_mismatch\tadmin@example.com\t127.0.0.1\t\"-\"",
            "1\tnot_authorized\tbob@other.org\t127.0.0.1\t\"-\"",
            "1\tnot_authorized\talice@example.com\t127.0.0.1\t\"-\"",
        ]
    );
}

#[tokio::test]
async fn in_phase_4_nobody_gets_in_without_a_certificate_and_no_jwt_arrives() {
    let (fixture, [admin, impostor]) = pinned(phase(4));
    let site = fixture.start().await;
    let nobody = site.client_without_certificate();
    for client in [nobody.clone(), nobody.http2()] {
        let outcome = client.get_with("/mcp", &[(AUTHORIZATION, JWT)]).await;
        assert!(outcome.is_err());
    }
    for (client, path) in welcome_later(&site, &admin) {
        assert_eq!(with_jwt(&client, path).await.status, 200);
    }
    for (client, path, reason) in refused_later(&site, &impostor) {
        with_jwt(&client, path).await.assert_denied(403, reason);
    }
    let users = site.gateway.received();
    for (received, user) in users.iter().zip([ADMIN, ALICE]) {
        assert_certificate_alone(received, user);
    }
    assert_eq!(users.len(), 2);
}

#[tokio::test]
async fn in_phase_4_the_limit_holds_that_phase_3_observes() {
    for (number, last) in [(3, 200), (4, 429)] {
        let site = phase(number).start().await;
        let mut connection = site.client(ALICE).http2().connect().await.unwrap();
        let mut statuses = Vec::new();
        // 21 at once, and more than come back meanwhile.
        for _ in 0..60 {
            statuses.push(connection.get("/mcp").await.unwrap().status);
        }
        assert_eq!(statuses[..21], [200; 21]);
        assert!(statuses.contains(&last), "{statuses:?}");
    }
}

#[tokio::test]
async fn with_a_gateway_for_jwts_each_gateway_sees_one_kind_of_user() {
    for number in ["2", "3"] {
        let for_jwts = Gateway::start().await.unwrap();
        let mut render = Command::new(repository().join("envoy/migration/render.py"));
        render.args([number, "--jwt-gateway", &for_jwts.address().to_string()]);
        let site = Fixture::new().yaml(output(&mut render)).start().await;
        every_way_with_jwt(&site.client(ALICE)).await;
        let nobody = site.client_without_certificate();
        every_way_with_jwt(&nobody).await;
        let mark = [(AUTHORIZATION, JWT), ("x-ssl-client-verify", "SUCCESS")];
        nobody.get_with("/mcp", &mark).await.unwrap();
        let (users, jwts) = (site.gateway.received(), for_jwts.received());
        assert_eq!(users.len() + 1, jwts.len());
        for received in &users {
            assert_certificate_alone(received, ALICE);
        }
        for received in &jwts {
            assert_nobody(received);
        }
    }
}

/// What a phase's configuration has of its own.
fn become_phase(number: u8) -> impl FnOnce(&mut Bootstrap) {
    let mut phase = Bootstrap::of(&rendered(number), repository());
    move |envoy| {
        let insists = phase.downstream_tls()["require_client_certificate"].clone();
        envoy.downstream_tls()["require_client_certificate"] = insists;
        envoy.plugin()["configuration"] = phase.plugin()["configuration"].clone();
        envoy.hcm()["route_config"] = phase.hcm()["route_config"].clone();
    }
}

#[tokio::test]
async fn phases_follow_each_other_forth_and_back_while_envoy_serves() {
    let mut site = phase(2).start_watched().await;
    let alice = site.client(ALICE);
    let nobody = site.client_without_certificate();
    for number in [3, 4, 3, 2] {
        assert_eq!(site.update(become_phase(number)).await, Update::Accepted);
        // The new listener takes over a moment after it is accepted.
        eventually("the phase holds", PATIENCE, async || {
            let anonymous = nobody.get_with("/mcp", &[(AUTHORIZATION, JWT)]).await;
            (anonymous.is_err() == (number == 4)).then_some(())
        })
        .await;
        let received = with_jwt(&alice, "/mcp").await.gateway();
        assert_certificate_alone(&received, ALICE);
    }
}

#[tokio::test]
async fn without_the_filter_no_phase_lets_anybody_through() {
    for number in 1..=4 {
        let fixture = phase(number).without_filter();
        let site = fixture.edit(Bootstrap::certificate_optional).start().await;
        for client in [site.client_without_certificate(), site.client(ALICE)] {
            let mark = [("x-ssl-client-verify", "SUCCESS"), (AUTHORIZATION, JWT)];
            assert_eq!(client.get_with("/mcp", &mark).await.unwrap().status, 403);
        }
        assert_eq!(site.gateway.received(), []);
    }
}
