//! Names that a gateway may fold to one of the filter's.

use crate::harness::bootstrap::Bootstrap;
use crate::harness::forged::{FORGED, OWNED, assert_only_user, filter_alone, owning};
use crate::harness::gateway::{Received, USER};
use crate::harness::raw::{get_bytes, upgrade_bytes};
use crate::harness::{Fixture, Site};

const ALICE: &str = "alice@example.com";

/// What may stand in a name and is no letter or digit (RFC 9110 section 5.6.2).
const FOLDED: &str = "!#$%&'*+-.^_`|~";

/// Each owned name with one of these in place of each dash, or of the first one.
fn folded_names() -> Vec<String> {
    let names = OWNED.iter().flat_map(|name| {
        let name = name.replace('_', "-");
        FOLDED.chars().flat_map(move |folded| {
            let folded = folded.to_string();
            [name.replace('-', &folded), name.replacen('-', &folded, 1)]
        })
    });
    names.collect()
}

async fn forge(site: &Site) -> Vec<Received> {
    let client = site.client(ALICE);
    let mut connection = client.connect_raw().await.unwrap();
    for name in folded_names() {
        for name in [name.to_ascii_uppercase(), name] {
            let line = format!("{name}: {FORGED}");
            let request = get_bytes("/", [&line, &line]);
            let answer = connection.exchange(&request).await.unwrap();
            assert_eq!(answer.status, 200, "{name}");
        }
    }
    let lines: Vec<_> = ["x.ssl.client.s.dn.cn", "x~ssl~client~verify"]
        .iter()
        .map(|name| format!("{name}: {FORGED}"))
        .collect();
    let lines = ["Connection: upgrade"]
        .into_iter()
        .chain(lines.iter().map(String::as_str));
    let upgraded = client.raw(&upgrade_bytes("/ws", lines)).await.unwrap();
    assert_eq!(upgraded.status, 101);
    site.gateway.received()
}

#[tokio::test]
async fn a_name_that_folds_to_an_owned_one_never_gets_past_the_filter() {
    let site = Fixture::new().plugin(owning()).edit(filter_alone);
    let received = forge(&site.start().await).await;
    assert_eq!(received.len(), 2 * folded_names().len() + 1);
    received.iter().for_each(|it| assert_only_user(it, ALICE));
}

/// The early removal alone, on the names that `envoy.yaml` has: with filter and guard taken out.
#[tokio::test]
async fn a_name_that_folds_to_an_owned_one_is_removed_before_any_filter_on_any_version() {
    for version in ["1.36.2", "1.37.0", "1.38.2", "1.39.3", "1.40.0"] {
        let site = Fixture::new()
            .on(version)
            .without_filter()
            .edit(Bootstrap::remove_guard)
            .edit(Bootstrap::remove_last_word)
            .start()
            .await;
        let client = site.client(ALICE);
        let mut connection = client.connect_raw().await.unwrap();
        let added = ["x-organization", "x-tenant", "x-role"];
        let is_added = |name: &str| added.iter().any(|it| it.len() == name.len());
        let names = folded_names().into_iter().filter(|name| !is_added(name));
        let lines: Vec<_> = names.map(|name| format!("{name}: {FORGED}")).collect();
        for lines in lines.chunks(80) {
            let answer = connection.exchange(&get_bytes("/", lines)).await.unwrap();
            let received = answer.gateway();
            let forged = received.headers.iter().find(|(_, value)| value == FORGED);
            assert_eq!(forged, None, "{version}");
            // The sign for the filter's counter is one character.
            assert_eq!(received.values(USER), [""; 0]);
        }
    }
}

#[tokio::test]
async fn a_listener_without_the_early_removal_is_told_of_in_the_log() {
    let site = Fixture::new().edit(filter_alone).start().await;
    let client = site.client(ALICE);
    let dotted = client
        .get_with("/", &[("x.ssl.client.s.dn.cn", FORGED)])
        .await;
    assert_only_user(&dotted.unwrap().gateway(), ALICE);
    for _ in 0..3 {
        let forged = client.get_with("/", &[(USER, FORGED)]).await.unwrap();
        assert_only_user(&forged.gateway(), ALICE);
    }
    site.envoy.logs("lacks the early removal").await;
    site.envoy.counts("stripped", 4).await;
    assert_eq!(
        site.envoy.log().matches("lacks the early removal").count(),
        1
    );
}

#[tokio::test]
async fn the_shipped_listener_gives_no_reason_for_that_warning() {
    let site = Fixture::new().start().await;
    let client = site.client(ALICE);
    for client in [client.clone(), client.http2()] {
        let forged = client.get_with("/", &[(USER, FORGED)]).await.unwrap();
        assert_only_user(&forged.gateway(), ALICE);
    }
    site.envoy.counts("stripped", 2).await;
    assert!(!site.envoy.log().contains("lacks the early removal"));
}
