//! The order of the filters matters: in front of the one that names the user there is nobody to limit.

use super::{ALICE, ANONYMOUS, BOB, Limiter, USER, counted, passing};
use crate::harness::cluster_limit::{Place, patient};

#[tokio::test]
async fn in_front_of_the_identity_all_users_are_one() {
    let limiter = Limiter::start().await;
    let fixture = limiter.envoy_with(Place::InFront);
    let site = fixture.edit(patient).start().await;
    // More than her limit: it is not hers that is spent.
    const { assert!(ANONYMOUS > USER) };
    assert_eq!(passing(&site.client(ALICE), 2 * ANONYMOUS).await, ANONYMOUS);
    // Who has asked for nothing is refused.
    assert_eq!(passing(&site.client(BOB), 1).await, 0);
}

#[tokio::test]
async fn in_front_of_the_identity_a_limit_of_users_alone_limits_nothing() {
    let limiter = Limiter::start().await;
    let fixture = limiter.envoy_with(Place::InFront);
    let site = fixture
        .edit(patient)
        .edit(|envoy| {
            let host = &mut envoy.hcm()["route_config"]["virtual_hosts"][0];
            host["rate_limits"].as_array_mut().unwrap().truncate(1);
        })
        .start()
        .await;
    assert_eq!(passing(&site.client(ALICE), 4 * USER).await, 4 * USER);
    for counter in ["ok", "over_limit", "error"] {
        assert_eq!(counted(&site, counter).await, 0);
    }
}
