//! Envoy's configuration: the shipped `envoy/envoy.yaml`, changed only where a test needs it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::artifacts::repository;
use super::certs::Authority;

const STRING_VALUE: &str = "type.googleapis.com/google.protobuf.StringValue";
const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";

/// A configuration and the folder in which Envoy will find it.
#[derive(Clone, Debug)]
pub(crate) struct Bootstrap {
    value: Value,
    directory: PathBuf,
}

impl Bootstrap {
    /// As shipped.
    pub(crate) fn shipped(directory: &Path) -> Self {
        let text = fs::read_to_string(repository().join("envoy/envoy.yaml")).unwrap();
        Self::of(&text, directory)
    }

    /// This text, which is laid out as the shipped one.
    pub(crate) fn of(yaml: &str, directory: &Path) -> Self {
        Self {
            value: serde_yaml_ng::from_str(yaml).unwrap(),
            directory: directory.to_owned(),
        }
    }

    /// On free ports, in front of this gateway, with the certificates of this authority.
    pub(crate) fn settle(&mut self, gateway: SocketAddr, authority: &Authority) {
        let any_port = json!({"socket_address": {"address": "127.0.0.1", "port_value": 0}});
        self.value["admin"]["address"] = any_port.clone();
        self.listener()["address"] = any_port;
        self.forward_to(gateway);
        let server = authority.server();
        let chain = self.file("server.crt", &server.pem());
        let key = self.file("server.key", &server.key_pem());
        let trusted = self.file("ca.crt", &authority.pem());
        let tls = &mut self.downstream_tls()["common_tls_context"];
        tls["tls_certificates"][0]["certificate_chain"] = json!({"filename": chain});
        tls["tls_certificates"][0]["private_key"] = json!({"filename": key});
        if let Some(validation) = tls.get_mut("validation_context") {
            validation["trusted_ca"] = json!({"filename": trusted});
        }
    }

    /// This gateway, whatever it is.
    pub(crate) fn forward_to(&mut self, gateway: SocketAddr) {
        let endpoint = &mut self.cluster()["load_assignment"]["endpoints"][0]["lb_endpoints"][0];
        endpoint["endpoint"]["address"]["socket_address"] =
            json!({"address": gateway.ip(), "port_value": gateway.port()});
    }

    /// A file in Envoy's folder; returns its path.
    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.directory.join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Everything: for what has no name here.
    pub(crate) fn value(&mut self) -> &mut Value {
        &mut self.value
    }

    pub(crate) fn listener(&mut self) -> &mut Value {
        &mut self.value["static_resources"]["listeners"][0]
    }

    /// The cluster of the gateway.
    pub(crate) fn cluster(&mut self) -> &mut Value {
        &mut self.value["static_resources"]["clusters"][0]
    }

    /// The DownstreamTlsContext.
    pub(crate) fn downstream_tls(&mut self) -> &mut Value {
        &mut self.listener()["filter_chains"][0]["transport_socket"]["typed_config"]
    }

    /// Its CertificateValidationContext.
    pub(crate) fn validation(&mut self) -> &mut Value {
        &mut self.downstream_tls()["common_tls_context"]["validation_context"]
    }

    /// The HttpConnectionManager.
    pub(crate) fn hcm(&mut self) -> &mut Value {
        &mut self.listener()["filter_chains"][0]["filters"][0]["typed_config"]
    }

    pub(crate) fn http_filters(&mut self) -> &mut Vec<Value> {
        self.hcm()["http_filters"].as_array_mut().unwrap()
    }

    /// The PluginConfig of the filter.
    pub(crate) fn plugin(&mut self) -> &mut Value {
        self.plugin_if_any().unwrap()
    }

    fn plugin_if_any(&mut self) -> Option<&mut Value> {
        let mut filters = self.http_filters().iter_mut();
        let filter = filters.find(|filter| has_type(filter, ".Wasm"))?;
        Some(&mut filter["typed_config"]["config"])
    }

    /// Where the configuration has the filter: from this file.
    pub(crate) fn use_wasm(&mut self, path: &Path) {
        if let Some(plugin) = self.plugin_if_any() {
            plugin["vm_config"]["code"] = json!({"local": {"filename": path}});
        }
    }

    /// The shipped configuration of the filter with this laid over it, object by object.
    pub(crate) fn overlay_plugin(&mut self, wanted: &Value) {
        let shipped = self.plugin()["configuration"]["value"].as_str().unwrap();
        let mut configuration = serde_json::from_str(shipped).unwrap();
        overlay(&mut configuration, wanted);
        self.configure_plugin(&configuration.to_string());
    }

