//! Messages that are held: by whatever protocol they come, however they end, whatever changes meanwhile.

use hyper::body::Bytes;
use serde_json::json;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::{
    ALICE, BOB, call, list, pieces, refused, request, rules, said, site, trap, whole, with_trailers,
};
use crate::harness::answer::Answer;
use crate::harness::body::{BodySender, streamed};
use crate::harness::bootstrap::Bootstrap;
use crate::harness::client::{Client, Connection, Refused, in_time};
use crate::harness::{Fixture, PATIENCE, Site, Update, artifacts, eventually};

/// A request whose body has begun, and which is held.
struct Held {
    text: String,
    rest: BodySender,
    answer: JoinHandle<Result<Answer, Refused>>,
}

/// How much of a message is sent at first, in bytes.
const BEGUN: usize = 20;

/// Sends the beginning of a message.
async fn begin(connection: &mut Connection, text: String) -> Held {
    let (mut rest, body) = streamed();
    let answer = connection.start(request("/mcp", body)).await.unwrap();
    let begun = Bytes::copy_from_slice(&text.as_bytes()[..BEGUN]);
    rest.send_data(begun).await.unwrap();
    Held { text, rest, answer }
}

impl Held {
    /// Sends the rest.
    async fn end(mut self) -> (u16, Option<String>) {
        let rest = Bytes::copy_from_slice(&self.text.as_bytes()[BEGUN..]);
        // Who is refused already cannot send any more.
        let _ = self.rest.send_data(rest).await;
        drop(self.rest);
        said(&in_time(self.answer).await.unwrap().unwrap())
    }
}

