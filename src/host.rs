//! The proxy-wasm side: reads what Envoy knows, asks the core, does what it says.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proxy_wasm_abi::calls::{self, HeaderMap, Level, Status};
use proxy_wasm_abi::{Action, Answers, Filter, filter};

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
use crate::filter::Outcome;
use crate::flood::FloodGate;
use crate::gcra::Nanoseconds;
use crate::headers::Headers;
use crate::rate_limit::Charge;
use crate::request_head::RequestHead;
use crate::timestamp::Timestamp;

use attributes::{attribute, connection_id, read_direct_peer, timestamp};
use metrics::Metrics;
use refusal::Refusal;

/// How late a counter may be, in milliseconds.
const TICK: u32 = 250;

filter!(Plugin);

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
    former_record: Cell<Vec<u8>>,
}

/// Headers for the response.
type Told = Vec<(&'static str, String)>;

impl Filter for Plugin {
    type Kept = Told;

    fn configure(size: usize, answers: &Answers) -> Option<Self> {
        match read_configuration(size, answers) {
            Ok(configuration) => {
                if configuration.rate_limits.is_anybody_limited() {
                    shared_limits::create(answers);
                }
                // Without the tick only counts are lost.
                let _ = calls::set_tick_period(TICK);
                Some(Self::of(configuration))
            }
            Err(error) => {
                let line = format!("mtls-identity: configuration refused: {error}");
                // A log line that cannot be written changes nothing: Envoy says that it was refused.
                let _ = calls::log(Level::Critical, line.as_bytes());
                None
            }
        }
    }

    fn tick(&self) {
        self.flush();
    }

    fn request_headers(&self, answers: &Answers) -> (Action, Option<Told>) {
        match self.serve(answers) {
            Ok(told) => (Action::Continue, (!told.is_empty()).then_some(told)),
            Err(refusal) => (refusal.answer(), None),
        }
    }

    fn request_trailers(&self, answers: &Answers) -> Action {
        match self.strip_trailers(answers) {
            Ok(()) => Action::Continue,
            Err(reason) => Refusal::of(reason).answer(),
        }
    }

    fn response_headers(&self, told: Told) {
        for (name, value) in told {
            // What a client is told of its limit decides nothing.
            let _ = calls::replace_header(HeaderMap::Response, name.as_bytes(), value.as_bytes());
        }
    }

    fn refuse_unconfigured() -> Action {
        Refusal::of(Reason::InternalError).answer()
    }
}

/// The configuration is replaced, and its last request has ended: what was gathered under it is written before it goes.
/// (Envoy would also call `on_done`, but for each request as well.)
impl Drop for Plugin {
    fn drop(&mut self) {
        self.flush();
    }
}

/// A configuration of which Envoy gives less than it announced must not be taken for `{}`.
fn read_configuration(size: usize, answers: &Answers) -> Result<Configuration, String> {
    let bytes = answers.plugin_configuration(size).unwrap_or_default();
    if bytes.len() != size {
        return Err(format!("found {} bytes, expected {size}", bytes.len()));
    }
    Configuration::parse(bytes).map_err(|error| error.to_string())
}

impl Plugin {
    fn of(configuration: Configuration) -> Self {
        Self {
            configuration,
            metrics: Metrics::define(),
            connections: RefCell::default(),
            denials: RefCell::default(),
            others: RefCell::default(),
            former_record: Cell::default(),
        }
    }

    /// Strips, decides, sets, and writes down what was done: the headers for the response of a request
    /// that may go on.
    fn serve(&self, answers: &Answers) -> Result<Told, Refusal> {
        let map = answers.header_map(HeaderMap::Request).unwrap_or_default();
        let (head, now) = match (RequestHead::read(map), calls::now()) {
            (Some(head), Ok(now)) if !head.is_empty() => (head, now),
            _ => return Err(self.failed()),
        };
        let outcome = match self.apply(&head, now, answers) {
            Ok(outcome) => outcome,
            Err(reason) => Outcome::refused(reason),
        };
        self.write_down(&outcome, &head, timestamp(now), answers);
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
    fn apply(
        &self,
        head: &RequestHead<'_>,
        now: Nanoseconds,
        answers: &Answers,
    ) -> Result<Outcome<'_>, Reason> {
        self.strip(HeaderMap::Request, head)?;
        let caller = self.caller(head, timestamp(now), answers)?;
        let charge = |charge: &Charge| shared_limits::charge(charge, now, answers);
        let outcome = self
            .configuration
            .serve(head, timestamp(now), &caller, charge);
        set(&outcome.headers)?;
        Ok(outcome)
    }

    fn strip(&self, map: HeaderMap, head: &RequestHead<'_>) -> Result<(), Reason> {
        let mut stripped = false;
        for name in self.configuration.owned_names(head) {
            calls::remove_header(map, name)?;
            stripped = true;
        }
        if stripped {
            self.metrics.count(Counter::Stripped);
        }
        Ok(())
    }

    /// Trailers may end up among the headers (RFC 9110 section 6.5.2), so they carry no identity either.
    fn strip_trailers(&self, answers: &Answers) -> Result<(), Reason> {
        let map = answers.header_map(HeaderMap::RequestTrailers)?;
        let trailers = RequestHead::read(map).ok_or(Reason::InternalError)?;
        self.strip(HeaderMap::RequestTrailers, &trailers)
    }

    /// Who the request comes from; an error is a failed call.
    fn caller(
        &self,
        head: &RequestHead<'_>,
        now: Timestamp,
        answers: &Answers,
    ) -> Result<Rc<Caller>, Reason> {
        let id = connection_id(answers)?;
        let mut connections = self.connections.borrow_mut();
        match id.and_then(|id| connections.known(id)) {
            Some(known) => Ok(known.caller(&self.configuration, || head.forwarded())),
            None => self.newcomer(id, &mut connections, head, now, answers),
        }
    }

    /// The same for a connection that is not remembered; kept apart from what every request runs through.
    #[cold]
    #[inline(never)]
    fn newcomer(
        &self,
        id: Option<u64>,
        connections: &mut RecentConnections,
        head: &RequestHead<'_>,
        now: Timestamp,
        answers: &Answers,
    ) -> Result<Rc<Caller>, Reason> {
        let forwarded = || head.forwarded();
        let direct = match read_direct_peer(forwarded, answers)? {
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
    fn write_down(
        &self,
        outcome: &Outcome<'_>,
        head: &RequestHead<'_>,
        now: Timestamp,
        answers: &Answers,
    ) {
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
        let client = attribute(b"source\0address", answers).ok().flatten();
        let former = self.former_record.take();
        let record = audit::record(outcome, head, client.unwrap_or_default(), former);
        if rules.access_log {
            let _ = calls::set_property(b"mtls_identity", &record);
        }
        if logs {
            let level = match outcome.decision.reason() {
                Some(_) => Level::Warn,
                None => Level::Info,
            };
            let _ = calls::log(level, &record);
        }
        self.former_record.set(record);
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
            let _ = calls::log(Level::Warn, audit::suppressed(count).as_bytes());
        }
    }
}

fn set(headers: &Headers) -> Result<(), Reason> {
    for (name, value) in headers {
        // Of the request's own header with this name nothing is left, so that none has to be looked for.
        calls::add_header(HeaderMap::Request, name.as_bytes(), value.as_bytes())?;
        let state = format!("mtls_identity.{name}");
        calls::set_property(state.as_bytes(), value.as_bytes())?;
    }
    Ok(())
}
