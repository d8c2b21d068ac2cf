//! What a Pod's Envoy says of its own configuration.

use serde_json::Value;

use crate::cluster::SLOW;
use crate::harness::eventually;
use crate::network::succeed;
use crate::pod::Pod;

impl Pod {
    pub(crate) fn config_dump(&self) -> Value {
        let mut command = self.network.command("curl");
        command.args(["-s", "http://127.0.0.1:15000/config_dump"]);
        serde_json::from_str(&succeed(&mut command)).unwrap()
    }

    /// The file of the filter that Envoy runs.
    pub(crate) fn module(&self) -> String {
        let dump = self.config_dump();
        let parts = dump["configs"].as_array().unwrap().iter();
        let mut filters = parts
            .flat_map(|part| part["ecds_filters"].as_array())
            .flatten();
        let config = &filters.next().unwrap()["ecds_filter"]["typed_config"]["config"];
        let file = &config["vm_config"]["code"]["local"]["filename"];
        file.as_str().unwrap().to_owned()
    }

    /// Whether Envoy has refused the newest form of one of its listeners.
    pub(crate) fn refused_listener(&self) -> bool {
        let dump = self.config_dump();
        let parts = dump["configs"].as_array().unwrap().iter();
        let listeners = parts.flat_map(|part| part["dynamic_listeners"].as_array());
        let mut entries = listeners.flatten();
        entries.any(|entry| !entry["error_state"].is_null())
    }

    /// (listener, filter chain, typed_config) of each connection manager that Envoy runs.
    pub(crate) fn connection_managers(&self) -> Vec<(String, String, Value)> {
        let dump = self.config_dump();
        let parts = dump["configs"].as_array().unwrap().iter();
        let listeners = parts.flat_map(|part| part["dynamic_listeners"].as_array());
        let mut managers = Vec::new();
        for entry in listeners.flatten() {
            assert_eq!(entry["error_state"], Value::Null, "{}", entry["name"]);
            let listener = &entry["active_state"]["listener"];
            let chains = listener["filter_chains"].as_array().into_iter().flatten();
            for chain in chains.chain([&listener["default_filter_chain"]]) {
                let filters = chain["filters"].as_array().into_iter().flatten();
                for config in filters.map(|filter| &filter["typed_config"]) {
                    let kind = config["@type"].as_str().unwrap_or_default();
                    if kind.ends_with("HttpConnectionManager") {
                        let name = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                        managers.push((name(&entry["name"]), name(&chain["name"]), config.clone()));
                    }
                }
            }
        }
        managers
    }

    /// Waits until each listener with the filter has it under a name with this part, and under none with that.
    pub(crate) async fn runs_the_filter_as(&self, part: &str, not: &str) {
        let what = format!("{} runs the filter as {part}", self.name);
        eventually(&what, SLOW, async || {
            let managers = self.connection_managers().into_iter();
            let names = managers.flat_map(|(_, _, manager)| {
                let filters = manager["http_filters"].as_array().unwrap().clone();
                filters.into_iter().map(|filter| filter["name"].to_string())
            });
            let ours: Vec<_> = names
                .filter(|name| name.contains("mtls-identity"))
                .collect();
            let fits = |name: &String| name.contains(part) && !name.contains(not);
            (!ours.is_empty() && ours.iter().all(fits)).then_some(())
        })
        .await;
    }
}
