//! `mtls-identity explain` and the filter in Envoy say the same of every request.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use hyper::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::answer::Answer;
use crate::harness::artifacts::commands;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::client::empty;
use crate::harness::forged::{FORGED, filter_alone};
use crate::harness::{Fixture, PATIENCE, Site, eventually};
use crate::xds::Xds;

mod table;

use table::{CASES, Case, certificates, configurations};

/// X-Forwarded-Client-Cert with the elements of these certificates in the place of their names.
fn with_elements(value: &str, certificates: &BTreeMap<&str, Credentials>) -> String {
    let mut value = value.to_owned();
    for (name, credentials) in certificates {
        let pem = credentials.pem();
        let cert = utf8_percent_encode(&pem, NON_ALPHANUMERIC);
        let element = format!("Hash={};Cert=\"{cert}\"", credentials.sha256());
        value = value.replace(&format!("{{{name}}}"), &element);
    }
    value
}

/// Everything that both sides are asked with.
struct Table {
    certificates: BTreeMap<&'static str, Credentials>,
    configurations: BTreeMap<&'static str, Value>,
    folder: TempDir,
}

impl Table {
    fn of(authority: &Authority) -> Self {
        let certificates = certificates(authority);
        let configurations = configurations(&certificates);
        let folder = tempfile::tempdir().unwrap();
        for (name, credentials) in &certificates {
            fs::write(folder.path().join(name), credentials.pem()).unwrap();
        }
        let mut table = Self {
            certificates,
            configurations,
            folder,
        };
        table.mark_configurations();
        table
    }

    /// A path that only this configuration admits shows which one serves. The guard's mark is in all.
    fn mark_configurations(&mut self) {
        for (name, configuration) in &mut self.configurations {
            configuration["headers"]["set"]["x-ssl-client-verify"] = json!("verify");
            configuration["audit"]["access_log"] = json!(true);
            configuration["identity"]["anonymous_paths"] = json!([format!("/{name}")]);
            let mark = json!({"name": "mark", "action": "allow", "paths": [format!("/{name}")]});
            if let Some(rules) = configuration.pointer_mut("/authorization/rules") {
                rules.as_array_mut().unwrap().push(mark);
            }
            let path = self.folder.path().join(format!("{name}.json"));
            fs::write(path, configuration.to_string()).unwrap();
        }
    }

    fn headers(&self, case: &Case) -> Vec<(&'static str, String)> {
        let headers = case.4.iter();
        headers
            .map(|(name, value)| (*name, with_elements(value, &self.certificates)))
            .collect()
    }

    /// What the command says.
    fn explain(&self, case: &Case) -> Value {
        let (configuration, certificate, method, path, ..) = *case;
        let mut command = Command::new(commands());
        let file = self.folder.path().join(format!("{configuration}.json"));
        command.args(["explain", "--json", "--method", method, "--path", path]);
        command.arg("--config").arg(file);
        if !certificate.is_empty() {
            command
                .arg("--cert")
                .arg(self.folder.path().join(certificate));
        }
        for (name, value) in self.headers(case) {
            command.arg("--header").arg(format!("{name}: {value}"));
        }
        let output = command.output().unwrap();
        let mut explained: Value = serde_json::from_slice(&output.stdout).unwrap();
        let is_denied = explained["decision"] == "deny";
        assert_eq!(output.status.code(), Some(is_denied.into()), "{case:?}");
        // Why it is so is what Envoy cannot tell.
        let because = explained.as_object_mut().unwrap().remove("because");
        assert!(because.unwrap().is_array(), "{case:?}");
        explained
    }

    /// What Envoy does, in the command's words.
    async fn serve(&self, site: &Site, case: &Case, number: usize) -> Value {
        let (configuration, certificate, method, path, ..) = *case;
        let client = match certificate {
            "" => site.client_without_certificate(),
            name => site.client_with(&self.certificates[name]),
        };
        let agent = format!("case {number}");
        let mut request = Request::builder().method(method).uri(path);
        request = request.header("user-agent", &agent);
        for (name, value) in self.headers(case) {
            request = request.header(name, value);
        }
        let answer = client.send(request.body(empty()).unwrap()).await.unwrap();
        let record = eventually("the request in the access log", PATIENCE, async || {
            let mut log = site.access_log(0).await.into_iter();
            Some(
                log.find(|logged| logged.line["user_agent"] == agent)?
                    .record,
            )
        })
        .await;
        let (status, reason) = denial(&answer);
        json!({
            "decision": record["decision"],
            "reason": reason,
            "status": status,
            "user": record["user"],
            "headers": self.headers_at_the_gateway(configuration, &answer),
            "rule": record["rule"],
            "observed": record["observed"],
        })
    }

    /// Of the headers that this configuration sets; one that came twice is not equal to any.
    fn headers_at_the_gateway(&self, configuration: &str, answer: &Answer) -> Value {
        if answer.status != 200 {
            return json!({});
        }
        let received = answer.gateway();
        let headers = &self.configurations[configuration]["headers"];
        let user = headers["user"].as_str().unwrap_or("x-ssl-client-s-dn-cn");
        let set = headers["set"].as_object().unwrap().keys();
        let names = set.map(String::as_str).chain([user]);
        let values = names.filter_map(|name| {
            let name = name.to_ascii_lowercase();
            let values = received.values(&name);
            (!values.is_empty()).then(|| (name, json!(values.join(" and "))))
        });
        assert!(
            !received
                .headers
                .iter()
                .any(|(_, value)| value.contains(FORGED))
        );
        Value::Object(values.collect())
    }
}

fn denial(answer: &Answer) -> (Option<u16>, Option<String>) {
    match answer.status {
        200 => (None, None),
        _ => {
            let (status, reason) = answer.denial();
            (Some(status), Some(reason))
        }
    }
}

/// A listener that lets everything in as it is, so that it is the filter that decides.
fn open_door(envoy: &mut Bootstrap) {
    filter_alone(envoy);
    envoy.certificate_optional();
    envoy.validation()["allow_expired_certificate"] = json!(true);
    envoy.hcm()["forward_client_cert_details"] = json!("ALWAYS_FORWARD_ONLY");
    envoy.hcm()["path_with_escaped_slashes_action"] = json!("KEEP_UNCHANGED");
    for key in ["normalize_path", "merge_slashes"] {
        envoy.hcm()[key] = json!(false);
    }
}

#[tokio::test]
async fn explain_and_envoy_agree_on_every_case() {
    let fixture = Fixture::new();
    let table = Table::of(fixture.authority());
    let xds = Xds::empty();
    let site = fixture.edit(open_door).edit(xds.filter()).start().await;
    let nobody = site.client_without_certificate();
    let mut serving = "";
    for (number, case) in CASES.iter().enumerate() {
        let (configuration, .., expected) = *case;
        if configuration != serving {
            xds.configure(&table.configurations[configuration].to_string());
            let mark = format!("/{configuration}");
            eventually("the configuration serves", PATIENCE, async || {
                let answer = nobody.get(&mark).await.unwrap();
                (answer.status == 200).then_some(())
            })
            .await;
            serving = configuration;
        }
        let explained = table.explain(case);
        let served = table.serve(&site, case, number).await;
        assert_eq!(served, explained, "{case:?}");
        let outcome = [
            &explained["reason"],
            &explained["user"],
            &explained["decision"],
        ];
        let outcome = outcome.into_iter().find_map(Value::as_str);
        assert_eq!(outcome, Some(expected), "{case:?}");
    }
}
