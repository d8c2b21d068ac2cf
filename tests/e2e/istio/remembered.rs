//! A connection that speaks for many: what the filter remembers of one request decides no other.

use futures_util::future::join_all;
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

use super::forwarded::element;
use super::mesh::{AGENT, AGENT_USER, Mesh};
use super::proxy::{configured, the_filter};
use super::release::{OLDEST_AND_NEWEST, Release};
use super::tunnel;
use crate::harness::answer::Answer;
use crate::harness::client::{Body, Client, empty, get, in_time, whole};
use crate::harness::forged::assert_only_user;
use crate::harness::leaf::{Leaf, common_name};
use crate::harness::raw::get_bytes;
use crate::harness::{PATIENCE, eventually};

const ALICE: &str = "alice@example.com";
const ADMIN: &str = "admin@example.com";
const XFCC: &str = "X-Forwarded-Client-Cert";
/// Behind it the filter reads the header anew with every request.
const LONG: usize = 8 * 1024;

#[track_caller]
fn assert_is(answer: &Answer, expected: Result<&str, &str>, what: &str) {
    match expected {
        Ok(user) => {
            assert_eq!(answer.status, 200, "{what}: {answer:?}");
            assert_only_user(&answer.gateway(), user);
        }
        Err(reason) => assert_eq!(answer.denial(), (403, reason.to_owned()), "{what}"),
    }
}

/// Lines of the header, and who that is or why it is nobody; each beside one that it must not be taken for.
fn requests(alice: &str, admin: &str) -> Vec<(Vec<String>, Result<&'static str, &'static str>)> {
    let line = |value: &str| format!("{XFCC}: {value}");
    let long = format!(";Chain=\"{}\"", "x".repeat(LONG));
    vec![
        (vec![line(admin)], Ok(ADMIN)),
        (vec![], Err("no_certificate")),
        (vec![line(admin)], Ok(ADMIN)),
        (vec![line("")], Err("no_certificate")),
        (vec![line(alice)], Ok(ALICE)),
        (
            vec![line(&admin.to_lowercase())],
            Err("forwarded_ambiguous"),
        ),
        (vec![line(admin)], Ok(ADMIN)),
        (vec![line(&format!("{alice}{long}"))], Ok(ALICE)),
        (vec![line(&format!("{admin}{long}"))], Ok(ADMIN)),
        (vec![], Err("no_certificate")),
        (vec![line(alice), line(admin)], Err("forwarded_ambiguous")),
        (vec![line(alice)], Ok(ALICE)),
        (
            vec![line(&format!("{alice},{admin}"))],
            Err("forwarded_ambiguous"),
        ),
        (
            vec![line("Subject=\"CN=admin@example.com\"")],
            Err("no_certificate"),
        ),
        (vec![line(alice)], Ok(ALICE)),
    ]
}

#[tokio::test]
async fn each_request_of_a_connection_is_whom_it_speaks_for_itself_also_in_a_pipeline() {
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("sidecar", release).await;
        let sidecar = mesh.sidecar().await;
        let [alice, admin] = [ALICE, ADMIN].map(|name| element(&mesh.users.client(name)));
        let ingress = mesh.caller(&sidecar, &mesh.ingress_id());
        let requests = requests(&alice, &admin);
        let mut connection = ingress.connect_raw().await.unwrap();
        for (number, (lines, expected)) in requests.iter().enumerate() {
            let answer = connection.exchange(&get_bytes("/", lines)).await.unwrap();
            assert_is(&answer, *expected, &format!("{release:?} request {number}"));
        }
        // All at once, and then the answers in their order.
        let mut pipeline: Vec<_> = requests.iter().collect();
        pipeline.retain(|(_, expected)| expected.is_ok());
        let mut bytes: Vec<u8> = pipeline
            .iter()
            .flat_map(|(lines, _)| get_bytes("/", lines))
            .collect();
        let mut connection = ingress.connect_raw().await.unwrap();
        for (number, (_, expected)) in pipeline.into_iter().enumerate() {
            let answer = connection.exchange(&std::mem::take(&mut bytes)).await;
            assert_is(
                &answer.unwrap(),
                *expected,
                &format!("{release:?} in the pipeline {number}"),
            );
        }
    }
}

/// Streams of one HTTP/2 connection, open at the same time.
async fn streams(client: &Client, requests: Vec<Request<Body>>) -> Vec<Answer> {
    let stream = client.clone().http2().handshake().await.unwrap();
    let builder = http2::Builder::new(TokioExecutor::new());
    let (sender, connection) = in_time(builder.handshake(TokioIo::new(stream)))
        .await
        .unwrap();
    tokio::spawn(connection);
    let answers = requests.into_iter().map(|request| {
        let mut sender = sender.clone();
        async move {
            let response = in_time(sender.send_request(request)).await.unwrap();
            whole(response).await.unwrap()
        }
    });
    join_all(answers).await
}

#[tokio::test]
async fn streams_of_one_connection_are_each_whom_they_speak_for() {
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("sidecar", release).await;
        let sidecar = mesh.sidecar().await;
        let [alice, admin] = [ALICE, ADMIN].map(|name| element(&mesh.users.client(name)));
        let ingress = mesh.caller(&sidecar, &mesh.ingress_id());
        let cases = [
            (Some(&alice), Ok(ALICE)),
            (Some(&admin), Ok(ADMIN)),
            (None, Err("no_certificate")),
        ];
        let cases: Vec<_> = cases.into_iter().cycle().take(60).collect();
        let requests = cases.iter().map(|(forwarded, _)| {
            let request = Request::get("https://localhost/");
            let request = match forwarded {
                Some(element) => request.header(XFCC, element.as_str()),
                None => request,
            };
            request.body(empty()).unwrap()
        });
        let answers = streams(&ingress, requests.collect()).await;
        for (number, (answer, (_, expected))) in answers.iter().zip(&cases).enumerate() {
            assert_is(answer, *expected, &format!("{release:?} stream {number}"));
        }
    }
}

