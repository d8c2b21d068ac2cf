//! Two Envoys in a row: the first writes X-Forwarded-Client-Cert in every form that it knows, the filter in the second
//! reads it. Whatever names a client has in its certificate, it is that client.
//!
//! `XFCC_NAMES=10000` tries as many certificates in all; without it there are 1,000.

use std::fs;

use serde_json::{Value, json};

use crate::harness::Fixture;
use crate::harness::Site;
use crate::harness::certs::{Authority, Credentials, forwarded_element};
use crate::harness::client::Client;
use crate::harness::der;
use crate::harness::envoy::{Envoy, Launch};
use crate::harness::forged::filter_alone;
use crate::harness::leaf::{self, Leaf, common_name, san_dns, san_uri};

const INGRESS: &str = "spiffe://cluster.local/ns/istio-system/sa/ingress";
const ADMIN: &str = "admin@example.com";
const MANAGER: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const ROUTER: &str = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router";
const INSPECTOR: &str =
    "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector";
const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3";

/// The first Envoy and the second. An older one behind a newer one does not know the form JSON.
const PAIRS: [[&str; 2]; 5] = [
    ["1.37.0", "1.37.0"],
    ["1.38.2", "1.38.2"],
    ["1.39.3", "1.39.3"],
    ["1.40.0", "1.40.0"],
    ["1.40.0", "1.37.0"],
];

fn minor(version: &str) -> u32 {
    version.split('.').nth(1).unwrap().parse().unwrap()
}

/// Every combination of `set_current_client_cert_details` with `cert` that this Envoy knows.
fn forms(version: &str) -> Vec<Value> {
    let mut keys = vec!["subject", "chain", "uri", "dns"];
    if minor(version) >= 40 {
        keys.push("issuer");
    }
    let mut forms = Vec::new();
    for number in 0..1_u32 << keys.len() {
        let chosen = keys.iter().enumerate();
        let chosen = chosen.filter(|(place, _)| number >> place & 1 == 1);
        let mut form = json!({"cert": true});
        chosen.for_each(|(_, key)| form[*key] = json!(true));
        forms.push(form.clone());
        if minor(version) >= 38 {
            form["format"] = json!("JSON");
            forms.push(form);
        }
    }
    forms
}

fn host(place: usize) -> String {
    format!("f{place}.localhost")
}

/// The first Envoy: for each form a host of its own.
struct First {
    envoy: Envoy,
    hosts: Vec<&'static str>,
}

