//! The proxy-wasm side: reads what Envoy knows, asks the core, does what it says.
//!
//! Only `hostcalls` that take and give bytes are used: the ones with strings panic on a header byte above
//! 0x7f, and one panic ends the worker's VM for every client. The calls themselves panic on a status that
//! their contract does not name; Envoy gives none, and if it did, nothing would pass (FAIL_RELOAD, and the
//! guard behind the filter).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, LogLevel, MapType, Status};

mod attributes;
mod metrics;
mod refusal;
mod shared_limits;

use crate::audit;
use crate::caller::Caller;
use crate::config::Configuration;
use crate::connections::{Connection, RecentConnections};
use crate::counters::Counter;
use crate::denial::Reason;
use crate::filter::{Outcome, RequestHead};
use crate::flood::FloodGate;
use crate::gcra::Nanoseconds;
use crate::headers::Headers;
use crate::rate_limit::Charge;
use crate::timestamp::Timestamp;

use attributes::{attribute, connection_id, now, read_direct_peer, timestamp};
use metrics::Metrics;
use refusal::Refusal;

/// How late a counter may be.
const TICK: Duration = Duration::from_millis(250);

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
    metrics: Metrics,
    connections: RefCell<RecentConnections>,
    /// Denials have a gate of their own: what is allowed cannot cut them.
    denials: RefCell<FloodGate>,
    others: RefCell<FloodGate>,
}

struct Root {
    plugin: Option<Rc<Plugin>>,
}

impl Context for Root {}