async fn until_held(site: &Site, number: u64) {
    eventually("the messages are held", PATIENCE, async || {
        let active = site.envoy.stat("http.mtls.downstream_rq_active").await;
        (active == Some(number)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_body_that_envoy_keeps_to_itself_is_answered_and_the_log_names_the_field() {
    for version in ["1.37.0", "1.40.0"] {
        let keeps_bodies = |envoy: &mut Bootstrap| {
            let plugin = envoy.plugin().as_object_mut().unwrap();
            plugin.remove("allow_on_headers_stop_iteration").unwrap();
        };
        let fixture = Fixture::new().on(version).plugin(rules());
        let site = fixture.edit(keeps_bodies).start().await;
        for client in [site.client(ALICE), site.client(ALICE).http2()] {
            let body = whole(&call("search_web"));
            let answer = client.send(request("/mcp", body)).await.unwrap();
            assert_eq!(said(&answer), refused(500, "internal_error"), "{version}");
            // What needs no body is served.
            let answer = client.get("/other").await.unwrap();
            assert_eq!(said(&answer), refused(403, "not_authorized"));
        }
        site.envoy.logs("allow_on_headers_stop_iteration").await;
        assert_eq!(site.gateway.received(), []);
    }
}

#[tokio::test]
async fn a_message_that_is_slow_is_waited_for() {
    let site = site().await;
    let mut begun = site.client(ALICE).connect().await.unwrap();
    let alice = begin(&mut begun, call("search_web")).await;
    // A request without any part of its body yet: longer than the filter takes to find out that none will come.
    let client = site.client(ALICE);
    let mut connection = client.connect_raw().await.unwrap();
    let text = call("search_web");
    let head = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        text.len()
    );
    connection.write(head.as_bytes()).await.unwrap();
    until_held(&site, 2).await;
    // The filter looks for bodies that are kept from it when it writes its counters.
    for ticks in 1..=6 {
        client.get("/other").await.unwrap();
        eventually("the counters are written", PATIENCE, async || {
            let denied = site
                .envoy
                .stat("wasmcustom.mtls_identity.deny.not_authorized");
            (denied.await == Some(ticks)).then_some(())
        })
        .await;
    }
    connection.write(text.as_bytes()).await.unwrap();
    assert_eq!(said(&connection.read().await.unwrap()), (200, None));
    assert_eq!(alice.end().await, (200, None));
}

#[tokio::test]
async fn who_waits_for_100_continue_is_told_to_go_on_and_decided_by_the_body() {
    let site = site().await;
    for (name, expected) in [
        ("search_web", (200, None)),
        ("delete", refused(403, "not_authorized")),
    ] {
        let text = call(name);
        let head = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Expect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            text.len()
        );
        let mut connection = site.client(ALICE).connect_raw().await.unwrap();
        connection.write(head.as_bytes()).await.unwrap();
        assert_eq!(connection.read().await.unwrap().status, 100);
        connection.write(text.as_bytes()).await.unwrap();
        assert_eq!(said(&connection.read().await.unwrap()), expected);
    }
}

/// Over HTTP/1.1 in chunks, and over HTTP/2.
#[tokio::test]
async fn a_message_in_front_of_trailers_is_whole() {
    let keeps_trailers = |envoy: &mut Bootstrap| {
        envoy.hcm()["http_protocol_options"] = json!({"enable_trailers": true});
    };
    let site = Fixture::new()
        .plugin(rules())
        .edit(keeps_trailers)
        .start()
        .await;
    for client in [site.client(ALICE), site.client(ALICE).http2()] {
        for (name, expected) in [
            ("search_web", (200, None)),
            ("delete", refused(403, "not_authorized")),
        ] {
            let trailers = [("x-checksum", "1"), ("x-ssl-client-s-dn-cn", BOB)];
            let body = with_trailers(&call(name), &trailers);
            let mut request = request("/mcp", body);
            let announced = "x-checksum, x-ssl-client-s-dn-cn".parse().unwrap();
            request.headers_mut().insert("trailer", announced);
            let answer = client.send(request).await.unwrap();
            assert_eq!(said(&answer), expected, "{name}");
        }
    }
    for received in site.gateway.received() {
        assert_eq!(received.user(), [ALICE]);
        assert_eq!(received.body_bytes, call("search_web").len());
    }
    assert_eq!(site.gateway.received().len(), 2);
}

#[tokio::test]
async fn the_longest_message_that_the_default_admits_passes_and_a_longer_one_is_refused() {
    let configuration = json!({
        "mcp": {"paths": ["/mcp"]},
        "authorization": {"rules": [{"name": "all", "action": "allow", "mcp": {"methods": ["*"]}}]},
    });
    let site = Fixture::new().plugin(configuration).start().await;
    let long = |length: usize| {
        let text = list();
        format!("{text}{}", " ".repeat(length - text.len()))
    };
    for client in [site.client(ALICE), site.client(ALICE).http2()] {
        for size in [1000, 100_000, 1_048_576] {
            let answer = client
                .send(request("/mcp", pieces(&long(1_048_576), size)))
                .await;
            let answer = answer.unwrap();
            assert_eq!(said(&answer), (200, None), "{size}");
            assert_eq!(answer.gateway().body_bytes, 1_048_576);
            let longer = client
                .send(request("/mcp", pieces(&long(1_048_577), size)))
                .await;
            let expected = refused(413, "mcp_too_large");
            assert_eq!(said(&longer.unwrap()), expected, "{size}");
        }
    }
    // The body that is decided on lies in the VM as well, and what the reader makes of it.
    let memory = site.envoy.largest_vm();
    assert!(memory <= 8 << 20, "{memory}");
}

/// Where nobody says how much may be held, the buffer of the listener and the window of HTTP/2 do.
#[tokio::test]
async fn a_message_that_envoy_has_no_room_for_gets_413_of_envoy_itself() {
    let small = |envoy: &mut Bootstrap| {
        let host = &mut envoy.route_config()["virtual_hosts"][0];
        let host = host.as_object_mut().unwrap();
        host.remove("request_body_buffer_limit").unwrap();
    };
    let configuration = json!({"mcp": {"paths": ["/mcp"]}});
    let site = Fixture::new()
        .plugin(configuration)
        .edit(small)
        .start()
        .await;
    let http1 = site.client(ALICE);
    for (client, limit) in [(http1.clone(), 32_768), (http1.http2(), 65_536)] {
        for (length, expected) in [(limit, (200, None)), (2 * limit, (413, None))] {
            let text = list();
            let text = format!("{text}{}", " ".repeat(length - text.len()));
            let answer = client.send(request("/mcp", pieces(&text, 4096))).await;
            assert_eq!(said(&answer.unwrap()), expected, "{length}");
        }
    }
    eventually("both are logged", PATIENCE, async || {
        let mut lines = site.envoy.access_log();
        lines.retain(|line| line["details"] == "request_payload_too_large");
        (lines.len() == 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_sends_too_slowly_is_cut_by_the_listener() {
    let hasty = |envoy: &mut Bootstrap| envoy.hcm()["request_timeout"] = json!("0.5s");
    let site = Fixture::new().plugin(rules()).edit(hasty).start().await;
    for client in [site.client(ALICE), site.client(ALICE).http2()] {
        let mut connection = client.connect().await.unwrap();
        let held = begin(&mut connection, call("search_web")).await;
        let answer = in_time(held.answer).await.unwrap().unwrap();
        assert_eq!(answer.status, 408);
        drop(held.rest);
    }
    assert_eq!(site.gateway.received(), []);
}

/// Ten connections of HTTP/2 with a hundred messages each: one may pass, the next may not.
async fn hold_a_thousand(client: Client) -> (Vec<Connection>, Vec<Held>) {
    let (mut connections, mut held) = (Vec::new(), Vec::new());
    for _ in 0..10 {
        let mut connection = client.connect().await.unwrap();
        for place in 0..100 {
            let name = ["search_web", "delete"][place % 2];
            held.push(begin(&mut connection, call(name)).await);
        }
        connections.push(connection);
    }
    (connections, held)
}

#[tokio::test]
async fn a_thousand_messages_are_held_at_once_and_each_is_decided_by_itself() {
    let site = site().await;
    let (_connections, held) = hold_a_thousand(site.client(ALICE).http2()).await;
    until_held(&site, 1000).await;
    assert_eq!(site.gateway.received(), []);
    // The last that came is the first that ends.
    for held in held.into_iter().rev() {
        let expected = match held.text == call("delete") {
            false => (200, None),
            true => refused(403, "not_authorized"),
        };
        assert_eq!(held.end().await, expected);
    }
    assert_eq!(site.gateway.received().len(), 500);
}

#[tokio::test]
async fn a_client_that_goes_away_in_the_middle_leaves_nothing_behind() {
    let site = site().await;
    let mut memory = Vec::new();
    for _ in 0..4 {
        // All sockets of a runtime close with it.
        let clients = Runtime::new().unwrap();
        let holding = clients.spawn(hold_a_thousand(site.client(ALICE).http2()));
        let held = holding.await.unwrap();
        until_held(&site, 1000).await;
        clients.shutdown_background();
        until_held(&site, 0).await;
        drop(held);
        memory.push(site.envoy.largest_vm());
    }
    // A request that stayed would keep its head, which is half a kilobyte: three thousand would be more than a megabyte.
    assert!(memory[3] < memory[0] + 256 * 1024, "{memory:?}");
    assert_eq!(site.gateway.received(), []);
    let mut connection = site.client(ALICE).connect().await.unwrap();
    let alice = begin(&mut connection, call("search_web")).await;
    assert_eq!(alice.end().await, (200, None));
}

/// What is held is decided by the configuration under which its head came, what comes later by the new one.
#[tokio::test]
async fn a_configuration_that_changes_leaves_nothing_undecided() {
    let mut site = Fixture::new().plugin(rules()).start_watched().await;
    let mut connection = site.client(ALICE).http2().connect().await.unwrap();
    let alice = begin(&mut connection, call("search_web")).await;
    let refused_one = begin(&mut connection, call("delete")).await;
    until_held(&site, 2).await;
    let nobody = |envoy: &mut Bootstrap| {
        let rule = json!({"name": "list", "action": "allow", "mcp": {"methods": ["tools/list"]}});
        envoy.overlay_plugin(&json!({"authorization": {"rules": [rule]}}));
    };
    assert_eq!(site.update(nobody).await, Update::Accepted);
    let client = site.client(ALICE);
    eventually("the new configuration serves", PATIENCE, async || {
        let answer = client
            .send(request("/mcp", whole(&call("search_web"))))
            .await;
        (said(&answer.unwrap()) == refused(403, "not_authorized")).then_some(())
    })
    .await;
    assert_eq!(alice.end().await, (200, None));
    assert_eq!(refused_one.end().await, refused(403, "not_authorized"));
}

#[tokio::test]
async fn a_vm_that_ends_takes_no_held_message_to_the_gateway() {
    let folder = tempfile::tempdir().unwrap();
    let traps = trap::trapping_in(
        "proxy_on_request_trailers",
        artifacts::wasm(),
        folder.path(),
    );
    let fixture = Fixture::new().plugin(rules());
    let site = fixture
        .edit(move |envoy| envoy.use_wasm(&traps))
        .start()
        .await;
    let mut connection = site.client(ALICE).http2().connect().await.unwrap();
    let mut held = Vec::new();
    for name in ["search_web", "delete"] {
        held.push(begin(&mut connection, call(name)).await);
    }
    until_held(&site, 2).await;
    let body = with_trailers(&list(), &[("x-checksum", "1")]);
    let ends_the_vm = site.client(BOB).http2().send(request("/mcp", body)).await;
    assert_eq!(ends_the_vm.unwrap().status, 503);
    for held in held {
        assert_eq!(held.end().await.0, 503);
    }
    assert_eq!(site.gateway.received(), []);
    let client = site.client(ALICE);
    eventually("a new VM serves", PATIENCE, async || {
        let answer = client
            .send(request("/mcp", whole(&call("search_web"))))
            .await;
        (said(&answer.unwrap()) == (200, None)).then_some(())
    })
    .await;
    let denied = client.send(request("/mcp", whole(&call("delete")))).await;
    assert_eq!(said(&denied.unwrap()), refused(403, "not_authorized"));
}
