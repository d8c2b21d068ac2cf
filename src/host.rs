//! The proxy-wasm side: reads what Envoy knows, asks the core, does what it says.
//!
//! Only `hostcalls` that take and give bytes are used: the ones with strings panic on a header byte above
//! 0x7f, and one panic ends the worker's VM for every client.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::UNIX_EPOCH;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, Bytes, ContextType, LogLevel, MapType, Status};

use crate::config::Configuration;
use crate::connections::RecentConnections;
use crate::denial::Reason;
use crate::headers::HeaderRules;
use crate::peer::{ConnectionAttributes, DirectPeer};
use crate::policy::{Decision, Request};
use crate::timestamp::Timestamp;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root { plugin: None }));
}}

/// A failed host call is a state that should not be.
impl From<Status> for Reason {
    fn from(_: Status) -> Self {
        Self::InternalError
    }
}

/// What all requests of one configuration share on one worker.
struct Plugin {
    configuration: Configuration,
    connections: RefCell<RecentConnections>,
}

struct Root {
    plugin: Option<Rc<Plugin>>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let bytes = self.get_plugin_configuration().unwrap_or_default();
        match Configuration::parse(&bytes) {
            Ok(configuration) => {
                let connections = RefCell::default();
                self.plugin = Some(Rc::new(Plugin {
                    configuration,
                    connections,
                }));
                true
            }
            Err(error) => {
                let line = format!("mtls-identity: configuration refused: {error}");
                // A log line that cannot be written changes nothing: Envoy says that it was refused.
                let _ = hostcalls::log(LogLevel::Critical, &line);
                false
            }
        }
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        let plugin = self.plugin.clone();
        Some(Box::new(Exchange { plugin }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// One request and its response.
struct Exchange {
    plugin: Option<Rc<Plugin>>,
}

impl Context for Exchange {}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let decided = match &self.plugin {
            Some(plugin) => plugin.serve(),
            None => Err(Reason::InternalError),
        };
        match decided {
            Ok(()) => Action::Continue,
            Err(reason) => refuse(reason),
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        let stripped = match &self.plugin {
            Some(plugin) => strip_trailers(&plugin.configuration.headers),
            None => Err(Reason::InternalError),
        };
        match stripped {
            Ok(()) => Action::Continue,
            Err(reason) => refuse(reason),
        }
    }
}

impl Plugin {
    /// Strips, decides and sets. After an error the request must not go on.
    fn serve(&self) -> Result<(), Reason> {
        let rules = &self.configuration.headers;
        let map = hostcalls::get_map_bytes(MapType::HttpRequestHeaders)?;
        strip(MapType::HttpRequestHeaders, &map, rules)?;
        let connection = values(&map, "connection");
        if connection.iter().any(|value| rules.is_named_by(value)) {
            return Err(Reason::MalformedRequest);
        }
        let forwarded = joined(&values(&map, "x-forwarded-client-cert"));
        let request = Request {
            now: now()?,
            path: values(&map, ":path").first().copied().unwrap_or_default(),
            forwarded: forwarded.as_deref(),
        };
        let peer = self.direct_peer(request.forwarded)?;
        match self.configuration.policy.decide(&request, &peer) {
            Decision::Allow(permit) => set(&rules.of(&permit)?),
            Decision::Deny(reason) => Err(reason),
        }
    }

    fn direct_peer(
        &self,
        forwarded: Option<&[u8]>,
    ) -> Result<Result<Option<DirectPeer>, Reason>, Reason> {
        let id = connection_id()?;
        if let Some(known) = id.and_then(|id| self.connections.borrow().peer(id).cloned()) {
            return Ok(Ok(Some(known)));
        }
        let peer = read_direct_peer(forwarded)?;
        if let (Some(id), Ok(Some(peer))) = (id, &peer)
            && peer.peer.certificate().is_some()
        {
            self.connections.borrow_mut().remember(id, peer.clone());
        }
        Ok(peer)
    }
}

/// Asks Envoy for the least that tells who is there: each answer costs a copy into the VM.
fn read_direct_peer(
    forwarded: Option<&[u8]>,
) -> Result<Result<Option<DirectPeer>, Reason>, Reason> {
    let certificate = attribute(&["connection", "peer_certificate"])?;
    let digest = match certificate {
        Some(_) => None,
        None => attribute(&["connection", "sha256_peer_certificate_digest"])?,
    };
    let principal = match certificate.as_ref().or(digest.as_ref()) {
        Some(_) => None,
        None => attribute(&["filter_state", "io.istio.peer_principal"])?,
    };
    let valid = attribute(&["connection", "peer_certificate_valid"])?;
    let attributes = ConnectionAttributes {
        peer_certificate: certificate.as_deref(),
        peer_certificate_valid: valid.map(|bytes| bytes == [1]),
        sha256_peer_certificate_digest: digest.as_deref(),
        peer_principal: principal.as_deref(),
    };
    Ok(DirectPeer::read(&attributes, forwarded))
}

fn connection_id() -> Result<Option<u64>, Reason> {
    let bytes = attribute(&["connection", "id"])?;
    Ok(bytes.and_then(|bytes| bytes.try_into().ok().map(u64::from_le_bytes)))
}

/// An attribute of Envoy; an empty one is none.
fn attribute(path: &[&str]) -> Result<Option<Bytes>, Reason> {
    let bytes = hostcalls::get_property(path.to_vec())?;
    Ok(bytes.filter(|bytes| !bytes.is_empty()))
}

fn now() -> Result<Timestamp, Reason> {
    let since = hostcalls::get_current_time()?.duration_since(UNIX_EPOCH);
    let seconds = since.map_err(|_| Reason::InternalError)?.as_secs();
    i64::try_from(seconds)
        .map(Timestamp::from_unix)
        .map_err(|_| Reason::InternalError)
}

type HeaderMap = [(String, Bytes)];

fn values<'a>(map: &'a HeaderMap, name: &str) -> Vec<&'a [u8]> {
    map.iter()
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.as_slice())
        .collect()
}

/// The values of a repeated header as one (RFC 9110 section 5.3); none if there is none.
fn joined(values: &[&[u8]]) -> Option<Vec<u8>> {
    (!values.is_empty()).then(|| values.join(&b","[..]))
}

fn strip(kind: MapType, map: &HeaderMap, rules: &HeaderRules) -> Result<(), Reason> {
    for (name, _) in map {
        if rules.is_owned(name.as_bytes()) {
            hostcalls::remove_map_value(kind, name)?;
        }
    }
    Ok(())
}

/// Trailers may end up among the headers (RFC 9110 section 6.5.2), so they carry no identity either.
fn strip_trailers(rules: &HeaderRules) -> Result<(), Reason> {
    let map = hostcalls::get_map_bytes(MapType::HttpRequestTrailers)?;
    strip(MapType::HttpRequestTrailers, &map, rules)
}

fn set(headers: &[(&crate::header_name::HeaderName, String)]) -> Result<(), Reason> {
    for (name, value) in headers {
        let value = Some(value.as_bytes());
        hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, name.as_str(), value)?;
    }
    Ok(())
}

/// Answers with the problem. The request is held whatever becomes of the answer.
fn refuse(reason: Reason) -> Action {
    let headers = vec![
        ("content-type", "application/problem+json"),
        ("cache-control", "no-store"),
    ];
    let status = u32::from(reason.status().code());
    let body = reason.problem();
    // Nothing is left to do when Envoy cannot answer: the request stays held.
    let _ = hostcalls::send_http_response(status, headers, Some(body.as_bytes()));
    Action::Pause
}