#[tokio::test]
async fn who_may_not_speak_for_others_may_not_from_one_request_to_the_next() {
    let mesh = Mesh::of("sidecar", Release::newest()).await;
    let sidecar = mesh.sidecar().await;
    let admin = format!("{XFCC}: {}", element(&mesh.users.client(ADMIN)));
    let mut connection = mesh.caller(&sidecar, AGENT).connect_raw().await.unwrap();
    for lines in [
        vec![],
        vec![admin.clone()],
        vec![],
        vec![admin.clone(), admin],
    ] {
        let answer = connection.exchange(&get_bytes("/", &lines)).await.unwrap();
        assert_only_user(&answer.gateway(), AGENT_USER);
    }
}

#[tokio::test]
async fn a_client_who_is_spoken_for_expires_while_the_connection_of_the_ingress_stays_open() {
    let mesh = Mesh::of("sidecar", Release::newest()).await;
    let sidecar = mesh.sidecar().await;
    let not_after = SystemTime::now() + Duration::from_secs(3);
    let leaf = Leaf::of([common_name(ALICE)]).not_after(not_after);
    let line = format!("{XFCC}: {}", element(&mesh.users.issue(&leaf)));
    let request = get_bytes("/", [line]);
    let ingress = mesh.caller(&sidecar, &mesh.ingress_id());
    let mut connection = ingress.connect_raw().await.unwrap();
    let answer = connection.exchange(&request).await.unwrap();
    assert_only_user(&answer.gateway(), ALICE);
    let denied = eventually("the client expires", PATIENCE, async || {
        let answer = connection.exchange(&request).await.unwrap();
        (answer.status != 200).then_some(answer)
    });
    denied.await.assert_denied(403, "certificate_expired");
}

/// A change of the configuration, and what it makes of a request that says the admin's certificate as before.
type Change = (
    Box<dyn FnOnce(&mut Value)>,
    Result<&'static str, &'static str>,
);

fn change(edit: impl FnOnce(&mut Value) + 'static) -> Box<dyn FnOnce(&mut Value)> {
    Box::new(edit)
}

#[tokio::test]
async fn an_open_connection_of_the_ingress_follows_every_change_of_the_filter() {
    let mesh = Mesh::of("sidecar", Release::newest()).await;
    let sidecar = mesh.sidecar_with(the_filter(), |_| {}).await;
    let admin = mesh.users.client(ADMIN);
    let fingerprint = admin.sha256();
    let pins = |pin: String| change(move |it| it["pins"] = json!({ADMIN: [pin]}));
    let changes: Vec<Change> = vec![
        (
            pins(format!("sha256:{}", "0".repeat(64))),
            Err("pin_mismatch"),
        ),
        (pins(format!("sha256:{fingerprint}")), Ok(ADMIN)),
        (
            change(move |it| it["revoked"] = json!([{"sha256": fingerprint}])),
            Err("revoked"),
        ),
        (change(|_| {}), Ok(ADMIN)),
        // The ingress speaks for nobody any more, and is a workload of which nothing makes a user.
        (
            change(|it| {
                it["certificate"]["forwarded_by"] = json!([]);
                it["identity"] = json!({});
            }),
            Err("no_identity"),
        ),
        (change(|_| {}), Ok(ADMIN)),
        (
            change(|it| it["identity"]["sources"] = json!(["email"])),
            Err("no_identity"),
        ),
    ];
    let line = format!("{XFCC}: {}", element(&admin));
    let request = get_bytes("/", [line]);
    let ingress = mesh.caller(&sidecar, &mesh.ingress_id());
    let mut connection = ingress.connect_raw().await.unwrap();
    let first = connection.exchange(&request).await.unwrap();
    assert_is(&first, Ok(ADMIN), "as shipped");
    let mut status = first.status;
    for (number, (edit, expected)) in changes.into_iter().enumerate() {
        sidecar.discover(&configured(edit)(&sidecar.istiod));
        let expected_status = if expected.is_ok() { 200 } else { 403 };
        let what = format!("change {number} serves");
        let changed = eventually(&what, PATIENCE, async || {
            let (taken, _) = sidecar.discoveries().await;
            let answer = connection.exchange(&request).await.unwrap();
            let serves = status == expected_status || answer.status == expected_status;
            (taken > u64::try_from(number).unwrap() && serves).then_some(answer)
        });
        assert_is(&changed.await, expected, &what);
        status = expected_status;
    }
}

/// A principal is no certificate: it belongs to its request.
#[tokio::test]
async fn agents_at_one_waypoint_are_each_themselves_in_any_order() {
    const OTHER: &str = "spiffe://cluster.local/ns/agents/sa/planner";
    for release in OLDEST_AND_NEWEST {
        let mesh = Mesh::of("waypoint", release).await;
        let waypoint = mesh.waypoint().await;
        let agents = [AGENT, OTHER].map(|id| mesh.caller(&waypoint, id));
        for _ in 0..3 {
            let both = agents.iter().cycle().take(8);
            let sent = both.map(|agent| tunnel::send(agent, get("/", &[])));
            let users = [AGENT_USER, "planner@agents.agents.example.com"];
            for (answer, user) in join_all(sent).await.into_iter().zip(users.iter().cycle()) {
                assert_only_user(&answer.unwrap().gateway(), user);
            }
        }
    }
}
