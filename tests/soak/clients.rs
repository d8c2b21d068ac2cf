//! The clients, and what each answer must be.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use data_encoding::BASE64;
use hyper::Request;

use crate::harness::answer::Answer;
use crate::harness::body::streamed;
use crate::harness::certs::Authority;
use crate::harness::client::{Client, Connection, Refused, full, get};
use crate::site::{LISTED, REVOKED, World};

/// Requests on one connection.
const EACH: u64 = 100;
/// Users of one connection of the proxy: it is one in five, so that there are ten users a connection.
const SPOKEN_FOR: u64 = 50;
/// Allowed by every configuration, by every other one, by none.
const PATHS: [&str; 4] = ["/here/both", "/here/even", "/here/odd", "/here/none"];

/// Connections until all requests are answered.
pub(crate) async fn load(world: Arc<World>) {
    while world.tally.answered() < world.requests {
        let number = world.next.fetch_add(1, Ordering::Relaxed);
        match number % 5 {
            4 => by_proxy(&world, number).await,
            _ => directly(&world, number).await,
        }
    }
}

async fn directly(world: &World, number: u64) {
    let is_of_second = number % 10 == 2;
    let name = format!("user{number}@example.com");
    let client = world.site.client_with(&world.user(&name, is_of_second));
    let client = if number.is_multiple_of(2) {
        client
    } else {
        client.http2()
    };
    match number % 20 {
        7 => return events(world, &client, &name).await,
        13 => return socket(world, &client, &name).await,
        _ => {}
    }
    let Ok(mut connection) = client.connect().await else {
        return lost(world, is_of_second);
    };
    for request in 0..EACH {
        let outcome = match request {
            0 => held(world, &mut connection, &name).await,
            1 => connection
                .get("/both")
                .await
                .map(|answer| of_gateway(world, &answer, &name)),
            _ => {
                let path = PATHS[usize::try_from(request % 4).unwrap()];
                connection
                    .get(path)
                    .await
                    .map(|answer| here(world, path, &answer, &name))
            }
        };
        if outcome.is_err() {
            return lost(world, is_of_second);
        }
    }
    world.tally.count("connections");
}

/// A proxy asks for one user after the other on one connection.
async fn by_proxy(world: &World, number: u64) {
    let client = world.site.client_with(&world.proxy).http2();
    let Ok(mut connection) = client.connect().await else {
        return lost(world, false);
    };
    for request in 0..EACH {
        let name = format!("user{number}.{}@example.com", request % SPOKEN_FOR);
        let path = PATHS[usize::try_from(request % 4).unwrap()];
        let certificate = world.user(&name, false);
        let header = format!(":{}:", BASE64.encode(certificate.certificate()));
        let request = get(path, &[("client-cert", &header)]);
        match connection.send(request).await {
            Ok(answer) => here(world, path, &answer, &name),
            Err(_) => return lost(world, false),
        }
    }
    world.tally.count("connections");
}

/// A connection that is refused or ends. The second CA is not always trusted; others must get in.
fn lost(world: &World, is_of_second: bool) {
    match is_of_second {
        true => world
            .tally
            .count("connections of the CA that comes and goes, refused"),
        false => world
            .tally
            .is_wrong("lost", "a connection of a CA that is trusted".to_owned()),
    }
}

/// An answer of Envoy below `/here`.
fn here(world: &World, path: &str, answer: &Answer, name: &str) {
    match (answer.status, path) {
        (200, "/here/none") => {
            world
                .tally
                .is_wrong("let through", format!("{name} {path} {answer:?}"));
        }
        (200, _) if answer.header("x-user") == [name] => world.tally.answer("passed"),
        (200, _) => world
            .tally
            .is_wrong("wrong users", format!("{name} {answer:?}")),
        (403, "/here/both") => world
            .tally
            .is_wrong("refused", format!("{name} {answer:?}")),
        (403, _) if answer.denial().1 == "not_authorized" => {
            world.tally.answer("denied by a rule");
        }
        _ => unexpected(world, answer, name),
    }
}

/// While a VM is replaced Envoy may answer for itself.
fn unexpected(world: &World, answer: &Answer, name: &str) {
    match answer.status {
        500 | 503 => world.tally.answer("unavailable"),
        _ => world
            .tally
            .is_wrong("unexpected", format!("{name} {answer:?}")),
    }
}

