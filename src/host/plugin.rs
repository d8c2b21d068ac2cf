//! What is done with the requests of one configuration on one worker.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use log::Level;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType};

use crate::certificate::Timestamp;
use crate::config::Configuration;
use crate::decide::{
    Arrival, Body, Connection, ConnectionClient, Headers, Outcome, RecentConnections, Step,
};
use crate::identity::PeerError;
use crate::limit::{Charge, Nanoseconds};
use crate::reason::Reason;
use crate::report::{self, Counter, EarlyRemoval, LogLimit};
use crate::request::RequestHead;
use crate::rules::{Confirmation, Revocations, TokenBinding};

use super::attributes::{attribute, confirmation, connection_id, now, read_direct_peer, timestamp};
use super::metrics::Metrics;
use super::open_streams::{self, PluginName};
use super::refusal::{Refusal, ResponseHeaders};
use super::sdk_gaps::{header_map, set_property};
use super::shared_table::SharedTable;
use super::unheard::{NOT_HANDED_OVER, Unheard, make_current};

/// The record's filter state, `wasm.mtls_identity`.
const RECORD: &[u8] = b"mtls_identity";

/// What the filter state of a header begins with: `wasm.mtls_identity.<name>`.
const HEADER: &[u8] = b"mtls_identity.";

/// Enough for the names of most states, in bytes.
const TYPICAL_STATE: usize = 64;

/// A configuration that serves, and what all of its requests on one worker share.
pub(super) struct Plugin {
    configuration: Configuration,
    metrics: Metrics,
    table: Option<SharedTable>,
    connections: RefCell<RecentConnections>,
    /// Log lines of denials have a limit of their own, so that lines of allowed requests cannot push them out.
    denials: RefCell<LogLimit>,
    others: RefCell<LogLimit>,
    early_removal: Cell<EarlyRemoval>,
    pub(super) unheard: Unheard,
    /// The memory of the record before: each record is written in the place of the former.
    former_record: Cell<Vec<u8>>,
}

/// What becomes of a request that is not refused.
pub(super) enum Served {
    /// It goes on, and its response gets these headers.
    Passes(ResponseHeaders, Rc<ConnectionClient>),
    /// Its body decides, which is still to come.
    Waits(Held),
}

/// A request whose body is still to come.
pub(super) struct Held {
    /// Its header map as it came, before anything was removed.
    map: Vec<u8>,
    client: Rc<ConnectionClient>,
}

impl Held {
    /// Who it comes from.
    pub(super) fn client(&self) -> Rc<ConnectionClient> {
        self.client.clone()
    }
}

/// The configuration is replaced, and its last request has ended: what was counted under it is written before it goes.
/// (Envoy would also call `on_done`, but for each request as well.)
impl Drop for Plugin {
    fn drop(&mut self) {
        self.flush();
    }
}

impl Plugin {
    /// Makes the table of limits ready if the configuration has any limit.
    pub(super) fn new(configuration: Configuration) -> Self {
        let is_limited = configuration.filter.limits.is_anybody_limited();
        Self {
            table: is_limited.then(SharedTable::open),
            configuration,
            metrics: Metrics::define(),
            connections: RefCell::default(),
            denials: RefCell::default(),
            others: RefCell::default(),
            early_removal: Cell::default(),
            unheard: Unheard::default(),
            former_record: Cell::default(),
        }
    }

    /// Strips, decides, sets, and records what was done.
    pub(super) fn serve(&self, end_of_stream: bool) -> Result<Served, Refusal> {
        let (Ok(map), Ok(now)) = (header_map(MapType::HttpRequestHeaders), now()) else {
            return Err(self.refuse_unread());
        };
        let head = RequestHead::read(&map).filter(|head| !head.is_empty());
        let head = head.ok_or_else(|| self.refuse_unread())?;
        self.warn_of_late_removal(&head, timestamp(now));
        let body = if end_of_stream {
            Body::None
        } else {
            Body::Coming
        };
        let client = self
            .strip(MapType::HttpRequestHeaders, &head)
            .and_then(|()| self.client(&head, timestamp(now)));
        let client = match client {
            Ok(client) => client,
            Err(reason) => return self.finish(Outcome::refused(reason), &head, now, nobody()),
        };
        match self.step(&head, body, &client, now) {
            Step::Done(outcome) => self.finish(outcome, &head, now, client),
            Step::Hold => Ok(Served::Waits(Held { map, client })),
        }
    }

