//! The module in a proxy that answers as Envoy never does. A trap would end the VM for every client, so none may come of
//! it: the request is refused with 500, and the next one is served.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use mtls_identity::request::write_map;
use wasmi::{AsContextMut, Caller, Engine, Extern, Instance, Linker, Module, Store, Val};

use crate::harness::artifacts;
use crate::harness::certs::Authority;
use crate::harness::gateway::{USER, VERIFY};

const ALICE: &str = "alice@example.com";

/// `proxy_status_t`: the good one, that of what is not there, and others, some of which it does not have.
const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
const ODD: [u32; 7] = [2, 3, 7, 8, 10, 13, u32::MAX];

const CONTINUE: i32 = 0;
const PAUSE: i32 = 1;

/// What the proxy knows, and what it was told.
#[derive(Default)]
struct Proxy {
    configuration: Vec<u8>,
    headers: Vec<u8>,
    properties: HashMap<&'static str, Vec<u8>>,
    /// What a call or, after a space, a filter state is answered with in place of [`OK`].
    statuses: HashMap<String, u32>,
    added: Vec<String>,
    states: BTreeMap<String, String>,
    log: Vec<String>,
    replies: Vec<u32>,
}

/// A call out of the module.
struct Call<'a> {
    proxy: Caller<'a, Proxy>,
    arguments: Vec<u32>,
}

impl Call<'_> {
    fn memory(&self) -> wasmi::Memory {
        let memory = self.proxy.get_export("memory");
        memory.and_then(Extern::into_memory).unwrap()
    }

    /// The bytes to which two arguments point.
    fn bytes(&self, first: usize) -> Vec<u8> {
        let [start, size] = [first, first + 1].map(|place| self.arguments[place] as usize);
        self.memory().data(&self.proxy)[start..start + size].to_vec()
    }

    fn text(&self, first: usize) -> String {
        String::from_utf8(self.bytes(first)).unwrap()
    }

    fn write(&mut self, to: u32, bytes: &[u8]) {
        let memory = self.memory();
        memory.write(&mut self.proxy, to as usize, bytes).unwrap();
    }

    /// Answers with bytes in memory of the module, as proxies do.
    fn answer(&mut self, first: usize, bytes: &[u8]) -> u32 {
        let allocate = self.proxy.get_export("proxy_on_memory_allocate");
        let allocate = allocate.and_then(Extern::into_func).unwrap();
        let allocate = allocate.typed::<u32, u32>(&self.proxy).unwrap();
        let size = u32::try_from(bytes.len()).unwrap();
        let place = allocate.call(self.proxy.as_context_mut(), size).unwrap();
        self.write(place, bytes);
        self.write(self.arguments[first], &place.to_le_bytes());
        self.write(self.arguments[first + 1], &size.to_le_bytes());
        OK
    }

    fn run(&mut self, function: &str) -> u32 {
        if let Some(&status) = self.proxy.data().statuses.get(function) {
            return status;
        }
        match function {
            "proxy_get_buffer_bytes" => {
                let configuration = self.proxy.data().configuration.clone();
                self.answer(3, &configuration)
            }
            "proxy_get_header_map_pairs" => {
                let headers = self.proxy.data().headers.clone();
                self.answer(1, &headers)
            }
            "proxy_get_property" => {
                let path = self.text(0).replace('\0', ".");
                match self.proxy.data().properties.get(path.as_str()).cloned() {
                    Some(value) => self.answer(2, &value),
                    None => NOT_FOUND,
                }
            }
            "proxy_set_property" => self.set_property(),
            "proxy_add_header_map_value" => {
                let name = self.text(1);
                self.proxy.data_mut().added.push(name);
                OK
            }
            "proxy_log" => {
                let line = self.text(1);
                self.proxy.data_mut().log.push(line);
                OK
            }
            "proxy_send_local_response" => {
                let status = self.arguments[0];
                self.proxy.data_mut().replies.push(status);
                OK
            }
            "proxy_get_current_time_nanoseconds" => {
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                let now = u64::try_from(now.unwrap().as_nanos()).unwrap();
                self.write(self.arguments[0], &now.to_le_bytes());
                OK
            }
            // What else is called gives nothing.
            _ => OK,
        }
    }

    fn set_property(&mut self) -> u32 {
        let (name, value) = (self.text(0), self.text(2));
        let proxy = self.proxy.data_mut();
        let status = proxy.statuses.get(&format!("state {name}"));
        let status = status.copied().unwrap_or(OK);
        if status == OK {
            proxy.states.insert(name, value);
        }
        status
    }
}