fn of_gateway(world: &World, answer: &Answer, name: &str) {
    if answer.status != 200 {
        return unexpected(world, answer, name);
    }
    match answer.gateway().user() == [name] {
        true => world.tally.answer("passed"),
        false => world
            .tally
            .is_wrong("wrong users", format!("{name} {answer:?}")),
    }
}

/// A message in two pieces, which the filter holds until it is whole; and one that no configuration allows.
async fn held(world: &World, connection: &mut Connection, name: &str) -> Result<(), Refused> {
    let call = |tool: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{tool}"}}}}"#)
    };
    let post = || Request::post("/mcp").header("content-type", "application/json");
    let (mut sender, body) = streamed();
    let text = call("search");
    let (first, second) = text.split_at(20);
    let (first, second) = (first.to_owned(), second.to_owned());
    tokio::spawn(async move {
        let _ = sender.send_data(first.into()).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        let _ = sender.send_data(second.into()).await;
    });
    let answer = connection.send(post().body(body).unwrap()).await?;
    of_gateway(world, &answer, name);
    let answer = connection
        .send(post().body(full(call("drop"))).unwrap())
        .await?;
    match answer.status {
        200 => world
            .tally
            .is_wrong("let through", format!("{name} drop {answer:?}")),
        403 => world.tally.answer("denied by a rule"),
        _ => unexpected(world, &answer, name),
    }
    world.tally.count("held messages");
    Ok(())
}

async fn events(world: &World, client: &Client, name: &str) {
    let Ok(mut events) = client.events("/sse?events=20").await else {
        return world.tally.is_wrong("lost", "an event stream".to_owned());
    };
    let first = events.next().await.unwrap_or_default();
    match serde_json::from_str::<crate::harness::gateway::Received>(&first) {
        Ok(received) if received.user() == [name] => world.tally.answer("passed"),
        _ => {
            return world
                .tally
                .is_wrong("wrong users", format!("{name} {first}"));
        }
    }
    while events.next().await.is_some() {
        world.tally.count("events");
    }
}

async fn socket(world: &World, client: &Client, name: &str) {
    let mut socket = match client.websocket("/ws", &[]).await {
        Ok(socket) => socket,
        Err(answer) => return unexpected(world, &answer, name),
    };
    match socket.opening().await.user() == [name] {
        true => world.tally.answer("passed"),
        false => return world.tally.is_wrong("wrong users", name.to_owned()),
    }
    for number in 0..10 {
        socket.send(&number.to_string()).await;
        socket.receive().await;
    }
    world.tally.count("WebSockets");
}

/// One who is revoked in the configuration while connected: once refused on this connection, always refused.
pub(crate) async fn revoked(world: Arc<World>) {
    let client = world.numbered("mallory@example.com", &REVOKED).http2();
    let mut connection = client.connect().await.unwrap();
    let mut is_refused = false;
    while !world.is_done.load(Ordering::Relaxed) {
        let answer = connection.get("/here/both").await.unwrap();
        match answer.status {
            200 if is_refused => world
                .tally
                .is_wrong("let through", "who is revoked".to_owned()),
            200 => {}
            403 => {
                assert_eq!(answer.denial().1, "revoked");
                is_refused = true;
                world.tally.count("revoked refused");
            }
            _ => unexpected(&world, &answer, "mallory"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One who comes onto the CRL of the listener: once refused several times, always refused.
pub(crate) async fn listed(world: Arc<World>) {
    let client = world.numbered("eve@example.com", &LISTED);
    let mut refused = 0;
    while !world.is_done.load(Ordering::Relaxed) {
        match client.get("/here/both").await {
            Err(_) => {
                refused += 1;
                world.tally.count("listed refused");
            }
            Ok(_) if refused > 3 => world
                .tally
                .is_wrong("let through", "who is on the CRL".to_owned()),
            Ok(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// One of a CA that nobody trusts.
pub(crate) async fn stranger(world: Arc<World>) {
    let client = world
        .site
        .client_with(&Authority::named("Test CA").client("admin@example.com"));
    while !world.is_done.load(Ordering::Relaxed) {
        match client.get("/here/both").await {
            Err(_) => world.tally.count("strangers refused"),
            Ok(answer) => world
                .tally
                .is_wrong("let through", format!("a stranger {answer:?}")),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