/// The configuration is replaced: what was gathered under it is written before it goes. (Envoy would also
/// call `on_done`, but for each request as well.)
impl Drop for Root {
    fn drop(&mut self) {
        if let Some(plugin) = &self.plugin {
            plugin.flush();
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        match read_configuration(size) {
            Ok(configuration) => {
                if configuration.rate_limits.is_anybody_limited() {
                    shared_limits::create();
                }
                self.plugin = Some(Rc::new(Plugin::of(configuration)));
                // Without the tick only counts are lost.
                let _ = hostcalls::set_tick_period(TICK);
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

    fn on_tick(&mut self) {
        if let Some(plugin) = &self.plugin {
            plugin.flush();
        }
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Exchange {
            plugin: self.plugin.clone(),
            response_headers: Vec::new(),
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

/// A configuration of which Envoy gives less than it announced must not be taken for `{}`.
fn read_configuration(size: usize) -> Result<Configuration, String> {
    let bytes = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size);
    let bytes = bytes.ok().flatten().unwrap_or_default();
    if bytes.len() != size {
        return Err(format!("found {} bytes, expected {size}", bytes.len()));
    }
    Configuration::parse(&bytes).map_err(|error| error.to_string())
}

/// One request and its response.
struct Exchange {
    plugin: Option<Rc<Plugin>>,
    response_headers: Vec<(&'static str, String)>,
}

impl Context for Exchange {}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        let served = match &self.plugin {
            Some(plugin) => plugin.serve(),
            None => Err(Refusal::of(Reason::InternalError)),
        };
        match served {
            Ok(response_headers) => {
                self.response_headers = response_headers;
                Action::Continue
            }
            Err(refusal) => refusal.answer(),
        }
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        for (name, value) in self.response_headers.drain(..) {
            let value = Some(value.as_bytes());
            // What a client is told of its limit decides nothing.
            let _ = hostcalls::set_map_value_bytes(MapType::HttpResponseHeaders, name, value);
        }
        Action::Continue
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        let stripped = match &self.plugin {
            Some(plugin) => plugin.strip_trailers(),
            None => Err(Reason::InternalError),
        };
        match stripped {
            Ok(()) => Action::Continue,
            Err(reason) => Refusal::of(reason).answer(),
        }
    }
}

impl Plugin {
    fn of(configuration: Configuration) -> Self {
        Self {
            configuration,
            metrics: Metrics::define(),
            connections: RefCell::default(),
            denials: RefCell::default(),
            others: RefCell::default(),
        }
    }

    /// Strips, decides, sets, and writes down what was done: the headers for the response of a request
    /// that may go on.
    fn serve(&self) -> Result<Vec<(&'static str, String)>, Refusal> {
        let map = hostcalls::get_map_bytes(MapType::HttpRequestHeaders);
        let (map, now) = match (map, now()) {
            (Ok(map), Ok(now)) => (map, now),
            _ => return Err(self.failed()),
        };
        let head = RequestHead::of(&map);
        let outcome = match self.apply(&head, now) {
            Ok(outcome) => outcome,
            Err(reason) => Outcome::refused(reason),
        };
        self.write_down(&outcome, &head, timestamp(now));
        let told = |allowance| self.configuration.limit_headers(allowance);
        let headers = outcome.allowance.as_ref().map(told).unwrap_or_default();
        match outcome.decision.reason() {
            None => Ok(headers),
            Some(reason) => Err(Refusal { reason, headers }),
        }
    }

    /// A request of which not enough is known for a record.
    fn failed(&self) -> Refusal {
        self.metrics.count(Counter::Deny(Reason::InternalError));
        Refusal::of(Reason::InternalError)
    }

    /// Strips, decides and sets; an error is a failed call.
    fn apply(&self, head: &RequestHead<'_>, now: Nanoseconds) -> Result<Outcome<'_>, Reason> {
        self.strip(MapType::HttpRequestHeaders, head)?;
        let caller = self.caller(head, timestamp(now))?;
        let charge = |charge: &Charge| shared_limits::charge(charge, now);
        let outcome = self
            .configuration
            .serve(head, timestamp(now), &caller, charge);
        set(&outcome.headers)?;
        Ok(outcome)
    }

    fn strip(&self, kind: MapType, head: &RequestHead<'_>) -> Result<(), Reason> {
        let mut stripped = false;
        for name in self.configuration.owned_names(head) {
            hostcalls::remove_map_value(kind, name)?;
            stripped = true;
        }
        if stripped {
            self.metrics.count(Counter::Stripped);
        }
        Ok(())
    }

    /// Trailers may end up among the headers (RFC 9110 section 6.5.2), so they carry no identity either.
    fn strip_trailers(&self) -> Result<(), Reason> {
        let map = hostcalls::get_map_bytes(MapType::HttpRequestTrailers)?;
        self.strip(MapType::HttpRequestTrailers, &RequestHead::of(&map))
    }

    /// Who the request comes from; an error is a failed call.
    fn caller(&self, head: &RequestHead<'_>, now: Timestamp) -> Result<Rc<Caller>, Reason> {
        let id = connection_id()?;
        let forwarded = || head.forwarded();
        let mut connections = self.connections.borrow_mut();
        if let Some(known) = id.and_then(|id| connections.known(id)) {
            return Ok(known.caller(&self.configuration, forwarded));
        }
        let direct = match read_direct_peer(forwarded)? {
            Ok(Some(direct)) => direct,
            nobody => return Ok(Rc::new(self.configuration.caller(&nobody, None))),
        };
        let mut connection = Connection::of(direct);
        let caller = connection.caller(&self.configuration, forwarded);
        if let (Some(id), Some(certificate)) = (id, caller.direct_certificate()) {
            self.metrics.count(Counter::CertificateParsed);
            if !caller.speaks_for_others() && certificate.expires_soon(now) {
                self.metrics.count(Counter::CertificateExpiresSoon);
            }
            // Who is refused in any case must not displace who is served.
            if caller.validated.is_ok() {
                connections.remember(id, connection);
            }
        }
        Ok(caller)
    }

    /// Counters and records never decide: what cannot be written is not.
    fn write_down(&self, outcome: &Outcome<'_>, head: &RequestHead<'_>, now: Timestamp) {
        Counter::of(outcome).for_each(|counter| self.metrics.count(counter));
        let rules = &self.configuration.audit;
        let gate = match outcome.decision.reason() {
            Some(_) => &self.denials,
            None => &self.others,
        };
        let logs = rules.logs(outcome) && gate.borrow_mut().admits(now);
        if !logs && !rules.access_log {
            return;
        }
        let client = attribute(&["source", "address"]).ok().flatten();
        let record = audit::record(outcome, head, &client.unwrap_or_default());
        if rules.access_log {
            let _ = hostcalls::set_property(vec!["mtls_identity"], Some(record.as_bytes()));
        }
        if logs {
            let level = match outcome.decision.reason() {
                Some(_) => LogLevel::Warn,
                None => LogLevel::Info,
            };
            let _ = hostcalls::log(level, &record);
        }
    }

    /// Writes what was gathered.
    fn flush(&self) {
        self.metrics.flush();
        self.log_suppressed();
    }

    fn log_suppressed(&self) {
        let gates = [&self.denials, &self.others];
        let count: u64 = gates
            .map(|gate| gate.borrow_mut().take_suppressed())
            .iter()
            .sum();
        if count > 0 {
            let _ = hostcalls::log(LogLevel::Warn, &audit::suppressed(count));
        }
    }
}

fn set(headers: &Headers) -> Result<(), Reason> {
    for (name, value) in headers {
        let value = Some(value.as_bytes());
        hostcalls::set_map_value_bytes(MapType::HttpRequestHeaders, name, value)?;
    }
    Ok(())
}
