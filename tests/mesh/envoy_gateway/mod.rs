//! `envoy/envoy-gateway` in a real Envoy Gateway.
//!
//! A world is etcd, the API server, Envoy Gateway with what its chart installs, a registry, and Envoy with the arguments and
//! the volumes that Envoy Gateway writes. Played are the Job of the chart, Deployments, the kubelet, DNS and kube-proxy; the
//! shutdown manager, the load balancer and a network plugin are not there.

mod edge;
mod people;
mod proxy;
mod world;

use edge::Edge;

/// A claim that fails is the last one that was named.
macro_rules! claim {
    ($($claim:tt)*) => {{
        eprintln!("claim: {}", stringify!($($claim)*).split('(').next().unwrap());
        let began = std::time::Instant::now();
        $($claim)*;
        eprintln!("  held, {:?}", began.elapsed());
    }};
}

#[tokio::test]
async fn the_manifests_hold() {
    let edge = Edge::with(&[]).await;
    claim!(people::each_is_who_the_certificate_says(&edge));
    claim!(people::a_user_is_herself_over_every_protocol(&edge));
    claim!(people::a_key_of_ed25519_is_taken(&edge));
    claim!(people::what_can_be_read_in_two_ways_does_not_arrive(&edge));
}