    /// This text as the whole configuration of the filter.
    pub(crate) fn configure_plugin(&mut self, text: &str) {
        self.plugin()["configuration"] = json!({"@type": STRING_VALUE, "value": text});
    }

    /// What `envoy.yaml` says to change for an older version.
    pub(crate) fn suit(&mut self, version: &str) {
        let minor: u32 = version.split('.').nth(1).unwrap().parse().unwrap();
        if minor <= 38 && self.plugin_if_any().is_some() {
            self.overlay_plugin(&json!({"certificate": {"validation": "listener"}}));
        }
        if minor <= 37 {
            self.hcm()["forward_client_cert_details"] = json!("SANITIZE_SET");
            self.hcm()["set_current_client_cert_details"] = json!({"cert": true});
        }
    }

    /// The route configuration.
    pub(crate) fn route_config(&mut self) -> &mut Value {
        &mut self.hcm()["route_config"]
    }

    /// The last word of the route configuration.
    pub(crate) fn remove_last_word(&mut self) {
        let routes = self.route_config().as_object_mut().unwrap();
        routes.remove("request_headers_to_remove").unwrap();
        routes.remove("request_headers_to_add").unwrap();
    }

    pub(crate) fn remove_filter(&mut self) {
        self.http_filters()
            .retain(|filter| !has_type(filter, ".Wasm"));
    }

    /// The RBAC filter behind the filter, part of the second line.
    pub(crate) fn remove_guard(&mut self) {
        self.http_filters()
            .retain(|filter| !has_type(filter, ".RBAC"));
    }

    /// No certificate is no reason to refuse the connection.
    pub(crate) fn certificate_optional(&mut self) {
        self.downstream_tls()["require_client_certificate"] = json!(false);
    }

    /// A certificate that Envoy does not believe is no reason either.
    pub(crate) fn accept_untrusted(&mut self) {
        self.validation()["trust_chain_verification"] = json!("ACCEPT_UNTRUSTED");
    }

    /// Envoy itself answers what the filters let pass: for more requests than the gateway could take.
    pub(crate) fn answer_directly(&mut self) {
        let hosts = &mut self.hcm()["route_config"]["virtual_hosts"];
        hosts[0]["routes"] =
            json!([{"match": {"prefix": "/"}, "direct_response": {"status": 200}}]);
    }

    /// HTTP/2 without TLS to the gateway, trailers included.
    pub(crate) fn http2_to_gateway(&mut self) {
        let options = &mut self.cluster()["typed_extension_protocol_options"];
        options["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]["explicit_http_config"] =
            json!({"http2_protocol_options": {"allow_connect": true}});
    }

    /// Writes it where Envoy is told to look; returns that path.
    pub(crate) fn write(&self) -> PathBuf {
        self.file("envoy.json", &self.value.to_string()).into()
    }

    /// Like [`Self::write`], with the listeners in a file of their own that Envoy watches.
    pub(crate) fn write_watched(&self) -> PathBuf {
        let mut value = self.value.clone();
        value["static_resources"]["listeners"].take();
        value["node"] = json!({"id": "e2e", "cluster": "e2e"});
        value["dynamic_resources"]["lds_config"] =
            json!({"path_config_source": {"path": self.directory.join("listeners.json")}});
        self.write_listeners();
        self.file("envoy.json", &value.to_string()).into()
    }

    /// Puts the listeners into place in one move: Envoy sees the old ones or the new ones.
    pub(crate) fn write_listeners(&self) {
        let mut listener = self.value["static_resources"]["listeners"][0].clone();
        listener["@type"] = json!(LISTENER);
        let new = self.file(
            "listeners.new",
            &json!({"resources": [listener]}).to_string(),
        );
        fs::rename(new, self.directory.join("listeners.json")).unwrap();
    }
}

fn has_type(filter: &Value, suffix: &str) -> bool {
    let of_type = filter["typed_config"]["@type"].as_str();
    of_type.is_some_and(|name| name.ends_with(suffix))
}

fn overlay(base: &mut Value, wanted: &Value) {
    match (base, wanted) {
        (Value::Object(base), Value::Object(wanted)) => {
            for (key, value) in wanted {
                overlay(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (base, wanted) => *base = wanted.clone(),
    }
}
