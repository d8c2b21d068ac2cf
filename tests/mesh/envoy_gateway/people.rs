//! Who is who to the MCP gateway.

use std::process::Command;

use rcgen::KeyPair;
use serde_json::{Value, json};

use super::edge::Edge;
use super::failures::configured;
use crate::caller::{ADMIN, ALICE, FORGED, assert_is};
use crate::cluster::SLOW;
use crate::harness::artifacts::output;
use crate::harness::certs::{Authority, forwarded_element};
use crate::harness::eventually;
use crate::harness::leaf::{Leaf, common_name, organization};

/// Users by their CN; everybody else nobody, whatever they write.
pub(super) fn each_is_who_the_certificate_says(edge: &Edge) {
    let stranger = Authority::named("Strangers CA").client(ADMIN);
    let unnamed = edge.users.issue(&Leaf::of([organization("Example")]));
    let forwarded = forwarded_element(stranger.certificate());
    let mut forged = FORGED.to_vec();
    forged.push(("x-forwarded-client-cert", &forwarded));
    for headers in [&[][..], &FORGED, &forged] {
        assert_is(&edge.alice().get_with(headers), ALICE);
        let answer = edge.user(&unnamed).get_with(headers);
        assert_eq!(answer.status, 403);
        answer.assert_reason("no_identity");
        // TLS ends without an answer.
        for client in [
            edge.nobody(),
            edge.user(&stranger),
            edge.user(&edge.mallory),
        ] {
            assert_eq!(client.get_with(headers).status, 0);
        }
    }
}

/// Over HTTP/1.1 and HTTP/2, with the TLS versions that there are.
pub(super) fn a_user_is_herself_over_every_protocol(edge: &Edge) {
    for options in [
        ["--http1.1", "--tls-max", "1.2"],
        ["--http1.1", "--tls-max", "1.3"],
        ["--http2", "--tls-max", "1.2"],
        ["--http2", "--tls-max", "1.3"],
    ] {
        assert_is(&edge.alice().with(&options).get_with(&FORGED), ALICE);
    }
}

pub(super) fn a_key_of_ed25519_is_taken(edge: &Edge) {
    // Of openssl: one of rcgen's has its public key in it, and not every openssl reads that.
    let key = output(Command::new("openssl").args(["genpkey", "-algorithm", "ed25519"]));
    let key = KeyPair::from_pem(&key).unwrap();
    let carol = edge
        .users
        .issue_for(key, &Leaf::of([common_name("carol@example.com")]));
    assert_is(&edge.user(&carol).get(), "carol@example.com");
}

/// A name that servers may read as another is gone, and a path that they may read in two ways is refused.
pub(super) fn what_can_be_read_in_two_ways_does_not_arrive(edge: &Edge) {
    for options in [["--http1.1"], ["--http2"]] {
        let alice = edge.alice().with(&options);
        let answer = alice.get_with(&[("trace_id", "1"), ("X_SSL_Client_S_DN_CN", ADMIN)]);
        assert_is(&answer, ALICE);
        assert_eq!(answer.gateway().values("trace_id"), [""; 0]);
        let answer = alice.get_with(&[("x.ssl.client.s.dn.cn", ADMIN), ("x-real-ip", "10.0.0.1")]);
        assert_is(&answer, ALICE);
        assert_eq!(answer.gateway().values("x-real-ip"), [""; 0]);
        let escaped = edge.alice().with(&options).at("/mcp%2F..%2Fadmin");
        assert_eq!(escaped.get().status, 400);
    }
}

/// The headers of ingress-nginx's `auth-tls-*`, as the page says them.
pub(super) async fn the_headers_of_ingress_nginx_arrive_and_cannot_be_forged(edge: &Edge) {
    let names = [
        "ssl-client-cert",
        "ssl-client-verify",
        "ssl-client-subject-dn",
        "ssl-client-issuer-dn",
    ];
    let mut policy = edge.traffic_policy().clone();
    let early = &mut policy["spec"]["headers"]["earlyRequestHeaders"]["removeOnMatch"];
    let prefix = json!({"type": "Prefix", "value": "ssl-client-"});
    early.as_array_mut().unwrap().push(prefix);
    edge.put(&policy);
    edge.put(&configured(edge, |config| {
        let values = ["certificate_escaped", "verify", "subject", "issuer"];
        let set = config["headers"]["set"].as_object_mut().unwrap();
        set.extend(
            names
                .map(str::to_owned)
                .into_iter()
                .zip(values.map(Value::from)),
        );
    }));
    eventually("the headers arrive", SLOW, async || {
        let forged = names.map(|name| (name, ADMIN));
        let answer = edge.alice().get_with(&forged);
        if answer.status != 200 {
            return None;
        }
        let received = answer.gateway();
        let values = names.map(|name| received.values(name).join(" "));
        let [certificate, verify, subject, issuer] = values.each_ref().map(String::as_str);
        let arrived = certificate.starts_with("-----BEGIN%20CERTIFICATE-----")
            && verify == "SUCCESS"
            && subject == "CN=alice@example.com"
            && issuer == "CN=Users CA";
        arrived.then_some(())
    })
    .await;
    edge.put(edge.filter());
    edge.put(edge.traffic_policy());
    edge.alice().is(ALICE).await;
}