/// One VM with one configuration.
struct Vm {
    store: Store<Proxy>,
    instance: Instance,
    last: i32,
}

impl Vm {
    const ROOT: i32 = 1;

    fn new() -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, fs::read(artifacts::wasm()).unwrap()).unwrap();
        let mut linker = Linker::new(&engine);
        for import in module.imports() {
            let function = import.name().to_owned();
            let call = move |proxy: Caller<'_, Proxy>, given: &[Val], results: &mut [Val]| {
                // No function that is used has larger arguments.
                let arguments = given.iter().map(|it| it.i32().unwrap_or_default() as u32);
                let arguments = arguments.collect();
                let status = Call { proxy, arguments }.run(&function);
                results.fill(Val::I32(status as i32));
                Ok(())
            };
            let ty = import.ty().func().unwrap().clone();
            linker
                .func_new(import.module(), import.name(), ty, call)
                .unwrap();
        }
        let certificate = Authority::new().client(ALICE).pem().into_bytes();
        let mut store = Store::new(&engine, Proxy::default());
        let proxy = store.data_mut();
        proxy.configuration = br#"{"audit": {"access_log": true}}"#.to_vec();
        proxy.headers = write_map([(&b":method"[..], &b"GET"[..]), (b":path", b"/")]);
        proxy.properties = HashMap::from([
            ("connection.id", 7_u64.to_le_bytes().to_vec()),
            ("connection.peer_certificate", certificate),
            ("connection.peer_certificate_valid", vec![1]),
        ]);
        let instance = linker.instantiate_and_start(&mut store, &module).unwrap();
        let mut vm = Self {
            store,
            instance,
            last: Self::ROOT,
        };
        vm.call("_initialize", &[]);
        vm.call("proxy_on_context_create", &[Self::ROOT, 0]);
        assert_eq!(vm.call("proxy_on_vm_start", &[Self::ROOT, 0]), 1);
        let size = i32::try_from(vm.store.data().configuration.len()).unwrap();
        assert_eq!(vm.call("proxy_on_configure", &[Self::ROOT, size]), 1);
        vm
    }

    /// What the callback gives; a trap fails the test.
    fn call(&mut self, callback: &str, arguments: &[i32]) -> i32 {
        let called = self.try_call(callback, arguments);
        called.unwrap_or_else(|error| panic!("{callback}: {error}"))
    }

    /// What the callback gives, or the trap that ends the VM.
    fn try_call(&mut self, callback: &str, arguments: &[i32]) -> Result<i32, wasmi::Error> {
        let function = self.instance.get_func(&self.store, callback).unwrap();
        let arguments: Vec<_> = arguments.iter().copied().map(Val::I32).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        function.call(&mut self.store, &arguments, &mut results)?;
        Ok(results.first().and_then(Val::i32).unwrap_or_default())
    }

    /// A request: what becomes of it, and the status of the local reply.
    fn request(&mut self) -> (i32, Option<u32>) {
        self.store.data_mut().replies.clear();
        self.store.data_mut().added.clear();
        self.last += 1;
        let id = self.last;
        self.call("proxy_on_context_create", &[id, Self::ROOT]);
        let action = self.call("proxy_on_request_headers", &[id, 2, 1]);
        // Of what is refused the rest is held, too: else Envoy would send the head on.
        assert_eq!(self.call("proxy_on_request_body", &[id, 1, 0]), action);
        let trailers = self.call("proxy_on_request_trailers", &[id, 0]);
        assert!(action == CONTINUE || trailers == PAUSE);
        self.call("proxy_on_response_headers", &[id, 0, 1]);
        self.call("proxy_on_delete", &[id]);
        (action, self.store.data().replies.first().copied())
    }

    /// The same, with this status of a call or of a state.
    fn request_with(&mut self, what: &str, status: u32) -> (i32, Option<u32>) {
        let statuses = &mut self.store.data_mut().statuses;
        statuses.insert(what.to_owned(), status);
        let outcome = self.request();
        self.store.data_mut().statuses.clear();
        outcome
    }

    #[track_caller]
    fn assert_serves(&mut self) {
        assert_eq!(self.request(), (CONTINUE, None));
        assert_eq!(self.store.data().added, [USER, VERIFY]);
    }
}

#[test]
fn each_header_has_a_state_beside_it() {
    let mut vm = Vm::new();
    vm.assert_serves();
    let states = &vm.store.data().states;
    assert_eq!(states[&format!("mtls_identity.{USER}")], ALICE);
    let record: serde_json::Value = serde_json::from_str(&states["mtls_identity"]).unwrap();
    assert_eq!(record["user"], ALICE);
    assert_eq!(states[&format!("mtls_identity.{VERIFY}")], "SUCCESS");
    assert_eq!(states.len(), 3);
}

