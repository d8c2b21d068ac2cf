//! What a soak runs on: the shipped configuration, with everything that can change in files.

use std::sync::atomic::{AtomicBool, AtomicU64};

use rcgen::KeyPair;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::harness::artifacts::repository;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::client::Client;
use crate::harness::forged::filter_alone;
use crate::harness::leaf::{Leaf, common_name};
use crate::harness::redis::Redis;
use crate::harness::server::Server;
use crate::harness::{Fixture, Site, limit_service};
use crate::tally::Tally;
use crate::xds::{Crl, Xds};

/// The serial numbers of who is revoked in the configuration, and of who is on the CRL of the listener.
pub(crate) const REVOKED: [u8; 2] = [0x66, 1];
pub(crate) const LISTED: [u8; 2] = [0x66, 2];

pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) xds: Xds,
    pub(crate) tally: Tally,
    pub(crate) requests: u64,
    pub(crate) is_done: AtomicBool,
    /// The number of the next connection.
    pub(crate) next: AtomicU64,
    /// Users have certificates of one key: what differs is who they are.
    pub(crate) key: KeyPair,
    /// The CA beside that of the site, in trust now and then.
    pub(crate) second: Authority,
    pub(crate) server: Credentials,
    /// A proxy that speaks for its clients.
    pub(crate) proxy: Credentials,
    pub(crate) redis: Mutex<Redis>,
    _limit_service: Server,
}

impl World {
    pub(crate) async fn start(requests: u64) -> Self {
        let fixture = Fixture::new();
        let (authority, second) = (fixture.authority(), Authority::named("Second CA"));
        let (server, proxy) = (authority.server(), authority.client("proxy"));
        let redis = Redis::start().await;
        let limit_service = limit_service(&redis).await;
        let address = limit_service.address();
        let xds = Xds::with_certificates(&files(&server, &[authority, &second], &[]));
        let first = configuration(&proxy, 0, false).to_string();
        let fixture = fixture
            .concurrency(2)
            .plugin_exactly(first)
            .edit(filter_alone)
            .edit(answer_here)
            .edit(move |envoy| ask_limits(envoy, address.port()))
            .edit(xds.certificates(Crl::Asked))
            .edit(xds.filter());
        Self {
            site: fixture.start().await,
            xds,
            tally: Tally::default(),
            requests,
            is_done: AtomicBool::new(false),
            next: AtomicU64::new(0),
            key: KeyPair::generate().unwrap(),
            second,
            server,
            proxy,
            redis: Mutex::new(redis),
            _limit_service: limit_service,
        }
    }

    /// A user of the site's CA, or of the second one.
    pub(crate) fn user(&self, name: &str, is_of_second: bool) -> Credentials {
        let authority = if is_of_second {
            &self.second
        } else {
            &self.site.authority
        };
        let leaf = Leaf::of([common_name(name)]);
        let key = KeyPair::from_pem(&self.key.serialize_pem()).unwrap();
        authority.issue_for(key, &leaf)
    }

    /// Somebody with this serial number.
    pub(crate) fn numbered(&self, name: &str, serial: &[u8]) -> Client {
        let leaf = Leaf::of([common_name(name)]).serial(serial);
        self.site.client_with(&self.site.authority.issue(&leaf))
    }
}

/// The files of `envoy/certs`, with a CRL of each CA.
pub(crate) fn files(
    server: &Credentials,
    authorities: &[&Authority],
    listed: &[&[u8]],
) -> Vec<(&'static str, String)> {
    let trusted = authorities.iter().map(|authority| authority.pem());
    let lists = authorities
        .iter()
        .map(|authority| authority.revocation_list(listed));
    vec![
        ("server.crt", server.pem()),
        ("server.key", server.key_pem()),
        ("ca.crt", trusted.collect()),
        ("ca.crl", lists.collect()),
    ]
}

/// A whole configuration. Even and odd ones allow different paths.
pub(crate) fn configuration(proxy: &Credentials, number: u64, revokes: bool) -> Value {
    let path = if number.is_multiple_of(2) {
        "/here/even"
    } else {
        "/here/odd"
    };
    let revoked = json!([{"issuer": "CN=Test CA", "serials": ["0x6601"]}]);
    json!({
        "certificate": {"forwarded_by": [format!("sha256:{}", proxy.sha256())], "forwarded_header": "rfc9440"},
        "audit": {"log": "none", "access_log": true},
        "mcp": {"paths": ["/mcp"]},
        "rate_limit": {"default": {"rate": "1000000/s", "burst": 1_000_000}},
        "revoked": if revokes { revoked } else { json!([]) },
        "authorization": {"rules": [
            {"name": "tools", "action": "allow", "mcp": {"methods": ["tools/call"], "names": ["search"]}},
            {"name": "some", "action": "allow", "paths": ["/here/both", path, "/both", "/sse", "/ws"]},
        ]},
    })
}

/// Below `/here` Envoy itself answers, with the user that the filter gave: for more requests than the gateway could take.
fn answer_here(envoy: &mut Bootstrap) {
    let here = json!({
        "match": {"prefix": "/here"},
        "direct_response": {"status": 200},
        "response_headers_to_add": [
            {"header": {"key": "x-user", "value": "%REQ(x-ssl-client-s-dn-cn)%"}},
        ],
    });
    let routes = &mut envoy.route_config()["virtual_hosts"][0]["routes"];
    routes.as_array_mut().unwrap().insert(0, here);
}

async fn limit_service(redis: &Redis) -> Server {
    let limit = json!([{
        "namespace": "mtls_identity", "max_value": 1_000_000_000, "seconds": 3600,
        "conditions": [], "variables": ["user"],
    }]);
    limit_service::start(redis, &limit).await
}

/// The pieces of `envoy/cluster-limit`, for what goes to the gateway.
fn ask_limits(envoy: &mut Bootstrap, port: u16) {
    let piece = |name: &str| -> Value {
        let path = repository().join("envoy/cluster-limit").join(name);
        serde_yaml_ng::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let mut filters = envoy.http_filters().iter();
    let guard = filters
        .position(|filter| filter["name"] == "mtls_identity_guard")
        .unwrap();
    envoy
        .http_filters()
        .insert(guard + 1, piece("http_filter.yaml"));
    for route in envoy.route_config()["virtual_hosts"][0]["routes"]
        .as_array_mut()
        .unwrap()
    {
        if route.get("route").is_some() {
            route["route"]["rate_limits"] = piece("rate_limits.yaml");
        }
    }
    let mut cluster = piece("cluster.yaml");
    let endpoint = &mut cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
    endpoint["endpoint"]["address"]["socket_address"] =
        json!({"address": "127.0.0.1", "port_value": port});
    envoy.value()["static_resources"]["clusters"]
        .as_array_mut()
        .unwrap()
        .push(cluster);
}