    /// Decides on a held request when its body is whole, or longer than any that is read. All but the message is asked
    /// again: time has passed.
    pub(super) fn serve_held(
        &self,
        held: Held,
        size: usize,
        is_whole: bool,
    ) -> Result<Served, Refusal> {
        let is_too_long = size > self.configuration.filter.mcp.max_body;
        if !is_whole && !is_too_long {
            return Ok(Served::Waits(held));
        }
        let head = RequestHead::read(&held.map);
        let (Some(head), Ok(now)) = (head, now()) else {
            return Err(self.refuse_unread());
        };
        let bytes = match is_too_long {
            true => None,
            false => hostcalls::get_buffer(BufferType::HttpRequestBody, 0, size)
                .ok()
                .flatten(),
        };
        let bytes = bytes.unwrap_or_default();
        let body = match is_too_long {
            true => Body::TooLong,
            false if bytes.len() != size => return Err(self.refuse_unread()),
            false => Body::Whole(&bytes),
        };
        match self.step(&head, body, &held.client, now) {
            Step::Done(outcome) => self.finish(outcome, &head, now, held.client),
            Step::Hold => Err(self.refuse_unread()),
        }
    }

    /// Refuses held requests whose body Envoy keeps to itself.
    pub(super) fn refuse_withheld(&self) {
        let withheld = self.unheard.take_withheld().into_iter();
        for _ in withheld.filter(|&id| make_current(id)) {
            let map = header_map(MapType::HttpRequestHeaders).unwrap_or_default();
            let refused = match (RequestHead::read(&map), now()) {
                (Some(head), Ok(now)) => {
                    self.finish(Outcome::failed(NOT_HANDED_OVER), &head, now, nobody())
                }
                _ => Err(self.refuse_unread()),
            };
            if let Err(refusal) = refused {
                refusal.answer();
            }
        }
    }

