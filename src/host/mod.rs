//! The proxy-wasm side: reads what Envoy knows, asks the core, does what it says.
//!
//! Of the SDK only the functions that take and give bytes are used: those with strings panic on a header byte above 0x7f,
//! and one panic ends the worker's VM for every client. What else the SDK lacks is in `sdk_gaps`. The functions that are
//! used panic on a status that their contract does not name. Envoy gives none: adding and removing fail only where there
//! is no header map, and the rest not at all.
//!
//! `wasm-build.sh` lists the callbacks that the module exports: a callback that is new here is called when it is
//! listed there.

mod attributes;
mod metrics;
mod open_streams;
mod plugin;
mod refusal;
mod sdk_gaps;
mod shared_table;
mod unheard;

use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, BufferType, ContextType, LogLevel, MapType};

use crate::config::Configuration;
use crate::decide::ConnectionClient;
use crate::reason::Reason;

use open_streams::{OpenStream, PluginName};
use plugin::{Held, Plugin, Served};
use refusal::{Refusal, ResponseHeaders};
use unheard::RequestId;

/// How late a counter may be.
const TICK: Duration = Duration::from_millis(250);

proxy_wasm::main! {{
    // Also sends the message of a panic to the proxy's log.
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|id| Box::new(Root::new(id)));
}}

/// The context of a plugin configuration on one worker; without a plugin until a configuration is accepted.
struct Root {
    id: u32,
    name: PluginName,
    plugin: Option<Rc<Plugin>>,
}

impl Root {
    fn new(id: u32) -> Self {
        Self {
            id,
            name: PluginName::from([]),
            plugin: None,
        }
    }
}

/// The proxy has taken the configuration away, and its last request has ended.
impl Drop for Root {
    fn drop(&mut self) {
        open_streams::forget(self.id);
    }
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        if size == 0 {
            log::warn!("mtls-identity: no configuration was given, so the defaults hold");
        }
        let configuration = read_configuration(size);
        if let Err(error) = &configuration {
            log::error!("mtls-identity: configuration refused: {error}");
        }
        self.plugin = configuration.ok().map(Plugin::new).map(Rc::new);
        if self.plugin.is_some() {
            // Without the tick only counts are lost.
            let _ = hostcalls::set_tick_period(TICK);
        }
        self.name = plugin_name();
        open_streams::begin_review(self.id);
        self.plugin.is_some()
    }

    fn on_tick(&mut self) {
        let Some(plugin) = &self.plugin else {
            return;
        };
        plugin.flush();
        if open_streams::is_under_review(self.id) {
            plugin.end_revoked(&self.name, self.id);
        }
        plugin.refuse_withheld();
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, id: u32) -> Option<Box<dyn HttpContext>> {
        open_streams::note_use(&self.name, self.id);
        Some(Box::new(Exchange {
            id,
            name: self.name.clone(),
            plugin: self.plugin.clone(),
            open: None,
            held: None,
            held_size: 0,
            is_refused: false,
            response_headers: Vec::new(),
        }))
    }
}

/// What the proxy calls this plugin.
fn plugin_name() -> PluginName {
    let parts = ["plugin_name", "plugin_root_id"].map(|name| {
        let part = sdk_gaps::property(name.as_bytes());
        part.ok().flatten().unwrap_or_default()
    });
    parts.join(&0).into()
}

/// The configuration that the proxy has ready, of `size` bytes. One of which it gives less must not be taken for `{}`.
fn read_configuration(size: usize) -> Result<Configuration, String> {
    let bytes = hostcalls::get_buffer(BufferType::PluginConfiguration, 0, size);
    let bytes = bytes.ok().flatten().unwrap_or_default();
    if bytes.len() != size {
        return Err(format!("found {} bytes, expected {size}", bytes.len()));
    }
    Configuration::parse(&bytes).map_err(|error| error.to_string())
}

/// The context of one request and its response.
struct Exchange {
    id: RequestId,
    name: PluginName,
    /// From the decision on, or from when it is held.
    open: Option<OpenStream>,
    plugin: Option<Rc<Plugin>>,
    /// The request, while its body is still to come.
    held: Option<Held>,
    /// The length of its body so far, in bytes.
    held_size: usize,
    /// Nothing of a refused request goes on, whatever becomes of the answer.
    is_refused: bool,
    response_headers: ResponseHeaders,
}

impl Exchange {
    /// A request that comes before any configuration is refused.
    fn plugin(&self) -> Result<&Plugin, Reason> {
        self.plugin.as_deref().ok_or(Reason::InternalError)
    }

    /// Lets a request go on, holds it, or refuses it.
    fn apply(&mut self, served: Result<Served, Refusal>) -> Action {
        match served {
            Ok(Served::Passes(response_headers, client)) => {
                self.note(client);
                self.response_headers = response_headers;
                Action::Continue
            }
            Ok(Served::Waits(held)) => {
                self.note(held.client());
                self.held = Some(held);
                Action::Pause
            }
            Err(refusal) => {
                self.is_refused = true;
                refusal.answer()
            }
        }
    }

    /// Notes once that the request is open.
    fn note(&mut self, client: Rc<ConnectionClient>) {
        let note = || OpenStream::note(self.id, self.name.clone(), client);
        self.open.get_or_insert_with(note);
    }

    /// What becomes of the rest of a request that is decided.
    fn rest(&self) -> Action {
        match self.is_refused {
            true => Action::Pause,
            false => Action::Continue,
        }
    }

    /// The request that is held, if it is. From now on its body is seen.
    fn take_held(&mut self) -> Option<Held> {
        let held = self.held.take()?;
        if let Some(plugin) = &self.plugin {
            plugin.unheard.remove(self.id);
        }
        Some(held)
    }

    /// Decides on a held request. `size` is the length of its body so far, in bytes.
    fn decide_held(&mut self, held: Held, size: usize, is_whole: bool) -> Action {
        let served = self.plugin().map_err(Refusal::new);
        let served = served.and_then(|plugin| plugin.serve_held(held, size, is_whole));
        self.apply(served)
    }
}

/// A client may go away while its request is held.
impl Drop for Exchange {
    fn drop(&mut self) {
        self.take_held();
    }
}

impl Context for Exchange {}

impl HttpContext for Exchange {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let served = self.plugin().map_err(Refusal::new);
        let served = served.and_then(|plugin| plugin.serve(end_of_stream));
        if let (Ok(Served::Waits(_)), Some(plugin)) = (&served, &self.plugin) {
            plugin.unheard.add(self.id);
        }
        self.apply(served)
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        match self.take_held() {
            Some(held) => {
                self.held_size = size;
                self.decide_held(held, size, end_of_stream)
            }
            None => self.rest(),
        }
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        let stripped = self.plugin().map_err(Refusal::new);
        if let Err(refusal) = stripped.and_then(Plugin::strip_trailers) {
            return self.apply(Err(refusal));
        }
        // Trailers are behind the body, so that it is whole now.
        match self.take_held() {
            Some(held) => self.decide_held(held, self.held_size, true),
            None => self.rest(),
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
}