impl First {
    async fn start(version: &'static str, second: &Site) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str, content: &str| {
            let path = directory.path().join(name);
            fs::write(&path, content).unwrap();
            json!({"filename": path})
        };
        let pair = |name: &str, credentials: &Credentials| {
            json!({
                "certificate_chain": file(&format!("{name}.crt"), &credentials.pem()),
                "private_key": file(&format!("{name}.key"), &credentials.key_pem()),
            })
        };
        let authority = &second.authority;
        let trusted = file("ca.crt", &authority.pem());
        let forms = forms(version);
        let names: Vec<_> = (0..forms.len())
            .map(|place| san_dns(&host(place)))
            .collect();
        // The first Envoy writes its own URI without quotes, too.
        let names = [names, vec![san_uri("tag:example.com,2026:a;b=\"c\"")]].concat();
        let server = Leaf::of([common_name("front")]).subject_alt_names(&names);
        let server = authority.issue(&server.extended_key_usage(&[leaf::SERVER_AUTH]));
        let own = [san_uri(INGRESS), san_dns("a,b;c=\"d")];
        let own = authority.issue(&Leaf::of([]).subject_alt_names(&own));
        let downstream = json!({
            "name": "tls",
            "typed_config": {
                "@type": format!("{TLS}.DownstreamTlsContext"),
                "require_client_certificate": true,
                "common_tls_context": {
                    "tls_certificates": [pair("server", &server)],
                    "validation_context": {"trusted_ca": trusted},
                },
            },
        });
        let upstream = json!({
            "name": "tls",
            "typed_config": {
                "@type": format!("{TLS}.UpstreamTlsContext"),
                "sni": "localhost",
                "common_tls_context": {
                    "tls_certificates": [pair("own", &own)],
                    "validation_context": {"trusted_ca": trusted},
                },
            },
        });
        let chain = |(place, form): (usize, &Value)| {
            json!({
                "filter_chain_match": {"server_names": [host(place)]},
                "transport_socket": downstream,
                "filters": [{"name": "manager", "typed_config": manager(form)}],
            })
        };
        let any_port = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        let address = second.envoy.address();
        let endpoint =
            json!({"socket_address": {"address": address.ip(), "port_value": address.port()}});
        let bootstrap = json!({
            "admin": {"address": any_port},
            "static_resources": {
                "listeners": [{
                    "name": "front",
                    "address": any_port,
                    "listener_filters": [{"name": "sni", "typed_config": {"@type": INSPECTOR}}],
                    "filter_chains": forms.iter().enumerate().map(chain).collect::<Vec<_>>(),
                }],
                "clusters": [{
                    "name": "second",
                    "transport_socket": upstream,
                    "load_assignment": {
                        "cluster_name": "second",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": endpoint}}]}],
                    },
                }],
            },
        });
        let path = directory.path().join("envoy.json");
        fs::write(&path, bootstrap.to_string()).unwrap();
        let launch = Launch {
            version: Some(version),
            ..Launch::default()
        };
        let hosts = (0..forms.len()).map(|place| &*host(place).leak());
        Self {
            envoy: Envoy::start(&launch, &path, directory).await,
            hosts: hosts.collect(),
        }
    }
}

fn manager(form: &Value) -> Value {
    json!({
        "@type": MANAGER,
        "stat_prefix": "front",
        "forward_client_cert_details": "SANITIZE_SET",
        "set_current_client_cert_details": form,
        "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
        "route_config": {"virtual_hosts": [{
            "name": "all",
            "domains": ["*"],
            "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "second"}}],
        }]},
    })
}

/// The second Envoy: the filter, and the element of the direct peer behind what the first wrote.
async fn second(version: &'static str) -> Site {
    Fixture::new()
        .envoy_version(version)
        .plugin(json!({"certificate": {"validation": "listener", "forwarded_by": [INGRESS]}}))
        .edit(filter_alone)
        .edit(|envoy| {
            envoy.hcm()["forward_client_cert_details"] = json!("APPEND_FORWARD");
            envoy.hcm()["set_current_client_cert_details"] =
                json!({"cert": true, "subject": true, "uri": true, "dns": true});
        })
        .start()
        .await
}

/// Names of which many are parts of an element. Envoy itself refuses what no header may have: control characters.
struct Names {
    state: u64,
    /// An element of somebody else.
    forged: String,
}

impl Names {
    fn new(authority: &Authority, seed: u64) -> Self {
        let admin = authority.client(ADMIN);
        Self {
            state: 0x9e37_79b9_7f4a_7c15 ^ (seed << 17) ^ seed,
            forged: forwarded_element(admin.certificate()),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state >> 20).unwrap() % bound
    }

    fn name(&mut self) -> Vec<u8> {
        const PIECES: [&[u8]; 30] = [
            b"tag:microsoft.com,2022-09-14:sid:S-1-5-21",
            b"spiffe://a/b",
            b"a.example.com",
            b",",
            b";",
            b"=",
            b"\"",
            b"\\",
            b" ",
            b"\t",
            b"'",
            b"URI=",
            b"DNS=",
            b"By=x",
            b"Hash=",
            b"Cert=\"",
            b"Chain=\"",
            b"Subject=\"",
            b"Issuer=\"",
            b"[{\"hash\":\"",
            b"\"}]",
            b"{",
            b"}",
            b"%0A",
            b"%",
            b"\xe9",
            b"\xc3\xa9",
            b"\xff",
            b"a",
            b"/",
        ];
        let mut name = Vec::new();
        for _ in 0..self.below(7) {
            match self.below(PIECES.len() + 1) {
                place if place < PIECES.len() => name.extend(PIECES[place]),
                _ => name.extend(self.forged.clone().into_bytes()),
            }
        }
        name
    }