    fn step(
        &self,
        head: &RequestHead<'_>,
        body: Body<'_>,
        client: &ConnectionClient,
        now: Nanoseconds,
    ) -> Step<'_> {
        let charge = |charge: &Charge<'_>| {
            let table = self.table.as_ref().ok_or(Reason::InternalError)?;
            table.charge(charge, now)
        };
        let filter = &self.configuration.filter;
        let arrival = Arrival {
            now: timestamp(now),
            token: self.confirmation(),
        };
        filter.step(head, body, arrival, client, charge)
    }

    /// What the access token says of a certificate, where anybody asks.
    fn confirmation(&self) -> Confirmation {
        let tokens = &self.configuration.filter.policy.tokens;
        match tokens.binding {
            TokenBinding::Off => Confirmation::None,
            TokenBinding::IfPresent | TokenBinding::Required => confirmation(&tokens.metadata),
        }
    }

    /// Sets the headers of a request that is decided, and records what was done.
    fn finish(
        &self,
        outcome: Outcome<'_>,
        head: &RequestHead<'_>,
        now: Nanoseconds,
        client: Rc<ConnectionClient>,
    ) -> Result<Served, Refusal> {
        let outcome = match set(&outcome.headers) {
            Ok(()) => outcome,
            Err(reason) => Outcome::refused(reason),
        };
        self.record(&outcome, head, timestamp(now));
        let limit_headers = |allowance| self.configuration.filter.limit_headers(allowance);
        let headers = outcome.allowance.as_ref().map(limit_headers);
        let headers = headers.unwrap_or_default();
        match outcome.decision.reason() {
            None => Ok(Served::Passes(headers, client)),
            Some(reason) => Err(Refusal { reason, headers }),
        }
    }

    /// Refuses a request of which not enough is known for a record.
    fn refuse_unread(&self) -> Refusal {
        self.metrics.count(Counter::Deny(Reason::InternalError));
        Refusal::new(Reason::InternalError)
    }

    /// Says in the log that the listener in front of the filter lacks the early removal.
    fn warn_of_late_removal(&self, head: &RequestHead<'_>, now: Timestamp) {
        let mut early_removal = self.early_removal.get();
        let warning = |name| early_removal.warning(name, now);
        if let Some(text) = head.names().find_map(warning) {
            log::warn!("{text}");
            self.early_removal.set(early_removal);
        }
    }

    fn strip(&self, map: MapType, head: &RequestHead<'_>) -> Result<(), Reason> {
        let filter = &self.configuration.filter;
        let mut is_claimed = false;
        for name in filter.owned_names(head) {
            is_claimed |= filter.is_claim(name);
            let name = str::from_utf8(name).map_err(|_| Reason::InternalError)?;
            hostcalls::remove_map_value(map, name)?;
        }
        if is_claimed {
            self.metrics.count(Counter::Stripped);
        }
        Ok(())
    }

    /// Strips trailers as well: they may end up among the headers (RFC 9110 section 6.5.2).
    pub(super) fn strip_trailers(&self) -> Result<(), Refusal> {
        let stripped = header_map(MapType::HttpRequestTrailers).and_then(|map| {
            let trailers = RequestHead::read(&map).ok_or(Reason::InternalError)?;
            self.strip(MapType::HttpRequestTrailers, &trailers)
        });
        stripped.map_err(|_| self.refuse_unread())
    }

    /// Who the request comes from; an error is a failed call.
    fn client(
        &self,
        head: &RequestHead<'_>,
        now: Timestamp,
    ) -> Result<Rc<ConnectionClient>, Reason> {
        let id = connection_id()?;
        let mut connections = self.connections.borrow_mut();
        match id.and_then(|id| connections.known(id)) {
            Some(known) => Ok(known.client(&self.configuration.filter, || {
                self.configuration.filter.forwarded(head)
            })),
            None => self.new_client(id, &mut connections, head, now),
        }
    }

    /// The same for a connection that is not remembered; kept apart from what every request runs through.
    #[cold]
    #[inline(never)]
    fn new_client(
        &self,
        id: Option<u64>,
        connections: &mut RecentConnections,
        head: &RequestHead<'_>,
        now: Timestamp,
    ) -> Result<Rc<ConnectionClient>, Reason> {
        let filter = &self.configuration.filter;
        let direct = match read_direct_peer(|| head.forwarded())? {
            Ok(Some(direct)) => direct,
            nobody => return Ok(Rc::new(filter.client(&nobody, None))),
        };
        let mut connection = Connection::of(direct);
        let client = connection.client(filter, || filter.forwarded(head));
        if let (Some(id), Some(certificate)) = (id, client.direct_certificate()) {
            self.metrics.count(Counter::CertificateParsed);
            if !client.speaks_for_others() && certificate.expires_soon(now) {
                self.metrics.count(Counter::CertificateExpiresSoon);
            }
            connections.remember(id, connection);
        }
        Ok(client)
    }

    /// Counts and records a decision. Counters and records never decide: one that cannot be written is left out.
    fn record(&self, outcome: &Outcome<'_>, head: &RequestHead<'_>, now: Timestamp) {
        Counter::of(&outcome.decision).for_each(|counter| self.metrics.count(counter));
        let rules = &self.configuration.audit;
        let (level, limit) = match outcome.decision.reason() {
            Some(_) => (Level::Warn, &self.denials),
            None => (Level::Info, &self.others),
        };
        let could_log = rules.logs(&outcome.decision);
        if !could_log && !rules.access_log {
            return;
        }
        let client = attribute(b"source\0address").ok().flatten();
        let client = client.unwrap_or_default();
        let logs = could_log && {
            let source = outcome.decision.evidence().log_source(&client);
            let reason = outcome.decision.reason();
            limit.borrow_mut().admits(now, reason, &source)
        };
        if !logs && !rules.access_log {
            return;
        }
        let former = self.former_record.take();
        let record = report::record(&outcome.decision, head, &client, former);
        if rules.access_log {
            let _ = set_property(RECORD, &record);
        }
        if logs {
            log::log!(level, "{}", String::from_utf8_lossy(&record));
        }
        self.former_record.set(record);
    }

    /// Ends the open requests of clients that this configuration revokes. `plugin` and `root` are whose it is.
    pub(super) fn end_revoked(&self, plugin: &PluginName, root: u32) {
        let filter = &self.configuration.filter;
        if filter.policy.revoked == Revocations::default() {
            return;
        }
        let count = open_streams::end_revoked(plugin, filter, root);
        if count > 0 {
            log::warn!("{}", report::ended(count));
        }
    }

    /// Writes what was counted since the last time.
    pub(super) fn flush(&self) {
        self.metrics.flush();
        let limits = [&self.denials, &self.others];
        let counts = limits.map(|limit| limit.borrow_mut().take_suppressed());
        let count: u64 = counts.iter().sum();
        if count > 0 {
            log::warn!("{}", report::suppressed(count));
        }
    }
}

/// The client of a request that is refused before one is known.
fn nobody() -> Rc<ConnectionClient> {
    Rc::new(ConnectionClient::nobody(&PeerError::Nothing))
}

/// Sets headers, and beside each its filter state, from which the route configuration writes it once more behind all
/// that routes may write. Envoy takes any name of a header for a state's.
fn set(headers: &Headers) -> Result<(), Reason> {
    let mut path = Vec::with_capacity(TYPICAL_STATE);
    path.extend_from_slice(HEADER);
    for (name, value) in headers {
        // All headers of this name were removed, so that adding is enough and Envoy need not look for one.
        hostcalls::add_map_value_bytes(MapType::HttpRequestHeaders, name, value)?;
        path.truncate(HEADER.len());
        path.extend_from_slice(name.as_bytes());
        set_property(&path, value)?;
    }
    Ok(())
}
