//! What loads and surely means something else.

use mtls_identity::certificate::{self, SerialNumber};
use mtls_identity::config::{Configuration, Step};
use mtls_identity::identity::{IdentityRules, Source, is_email, is_host_name, is_upn, is_uri};
use mtls_identity::rules::{Action, Rule};
use serde_json::Value;

use super::file::{Complaint, ConfigurationFile, Found};

/// Headers that the gateway or a proxy reads for itself, so that a value of a certificate breaks it.
const OF_OTHERS: [&str; 4] = ["authorization", "content-type", "cookie", "accept"];

/// The warnings of a configuration that was found in a file.
pub(super) fn warnings(
    file: &ConfigurationFile,
    found: &Found,
    configuration: &Configuration,
) -> Vec<Complaint> {
    let mut warnings = Warnings {
        file,
        found,
        complaints: Vec::new(),
    };
    if file.file.is_empty() {
        warnings.add(&[], "configuration", "the file is empty, which means {}");
    }
    let value: Value = serde_json::from_str(&found.json).unwrap_or_default();
    warnings.check_users(&value, &configuration.filter.policy.identity);
    warnings.check_headers(&value);
    if let Some(authorization) = &configuration.filter.policy.authorization {
        warnings.check_rules(authorization.rules());
    }
    warnings.check_paths(&value);
    warnings.check_lists(&value);
    warnings.check_messages(&value, configuration);
    warnings.check_serials(&value);
    warnings.complaints
}

struct Warnings<'a> {
    file: &'a ConfigurationFile,
    found: &'a Found,
    complaints: Vec<Complaint>,
}

