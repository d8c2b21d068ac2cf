//! What is remembered of a connection: each of its requests is decided as the only one of a new connection would be.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::LazyLock;

use mtls_identity::certificate::Timestamp;
use mtls_identity::certificate::pem;
use mtls_identity::config::Configuration;
use mtls_identity::decide::ConnectionClient;
use mtls_identity::decide::{Connection, RecentConnections};
use mtls_identity::identity::DirectPeer;
use mtls_identity::limit;
use mtls_identity::limit::{Allowance, Charge, TableKey};
use mtls_identity::request::RequestHead;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::decision::{configuration, header_map, issue, now, outcome, validated};
use crate::leaf::{Leaf, common_name as cn, san_uri};

const INGRESS: &str = "spiffe://cluster.local/ns/istio-system/sa/ingress";
/// Connections whose ids are equal modulo this have one place.
const SLOTS: u64 = 512;
const ALICE: &str = "alice";
const ADMIN: &str = "admin";

fn sha256(der: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(der))
}

fn element(der: &[u8]) -> String {
    let pem = pem::encode(der);
    let pem = utf8_percent_encode(&pem, NON_ALPHANUMERIC);
    format!("Hash={};Cert=\"{pem}\"", sha256(der))
}

/// The certificates of one world: who is spoken for, and who speaks.
struct World {
    alice: Vec<u8>,
    admin: Vec<u8>,
    revoked: Vec<u8>,
    nobody: Vec<u8>,
    /// By what they are.
    peers: Vec<(&'static str, Vec<u8>)>,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let user = |name| issue(&Leaf::of([cn(name)]));
    let speaker = || issue(&Leaf::of([]).subject_alt_names(&[san_uri(INGRESS)]));
    let earlier = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    let expired = Leaf::of([]).subject_alt_names(&[san_uri(INGRESS)]);
    World {
        alice: user(ALICE),
        admin: user(ADMIN),
        revoked: user("revoked"),
        nobody: issue(&Leaf::of([])),
        peers: vec![
            ("ingress", speaker()),
            ("expired ingress", issue(&expired.not_after(earlier))),
            ("revoked ingress", speaker()),
            ("user", user("mallory")),
        ],
    }
});

impl World {
    fn configuration(&self, missing: &str) -> Value {
        let revoked = [&self.revoked, &self.peers[2].1].map(|der| json!({"sha256": sha256(der)}));
        json!({
            "certificate": {"forwarded_by": [INGRESS]},
            "identity": {"missing": missing},
            "headers": {"set": {"x-ssl-client-fingerprint": "fingerprint"}},
            "pins": {ADMIN: [format!("sha256:{}", sha256(&self.admin))]},
            "revoked": revoked,
            "rate_limit": {"default": {"rate": "10/s"}},
        })
    }

    /// What X-Forwarded-Client-Cert may be, line by line, and who that is to a peer who believes it; none for nobody.
    fn forwarded(&self) -> Vec<(Vec<String>, Option<&'static str>)> {
        let [alice, admin, revoked, nobody] =
            [&self.alice, &self.admin, &self.revoked, &self.nobody].map(|der| element(der));
        let long = format!(";Chain=\"{}\"", "x".repeat(8 * 1024));
        let one = |line: &str| vec![line.to_owned()];
        vec![
            (vec![], None),
            (one(""), None),
            (vec![String::new(), String::new()], None),
            (one(&alice), Some(ALICE)),
            (one(&admin), Some(ADMIN)),
            (one(&format!("{alice}{long}")), Some(ALICE)),
            (one(&format!("{admin}{long}")), Some(ADMIN)),
            (one(&format!("{alice};URI=spiffe://a/b")), Some(ALICE)),
            // As Alice's or the admin's but for case and space.
            (one(&alice.to_lowercase()), None),
            (one(&admin.to_uppercase()), None),
            (one(&format!(" {admin}")), None),
            (one(&format!("{admin} ")), None),
            // Two of them, in one line and in two.
            (one(&format!("{alice},{admin}")), None),
            (vec![alice.clone(), admin.clone()], None),
            (vec![admin, alice], None),
            (one(&revoked), None),
            (one(&nobody), None),
            (one("Subject=\"CN=admin\""), None),
        ]
    }
}

/// A request: on which connection, of which peer that is, what is forwarded, how many seconds from now.
type Step = (u64, usize, usize, i64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Ids of one slot and of others; a peer belongs to its id.
    let id = select(&[1, 1 + SLOTS, 1 + 2 * SLOTS, 1 + 3 * SLOTS, 2, 3, 4, 5][..]);
    let forwarded = 0..WORLD.forwarded().len();
    // Now, before all certificates, behind all.
    let later = select(&[0, 0, 0, 0, -10 * 86_400, 90 * 86_400][..]);
    let peers = vec(0..WORLD.peers.len(), 8);
    (peers, vec((id, forwarded, later), 1..40)).prop_map(|(peers, steps)| {
        let peer = |id: u64| peers[usize::try_from((id / SLOTS + id % SLOTS) % 8).unwrap()];
        let steps = steps.into_iter();
        steps
            .map(|(id, forwarded, later)| (id, peer(id), forwarded, later))
            .collect()
    })
}

/// The callers of connections as the filter keeps them.
#[derive(Default)]
struct Remembering(RecentConnections);