    fn leaf(&mut self, user: &str) -> Leaf {
        let mut names = Vec::new();
        for _ in 0..self.below(4) {
            let number = [2, 6][self.below(2)];
            names.push(der::implicit(number, &self.name()));
        }
        let leaf = Leaf::of([leaf::organization("a\"b,c;=\\"), common_name(user)]);
        match names.is_empty() {
            true => leaf,
            false => leaf.subject_alt_names(&names),
        }
    }
}

fn count_of_each() -> usize {
    let all = std::env::var("XFCC_NAMES").ok();
    all.map_or(1000, |all| all.parse().unwrap()) / PAIRS.len()
}

/// As its own certificate, over every form in turn.
async fn assert_all_are_themselves(seed: usize) {
    let [first, second_version] = PAIRS[seed];
    let second = second(second_version).await;
    let first = First::start(first, &second).await;
    let authority = &second.authority;
    let mut names = Names::new(authority, u64::try_from(seed).unwrap() + 1);
    for count in 0..count_of_each() {
        let user = format!("user-{count}");
        let leaf = names.leaf(&user);
        let client = Client::new(first.envoy.address(), authority.certificate())
            .named(first.hosts[count % first.hosts.len()])
            .presenting(&authority.issue(&leaf));
        let answer = client.get("/").await.unwrap();
        let form = &forms(PAIRS[seed][0])[count % first.hosts.len()];
        assert_eq!(
            answer.status, 200,
            "{:?} {form} {leaf:?}: {answer:?}",
            PAIRS[seed]
        );
        assert_eq!(answer.gateway().user(), [user], "{form} {leaf:?}");
    }
}

#[tokio::test]
async fn behind_envoy_1_37_every_client_is_itself() {
    assert_all_are_themselves(0).await;
}

#[tokio::test]
async fn behind_envoy_1_38_every_client_is_itself() {
    assert_all_are_themselves(1).await;
}

#[tokio::test]
async fn behind_envoy_1_39_every_client_is_itself() {
    assert_all_are_themselves(2).await;
}

#[tokio::test]
async fn behind_envoy_1_40_every_client_is_itself() {
    assert_all_are_themselves(3).await;
}

#[tokio::test]
async fn an_older_envoy_behind_a_newer_one_reads_every_client() {
    assert_all_are_themselves(4).await;
}

/// Names made to end the element and to begin another.
#[tokio::test]
async fn an_attacker_who_chooses_their_names_is_nobody_else() {
    let second = second("1.40.0").await;
    let first = First::start("1.40.0", &second).await;
    let authority = &second.authority;
    let admin = authority.client(ADMIN);
    let forged = forwarded_element(admin.certificate());
    let hash = admin.sha256();
    let names = [
        format!("spiffe://a/b,{forged}"),
        format!("spiffe://a/b;{forged}"),
        format!("a\",{forged}"),
        format!("a;Subject=\"CN={ADMIN}\",{forged}"),
        format!("a,By=x;{forged};Subject=\""),
        format!("a,{forged},Hash={hash}"),
        format!("\"}},{{\"hash\":\"{hash}\",\"cert\":\"x\"}}"),
    ];
    for (place, host) in first.hosts.iter().enumerate() {
        // Two of the names over each form, so that all come over many forms.
        for name in [place, place + 3].map(|name| &names[name % names.len()]) {
            let leaf = Leaf::of([common_name("mallory")])
                .subject_alt_names(&[san_uri(name), san_dns(name)]);
            let client = Client::new(first.envoy.address(), authority.certificate())
                .named(host)
                .presenting(&authority.issue(&leaf));
            let answer = client.get("/").await.unwrap();
            assert_eq!(answer.gateway().user(), ["mallory"], "{place} {name}");
        }
    }
}
