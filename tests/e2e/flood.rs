//! A flood of denials is no flood of log lines, and what was cut is counted.

use serde_json::json;

use crate::harness::bootstrap::Bootstrap;
use crate::harness::{Fixture, PATIENCE, Site, eventually};
use crate::xds::Xds;

/// The most lines that one worker writes in a second, as documented.
const LINES_A_SECOND: usize = 5;

/// How many denials were written and how many counted, once there are as many as there were requests.
async fn written_and_cut(site: &Site, requests: usize) -> (usize, usize) {
    eventually("every denial is written or counted", PATIENCE, async || {
        let lines = site.envoy.filter_lines();
        let cut = lines.iter().filter_map(|line| line["count"].as_u64());
        let cut = usize::try_from(cut.sum::<u64>()).unwrap();
        let written = lines.iter().filter(|line| line["decision"] == "deny");
        let written = written.count();
        (written + cut >= requests).then_some((written, cut))
    })
    .await
}

#[tokio::test]
async fn a_flood_of_denials_is_a_few_lines_a_second_and_an_exact_count() {
    const CONNECTIONS: usize = 8;
    const REQUESTS: usize = 2000;
    const WORKERS: usize = 2;
    let site = Fixture::new()
        .edit(Bootstrap::certificate_optional)
        .concurrency(WORKERS)
        .start()
        .await;
    let begun = std::time::Instant::now();
    let flood = (0..CONNECTIONS).map(|_| async {
        let client = site.client_without_certificate();
        let mut connection = client.connect().await.unwrap();
        for _ in 0..REQUESTS / CONNECTIONS {
            let answer = connection.get("/").await.unwrap();
            answer.assert_denied(403, "no_certificate");
        }
    });
    futures_util::future::join_all(flood).await;
    let seconds = usize::try_from(begun.elapsed().as_secs()).unwrap() + 2;
    let (written, cut) = written_and_cut(&site, REQUESTS).await;
    assert_eq!(written + cut, REQUESTS);
    assert!(written >= LINES_A_SECOND, "{written}");
    assert!(written <= LINES_A_SECOND * WORKERS * seconds, "{written}");
    assert_eq!(site.envoy.counter("deny.no_certificate").await, 2000);
    // The access log is Envoy's own and has every request.
    assert_eq!(site.access_log(REQUESTS).await.len(), REQUESTS);
}

#[tokio::test]
async fn a_flood_is_counted_exactly_also_when_the_configuration_changes_in_it() {
    const REQUESTS: usize = 600;
    let xds = Xds::empty();
    let fixture = Fixture::new().edit(Bootstrap::certificate_optional);
    let site = fixture.edit(xds.filter()).start().await;
    let client = site.client_without_certificate();
    let mut connection = client.connect().await.unwrap();
    for number in 0..REQUESTS {
        if number % 200 == 100 {
            let set = json!({"x-ssl-client-verify": "verify", format!("x-{number}"): "user"});
            xds.configure(&json!({"headers": {"set": set}}).to_string());
        }
        let answer = connection.get("/").await.unwrap();
        answer.assert_denied(403, "no_certificate");
    }
    let (written, cut) = written_and_cut(&site, REQUESTS).await;
    assert_eq!(written + cut, REQUESTS);
}