impl Remembering {
    fn client(
        &mut self,
        configuration: &Configuration,
        id: u64,
        direct: &DirectPeer,
        forwarded: impl Fn() -> Option<Vec<u8>>,
    ) -> Rc<ConnectionClient> {
        if let Some(known) = self.0.known(id) {
            return known.client(&configuration.filter, forwarded);
        }
        let mut connection = Connection::of(direct.clone());
        let client = connection.client(&configuration.filter, forwarded);
        self.0.remember(id, connection);
        client
    }
}

fn direct(der: &[u8]) -> DirectPeer {
    let pem = pem::encode(der);
    DirectPeer::read(&validated(&pem), None).unwrap().unwrap()
}

fn head(lines: &[String]) -> Vec<(String, Vec<u8>)> {
    let name = "x-forwarded-client-cert".to_owned();
    let lines = lines.iter();
    lines
        .map(|line| (name.clone(), line.clone().into_bytes()))
        .collect()
}

fn at(later: i64) -> Timestamp {
    Timestamp::from_unix(now().unix() + later)
}

/// Whoever may pass, whatever was before.
fn rightful(peer: usize, client: Option<&'static str>, later: i64) -> Option<&'static str> {
    match WORLD.peers[peer].0 {
        _ if later != 0 => None,
        "user" => Some("mallory"),
        "ingress" => client,
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(11),
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_request_of_a_connection_is_decided_by_what_another_said(
        missing in select(&["deny", "strip"][..]),
        steps in steps(),
    ) {
        let configuration = configuration(&WORLD.configuration(missing));
        let forwarded = WORLD.forwarded();
        let mut remembering = Remembering::default();
        for (id, peer, place, later) in steps {
            let (lines, client) = &forwarded[place];
            let headers = head(lines);
            let map = header_map(&headers);
        let head = RequestHead::read(&map).unwrap();
            let direct = direct(&WORLD.peers[peer].1);
            let found = remembering.client(&configuration, id, &direct, || head.forwarded());
            let fresh = configuration.filter.client_of(&direct, head.forwarded().as_deref());
            prop_assert_eq!(&*found, &fresh);
            let unlimited = |_: &Charge<'_>| Err(mtls_identity::reason::Reason::RateLimited);
            let asked = configuration.filter.decide(&head, at(later), &found, unlimited);
            prop_assert_eq!(&asked, &configuration.filter.decide(&head, at(later), &fresh, unlimited));
            // Who would be charged is who passes.
            let user = asked.decision.evidence().identity().map(|it| it.user.to_string());
            let passes = asked.decision.reason() == Some(mtls_identity::reason::Reason::RateLimited);
            prop_assert_eq!(user.as_deref().filter(|_| passes), rightful(peer, *client, later));
        }
    }
}

/// The user with what is left of the limit.
#[test]
fn users_of_one_connection_are_charged_each_for_themselves() {
    let value = json!({
        "certificate": {"forwarded_by": [INGRESS]},
        "rate_limit": {"default": {"rate": "1/h", "burst": 2}},
    });
    let configuration = configuration(&value);
    let mut connection = Connection::of(direct(&WORLD.peers[0].1));
    let mut slots: BTreeMap<u64, Vec<u8>> = BTreeMap::new();
    // Two certificates of Alice are one Alice.
    let again = issue(&Leaf::of([cn("ALICE")]));
    let mut served = Vec::new();
    for der in [&WORLD.alice, &WORLD.admin, &again].repeat(3) {
        let headers = head(&[element(der)]);
        let map = header_map(&headers);
        let head = RequestHead::read(&map).unwrap();
        let client = connection.client(&configuration.filter, || head.forwarded());
        let outcome_of = configuration
            .filter
            .decide(&head, now(), &client, |charge| {
                let slot = slots
                    .entry(charge.key(&TableKey::new([0; 16])).slot())
                    .or_default();
                let charged =
                    limit::charge(slot, charge.key(&TableKey::new([0; 16])), &charge.quota, 1);
                if let Some(next) = &charged.slot {
                    *slot = next.as_bytes().to_vec();
                }
                Ok(Allowance::after(charge, &charged, 1))
            });
        served.push(outcome(&outcome_of));
    }
    let limited = "rate_limited";
    let expected = [
        ALICE, ADMIN, ALICE, ALICE, ADMIN, limited, limited, ADMIN, limited,
    ];
    assert_eq!(served, expected);
}

/// Over HTTP/3 Envoy's id of a connection is a hash of a number that the client has chosen and that stands in clear in
/// every packet of theirs: who repeats it later, on a connection of their own, is somebody else. A count of
/// connections is far below any such hash.
#[test]
fn a_connection_whose_id_is_no_count_is_not_remembered() {
    let configuration = configuration(&json!({}));
    let mut remembering = Remembering::default();
    let (by_admin, by_mallory) = (direct(&WORLD.admin), direct(&WORLD.peers[3].1));
    // As measured.
    for id in [13_163_000_324_336_105_876, 1_090_762_118_728_106_780] {
        let first = remembering.client(&configuration, id, &by_admin, || None);
        assert_eq!(*first, configuration.filter.client_of(&by_admin, None));
        let second = remembering.client(&configuration, id, &by_mallory, || None);
        assert_eq!(
            *second,
            configuration.filter.client_of(&by_mallory, None),
            "{id}"
        );
    }
}
