//! HBONE: a tunnel of mTLS and HTTP/2 CONNECT, which a waypoint ends before it looks at what is in it.

use hyper::client::conn::{http1, http2};
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};

use super::istiod::MANAGER;
use crate::harness::answer::Answer;
use crate::harness::client::{Body, Client, Refused, empty, in_time, whole};

const TYPES: &str = "type.googleapis.com/envoy.extensions";

/// Puts the listener behind a tunnel's end: the one that is there becomes internal and loses its TLS, and a new one in
/// front of it keeps the TLS and leaves behind who was there, as Istio's `connect_authority` does.
pub(super) fn end(bootstrap: &mut Value) {
    let resources = &mut bootstrap["static_resources"];
    let mut inner = resources["listeners"][0].take();
    let mut outer = inner.clone();
    inner["name"] = json!("main_internal");
    inner["internal_listener"] = json!({});
    inner.as_object_mut().unwrap().remove("address").unwrap();
    let chain = inner["filter_chains"][0].as_object_mut().unwrap();
    chain.remove("transport_socket").unwrap();
    outer["name"] = json!("connect_terminate");
    outer["filter_chains"][0]["filters"] = json!([{"name": MANAGER, "typed_config": terminate()}]);
    resources["listeners"] = json!([outer, inner]);
    let clusters = resources["clusters"].as_array_mut().unwrap();
    clusters.push(internal_cluster());
    bootstrap["bootstrap_extensions"] = json!([{
        "name": "envoy.bootstrap.internal_listener",
        "typed_config":
            {"@type": format!("{TYPES}.bootstrap.internal_listener.v3.InternalListener")},
    }]);
}

fn terminate() -> Value {
    let connect = json!([{"upgrade_type": "CONNECT", "connect_config": {}}]);
    json!({
        "@type": format!("{TYPES}.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "connect_terminate",
        "http2_protocol_options": {"allow_connect": true},
        "upgrade_configs": [{"upgrade_type": "CONNECT"}],
        "route_config": {"virtual_hosts": [{
            "name": "default",
            "domains": ["*"],
            "routes": [{
                "match": {"connect_matcher": {}},
                "route": {"cluster": "main_internal", "upgrade_configs": connect},
            }],
        }]},
        "http_filters": [
            {"name": "connect_authority", "typed_config": {
                "@type": format!("{TYPES}.filters.http.set_filter_state.v3.Config"),
                // The address is what keeps the connections inside apart: Envoy pools those whose hashed state is equal,
                // and the principal is not hashed.
                "on_request_headers": [{
                    "object_key": "envoy.filters.listener.original_dst.remote_ip",
                    "format_string": {"text_format_source":
                        {"inline_string": "%DOWNSTREAM_REMOTE_ADDRESS%"}},
                    "shared_with_upstream": "ONCE",
                }, {
                    "object_key": "io.istio.peer_principal",
                    "factory_key": "envoy.string",
                    "format_string": {"text_format_source":
                        {"inline_string": "%DOWNSTREAM_PEER_URI_SAN%"}},
                    "shared_with_upstream": "ONCE",
                }],
            }},
            {"name": "envoy.filters.http.router", "typed_config":
                {"@type": format!("{TYPES}.filters.http.router.v3.Router")}},
        ],
    })
}

fn internal_cluster() -> Value {
    let address = json!({"envoy_internal_address": {"server_listener_name": "main_internal"}});
    json!({
        "name": "main_internal",
        "load_assignment": {
            "cluster_name": "main_internal",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "transport_socket": {
            "name": "envoy.transport_sockets.internal_upstream",
            "typed_config": {
                "@type": format!("{TYPES}.transport_sockets.internal_upstream.v3.InternalUpstreamTransport"),
                "transport_socket": {
                    "name": "envoy.transport_sockets.raw_buffer",
                    "typed_config":
                        {"@type": format!("{TYPES}.transport_sockets.raw_buffer.v3.RawBuffer")},
                },
            },
        },
    })
}

/// One request through a tunnel of its own, as ztunnel opens it for this client.
pub(super) async fn send(client: &Client, mut request: Request<Body>) -> Result<Answer, Refused> {
    let stream = client.clone().http2().handshake().await?;
    let builder = http2::Builder::new(TokioExecutor::new());
    let (mut tunnel, connection) = in_time(builder.handshake(TokioIo::new(stream))).await?;
    tokio::spawn(connection);
    let connect = Request::builder()
        .method(Method::CONNECT)
        .uri("mcp-gateway.mcp-system.svc.cluster.local:4444")
        .body(empty())
        .unwrap();
    let opened = in_time(tunnel.send_request(connect)).await?;
    if opened.status() != 200 {
        return Err(Refused::because(opened.status()));
    }
    let inside = in_time(hyper::upgrade::on(opened)).await?;
    let (mut sender, connection) = in_time(http1::handshake::<_, Body>(inside)).await?;
    tokio::spawn(connection);
    let host = "mcp-gateway.mcp-system".parse().unwrap();
    request.headers_mut().insert("host", host);
    whole(in_time(sender.send_request(request)).await?).await
}