#[test]
fn a_call_that_fails_refuses_its_request_and_no_other() {
    let mut vm = Vm::new();
    for status in ODD {
        for call in [
            "proxy_get_header_map_pairs",
            "proxy_get_property",
            &format!("state mtls_identity.{USER}"),
        ] {
            let outcome = vm.request_with(call, status);
            assert_eq!(outcome, (PAUSE, Some(500)), "{call} {status}");
            vm.assert_serves();
        }
    }
}

#[test]
fn a_record_that_cannot_be_written_decides_nothing() {
    let mut vm = Vm::new();
    for status in ODD {
        let outcome = vm.request_with("state mtls_identity", status);
        assert_eq!(outcome, (CONTINUE, None), "{status}");
        assert_eq!(vm.store.data().added, [USER, VERIFY]);
    }
}

#[test]
fn a_request_that_cannot_be_answered_stays_held() {
    let mut vm = Vm::new();
    vm.store.data_mut().properties.clear();
    assert_eq!(vm.request(), (PAUSE, Some(403)));
    for status in ODD {
        let outcome = vm.request_with("proxy_send_local_response", status);
        assert_eq!(outcome, (PAUSE, None), "{status}");
    }
}

#[test]
fn a_header_map_that_is_none_refuses_its_request_and_no_other() {
    let mut vm = Vm::new();
    let whole = vm.store.data().headers.clone();
    let mut odd: Vec<_> = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
    odd.push([&whole[..], b"x"].concat());
    odd.push(vec![0xff; 64]);
    odd.push(write_map([]));
    for headers in odd {
        vm.store.data_mut().headers = headers.clone();
        assert_eq!(vm.request(), (PAUSE, Some(500)), "{headers:?}");
        vm.store.data_mut().headers = whole.clone();
        vm.assert_serves();
    }
}

#[test]
fn a_name_that_is_no_text_refuses_its_request_and_no_other() {
    let mut vm = Vm::new();
    let whole = vm.store.data().headers.clone();
    let field = (&b"x-ssl-client-\xff"[..], &b"admin"[..]);
    vm.store.data_mut().headers = write_map([(&b":path"[..], &b"/"[..]), field]);
    assert_eq!(vm.request(), (PAUSE, Some(500)));
    vm.store.data_mut().headers = whole;
    vm.assert_serves();
}

#[test]
fn a_property_of_any_bytes_ends_no_vm() {
    let mut vm = Vm::new();
    let mut whole = vm.store.data().properties.clone();
    let names: Vec<_> = whole.keys().copied().collect();
    let mut connection = 7_u64;
    for name in names {
        for bytes in [&b""[..], b"\xff", &[0; 9], &[0xff; 70_000]] {
            let properties = &mut vm.store.data_mut().properties;
            properties.insert(name, bytes.to_vec());
            vm.request();
            // A certificate that is refused stays so on its connection.
            connection += 1;
            whole.insert("connection.id", connection.to_le_bytes().to_vec());
            vm.store.data_mut().properties = whole.clone();
            vm.assert_serves();
        }
    }
}

#[test]
fn twenty_thousand_requests_leave_nothing_in_memory() {
    let mut vm = Vm::new();
    let mut sizes = Vec::new();
    for _ in 0..10 {
        for _ in 0..1000 {
            vm.assert_serves();
            assert_eq!(vm.request_with("proxy_get_property", 2).0, PAUSE);
        }
        let memory = vm.instance.get_memory(&vm.store, "memory").unwrap();
        sizes.push(memory.data_size(&vm.store));
    }
    // Eight bytes left behind by each request would be another page of 64 KiB.
    assert_eq!(sizes[1..], vec![sizes[1]; 9]);
}

#[test]
fn a_panic_says_in_the_proxys_log_what_it_was() {
    let mut vm = Vm::new();
    // For a status that the SDK knows not of, which no proxy gives.
    let statuses = &mut vm.store.data_mut().statuses;
    statuses.insert("proxy_set_tick_period_milliseconds".to_owned(), 2);
    assert!(vm.try_call("proxy_on_configure", &[Vm::ROOT, 31]).is_err());
    let log = &vm.store.data().log;
    let line = log.last().unwrap();
    assert!(line.contains("panicked at /cargo/"), "{line}");
    assert!(line.contains("unexpected status: 2"), "{line}");
}