impl Warnings<'_> {
    fn add(&mut self, steps: &[Step], path: &str, message: &str) {
        self.complaints.push(Complaint {
            place: self.file.place(self.found, steps),
            message: format!("{path}: {message}"),
        });
    }

    fn check_users(&mut self, value: &Value, rules: &IdentityRules) {
        let keys = |pointer: &str| {
            let members = value.pointer(pointer).and_then(Value::as_object);
            members
                .into_iter()
                .flat_map(|members| members.keys())
                .cloned()
                .collect::<Vec<_>>()
        };
        for user in keys("/pins") {
            let steps = [key("pins"), key(&user)];
            self.check_user(&user, rules, &steps, &format!("pins[{user:?}]"));
        }
        for user in keys("/rate_limit/identities") {
            let steps = [key("rate_limit"), key("identities"), key(&user)];
            self.check_user(
                &user,
                rules,
                &steps,
                &format!("rate_limit.identities[{user:?}]"),
            );
        }
        for (index, user) in strings(value.get("pin_required")).enumerate() {
            let steps = [key("pin_required"), Step::Index(index)];
            self.check_user(user, rules, &steps, &format!("pin_required[{index}]"));
        }
        for (place, rule) in rules_of(value).enumerate() {
            for (index, user) in strings(rule.get("identities")).enumerate() {
                let mut steps = rule_steps(place).to_vec();
                steps.extend([key("identities"), Step::Index(index)]);
                let path = format!("authorization.rules[{place}].identities[{index}]");
                self.check_user(user, rules, &steps, &path);
            }
        }
    }

    fn check_user(&mut self, user: &str, rules: &IdentityRules, steps: &[Step], path: &str) {
        let is_possible = |source: &Source| can_give(*source, user);
        if user.contains('*') || !rules.map.is_empty() || rules.sources.iter().any(is_possible) {
            return;
        }
        let sources: Vec<_> = rules.sources.iter().map(|source| source.as_str()).collect();
        let message =
            format!("no certificate gives the user {user:?} with identity.sources {sources:?}");
        self.add(steps, path, &message);
    }

    fn check_headers(&mut self, value: &Value) {
        let set = value.pointer("/headers/set").and_then(Value::as_object);
        for name in set.into_iter().flat_map(|set| set.keys()) {
            let lower = name.to_ascii_lowercase();
            let is_of_proxies =
                lower.starts_with("x-forwarded-") && lower != "x-forwarded-client-cert";
            if OF_OTHERS.contains(&lower.as_str()) || is_of_proxies {
                let steps = [key("headers"), key("set"), key(name)];
                let message = "the gateway and proxies read this header for themselves";
                self.add(&steps, &format!("headers.set[{name:?}]"), message);
            }
        }
        for (place, rule) in rules_of(value).enumerate() {
            let headers = rule.get("headers").and_then(Value::as_object);
            for name in headers.into_iter().flat_map(|headers| headers.keys()) {
                if name
                    .to_ascii_lowercase()
                    .replace('_', "-")
                    .starts_with("mcp-")
                {
                    let mut steps = rule_steps(place).to_vec();
                    steps.extend([key("headers"), key(name)]);
                    let path = format!("authorization.rules[{place}].headers[{name:?}]");
                    let message = "the client writes this header, and the gateway acts on the body";
                    self.add(&steps, &path, message);
                }
            }
        }
    }

    fn check_rules(&mut self, rules: &[Rule]) {
        let is_unconditional = |rule: &Rule| {
            let bare = Rule {
                name: rule.name.clone(),
                action: rule.action,
                ..Rule::default()
            };
            *rule == bare
        };
        if let Some(place) = rules.iter().position(is_unconditional)
            && place + 1 < rules.len()
        {
            let path = format!("authorization.rules[{place}]");
            let message = "has no conditions, so the rules behind it are never asked";
            self.add(&rule_steps(place), &path, message);
        }
    }

    /// A star may stand for nothing, and some gateways create something on the path that ends in a slash.
    fn check_paths(&mut self, value: &Value) {
        for (place, rule) in rules_of(value).enumerate() {
            if rule.get("action").and_then(Value::as_str) != Some("allow") {
                continue;
            }
            for (index, path) in strings(rule.get("paths")).enumerate() {
                if path.ends_with("/*") && path != "/*" {
                    let whole = path.trim_end_matches('*');
                    let mut steps = rule_steps(place).to_vec();
                    steps.extend([key("paths"), Step::Index(index)]);
                    let at = format!("authorization.rules[{place}].paths[{index}]");
                    self.add(&steps, &at, &format!("{path:?} allows {whole:?} as well"));
                }
            }
        }
    }

    /// A deny rule compares the entries of a header one by one, and each line as it is.
    fn check_lists(&mut self, value: &Value) {
        for (place, rule) in rules_of(value).enumerate() {
            if rule.get("action").and_then(Value::as_str) != Some("deny") {
                continue;
            }
            let conditions = rule.get("headers").and_then(Value::as_object);
            for (name, values) in conditions.into_iter().flatten() {
                let listed: Vec<_> = strings(Some(values)).collect();
                for text in listed.into_iter().filter(|text| text.contains(',')) {
                    let steps = [&rule_steps(place)[..], &[key("headers"), key(name)]].concat();
                    let at = format!("authorization.rules[{place}].headers[{name:?}]");
                    let message = format!(
                        "{text:?} has a comma: a client that writes the list with other spaces, or in two headers, is not \
                         denied by it"
                    );
                    self.add(&steps, &at, &message);
                }
            }
        }
    }

    /// Rules for tools that are not asked: without the body there is no message, and on other paths none is read.
    fn check_messages(&mut self, value: &Value, configuration: &Configuration) {
        if configuration.filter.mcp.paths.is_empty() {
            return;
        }
        if self.found.hands_bodies_over == Some(false) {
            let message = "Envoy hands no body over without allow_on_headers_stop_iteration: true in the PluginConfig, \
                           beside the configuration: every message is refused";
            self.add(&[key("mcp"), key("paths")], "mcp.paths", message);
        }
        let authorization = configuration.filter.policy.authorization.as_ref();
        let allows = authorization.is_some_and(|it| it.default() == Action::Allow);
        for (place, rule) in rules_of(value).enumerate() {
            let denies = rule.get("action").and_then(Value::as_str) == Some("deny");
            if allows && denies && rule.get("mcp").is_some() {
                let path = format!("authorization.rules[{place}]");
                let message =
                    "the default allows, and no message is read on other paths than mcp.paths";
                self.add(&rule_steps(place), &path, message);
            }
        }
    }

    /// Digits only are revoked in both readings: 16 and 10 can be two people of a small CA.
    fn check_serials(&mut self, value: &Value) {
        let revoked = value.pointer("/revoked").and_then(Value::as_array);
        for (place, entry) in revoked.into_iter().flatten().enumerate() {
            let at = || vec![key("revoked"), Step::Index(place)];
            let one = entry.get("serial").and_then(Value::as_str);
            let one = one.map(|text| {
                (
                    text,
                    [at(), vec![key("serial")]].concat(),
                    "serial".to_owned(),
                )
            });
            let many = strings(entry.get("serials"))
                .enumerate()
                .map(|(index, text)| {
                    let steps = [at(), vec![key("serials"), Step::Index(index)]].concat();
                    (text, steps, format!("serials[{index}]"))
                });
            for (text, steps, name) in one.into_iter().chain(many) {
                if let [hexadecimal, decimal, ..] = SerialNumber::readings(text).as_slice() {
                    let message = format!(
                        "{text:?} revokes {hexadecimal} and {decimal} (hexadecimal): write \"0x…\" to mean one of them"
                    );
                    self.add(&steps, &format!("revoked[{place}].{name}"), &message);
                }
            }
        }
    }
}

fn key(text: &str) -> Step {
    Step::Key(text.to_owned())
}

fn rule_steps(place: usize) -> [Step; 3] {
    [key("authorization"), key("rules"), Step::Index(place)]
}

fn rules_of(value: &Value) -> impl Iterator<Item = &Value> {
    let rules = value
        .pointer("/authorization/rules")
        .and_then(Value::as_array);
    rules.into_iter().flatten()
}

fn strings(list: Option<&Value>) -> impl Iterator<Item = &str> {
    let list = list.and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str)
}

/// Whether a source can give a name of this form.
fn can_give(source: Source, user: &str) -> bool {
    let is_name = user.contains('=') && certificate::parse_name(user).is_ok();
    match source {
        Source::Cn => !is_uri(user) && !is_name,
        Source::Email => is_email(user),
        Source::Dns => is_host_name(user),
        Source::Uri => is_uri(user),
        Source::Spiffe => user.starts_with("spiffe://"),
        Source::Upn => is_upn(user),
        Source::SubjectEmail => is_email(user),
        Source::SubjectSerialNumber | Source::SubjectUid => !is_uri(user) && !is_name,
        Source::Subject => is_name,
        Source::Fingerprint => {
            user.len() == 64 && user.bytes().all(|byte| byte.is_ascii_hexdigit())
        }
    }
}
