//! Finds the plugin configuration in a file: in JSON or YAML of its own, in a WasmPlugin or a TrafficExtension, or in
//! an Envoy configuration.

use std::path::Path;

use mtls_identity::config::{Configuration, ConfigurationError, Place, Step};
use serde_json::{Map, Value};

use crate::cli::files::TextFile;

/// A configuration, and where in its file it is.
#[derive(Debug)]
pub(super) struct Found {
    /// The JSON that the filter gets.
    pub(super) json: String,
    /// The `phase` beside the configuration, in a WasmPlugin or a TrafficExtension.
    pub(super) phase: Option<String>,
    /// Whether Envoy hands the body of a held request to the filter; none where the file does not say.
    pub(super) hands_bodies_over: Option<bool>,
    document: usize,
    steps: Vec<Step>,
    wrapping: Wrapping,
}

/// How the configuration stands in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrapping {
    /// As text that is the file itself.
    File,
    /// As an object of the file's own format.
    Object,
    /// As JSON in a string, which Envoy wants in a StringValue.
    Text,
    /// As a Struct, which Envoy hands to the filter in a form that it does not read.
    Struct,
}

/// A file in which configurations are.
#[derive(Debug)]
pub(super) struct ConfigurationFile {
    pub(super) file: TextFile,
    /// Its documents; none of JSON that cannot be read.
    pub(super) documents: Vec<Value>,
    /// What was found, at least one.
    pub(super) found: Vec<Found>,
}

/// Something wrong, and where.
#[derive(Debug)]
pub(super) struct Complaint {
    /// The line and column; none where no line is to blame.
    pub(super) place: Option<Place>,
    /// The path and what is wrong with the value.
    pub(super) message: String,
}

/// The one configuration of a file, or `{}` without a file.
///
/// # Errors
/// One line a complaint.
pub(in crate::cli) fn one_or_default(path: Option<&Path>) -> Result<Configuration, String> {
    match path {
        Some(path) => one(path).map(|(configuration, _)| configuration),
        None => Configuration::parse(b"{}").map_err(|error| error.to_string()),
    }
}

/// The one configuration of a file as it is written.
///
/// # Errors
/// One line a complaint: a configuration that does not load is none.
pub(in crate::cli) fn one_as_json(path: &Path) -> Result<Map<String, Value>, String> {
    let (_, json) = one(path)?;
    let json = if json.is_empty() { "{}" } else { &json };
    serde_json::from_str(json).map_err(|error| error.to_string())
}

/// The one configuration of a file, and its JSON.
fn one(path: &Path) -> Result<(Configuration, String), String> {
    let file = ConfigurationFile::read(path)?;
    let mut found = file.found.iter();
    let first = found.next();
    // A dump of Envoy has the same plugin in several places.
    let only = first.filter(|first| found.all(|other| other.json == first.json));
    let Some(found) = only else {
        return Err(format!(
            "{}: found {} configurations that differ, expected one",
            file.file.name,
            file.found.len()
        ));
    };
    let loaded = file.load(found).map_err(|complaints| {
        let lines = complaints.iter().map(|complaint| file.line(complaint));
        lines.collect::<Vec<_>>().join("\n")
    });
    loaded.map(|configuration| (configuration, found.json.clone()))
}

impl ConfigurationFile {
    /// Reads a file and finds the configurations in it.
    ///
    /// # Errors
    /// One line for a file that cannot be read, that is neither JSON nor YAML, or that has no configuration in it.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let file = TextFile::read(path)?;
        let documents = match file.is_json {
            // What is no JSON, or has a key twice, is for the filter's own reader to complain about.
            true => file.documents().unwrap_or_default(),
            false => file.documents()?,
        };
        let found = find(&file, &documents);
        match found.is_empty() {
            true => Err(format!(
                "{}: found no configuration of the filter",
                file.name
            )),
            false => Ok(Self {
                file,
                documents,
                found,
            }),
        }
    }

    /// The configuration that the filter makes of what was found.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub(super) fn load(&self, found: &Found) -> Result<Configuration, Vec<Complaint>> {
        if found.wrapping == Wrapping::Struct {
            return Err(vec![Complaint {
                place: self.place(found, &[]),
                message: "found a google.protobuf.Struct, expected JSON in a \
                          google.protobuf.StringValue: the filter cannot read a Struct"
                    .to_owned(),
            }]);
        }
        let loaded = Configuration::parse_reporting_all(found.json.as_bytes());
        loaded.map_err(|errors| {
            let complaints = errors.iter().map(|error| self.complaint(found, error));
            let mut complaints: Vec<_> = complaints.collect();
            complaints.sort_by_key(|complaint| complaint.place);
            complaints
        })
    }

    fn complaint(&self, found: &Found, error: &ConfigurationError) -> Complaint {
        let steps = error.path().steps();
        let place = match found.wrapping {
            Wrapping::File => error.place(),
            Wrapping::Object | Wrapping::Struct => self.place(found, steps),
            Wrapping::Text => self
                .place(found, &[])
                .map(|start| self.place_in_text(start, error)),
        };
        Complaint {
            place,
            message: error.without_place(),
        }
    }

    /// The place of a value in a configuration that was found.
    pub(super) fn place(&self, found: &Found, steps: &[Step]) -> Option<Place> {
        let steps: Vec<_> = found.steps.iter().chain(steps).cloned().collect();
        self.file.place(found.document, &steps)
    }

    /// The place of an error in JSON that stands in a block of lines behind `|`. In a string of another form no line of
    /// the file is the error's own, so it is that of the string.
    fn place_in_text(&self, start: Place, error: &ConfigurationError) -> Place {
        let Some(inner) = error.place() else {
            return start;
        };
        let is_block = |line: &str| line.trim_end().ends_with(['|', '-', '+', '>']);
        match self.file.text.lines().nth(start.line.saturating_sub(1)) {
            Some(line) if !self.file.is_json && is_block(line) => Place {
                line: start.line + inner.line,
                column: 1,
            },
            _ => start,
        }
    }

    /// `FILE:LINE:COLUMN: path: message`.
    pub(super) fn line(&self, complaint: &Complaint) -> String {
        self.file.line(complaint.place, &complaint.message)
    }
}

/// The configurations in the documents of a file.
fn find(file: &TextFile, documents: &[Value]) -> Vec<Found> {
    let mut all = Vec::new();
    for (document, value) in documents.iter().enumerate() {
        let mut search = Search {
            document,
            phase: None,
            is_of_others: false,
            found: Vec::new(),
        };
        search.look(value, &mut Vec::new());
        if search.found.is_empty() && is_plain_configuration(value, file.is_json) {
            search.add(value.to_string(), Vec::new(), Wrapping::Object, None);
        }
        all.append(&mut search.found);
    }
    let is_plain = matches!(all.as_slice(), [only] if only.steps.is_empty());
    if file.is_empty() || (file.is_json && (documents.is_empty() || is_plain)) {
        return vec![Found {
            json: file.text.trim_end().to_owned(),
            phase: None,
            hands_bodies_over: None,
            document: 0,
            steps: Vec::new(),
            wrapping: Wrapping::File,
        }];
    }
    all
}

/// Whether a document in which no configuration was found is one itself. JSON is one unless it is Envoy's or of Kubernetes,
/// so that a key that is misspelt is an error.
fn is_plain_configuration(document: &Value, is_json: bool) -> bool {
    let others = [
        "apiVersion",
        "static_resources",
        "dynamic_resources",
        "configs",
        "resources",
    ];
    let is_of_others = others.iter().any(|key| document.get(key).is_some());
    (is_json && !is_of_others) || has_our_keys(document)
}

/// Whether an object has a key of the configuration, or is empty. Files of other programs have none.
fn has_our_keys(document: &Value) -> bool {
    let schema = Configuration::schema();
    let is_known = |key: &String| {
        schema
            .pointer("/properties")
            .and_then(|it| it.get(key))
            .is_some()
    };
    match document.as_object() {
        Some(members) => members.is_empty() || members.keys().any(is_known),
        None => false,
    }
}

/// Goes through one document.
struct Search {
    document: usize,
    /// The last `phase` on the way here.
    phase: Option<String>,
    /// Whether the object of Kubernetes on the way here has another filter.
    is_of_others: bool,
    found: Vec<Found>,
}

impl Search {
    fn add(
        &mut self,
        json: String,
        steps: Vec<Step>,
        wrapping: Wrapping,
        hands_bodies_over: Option<bool>,
    ) {
        let document = self.document;
        self.found.push(Found {
            json,
            phase: self.phase.clone(),
            hands_bodies_over,
            document,
            steps,
            wrapping,
        });
    }

    fn look(&mut self, value: &Value, path: &mut Vec<Step>) {
        match value {
            Value::Object(members) => {
                let phase = members.get("phase").and_then(Value::as_str);
                let outer = self.phase.clone();
                self.phase = phase.map(str::to_owned).or(self.phase.take());
                let outer_is_of_others = self.is_of_others;
                if members.contains_key("kind") {
                    self.is_of_others = names_another(value);
                }
                let configuration = members.get("pluginConfig");
                if let Some(configuration) = configuration.filter(|_| !self.is_of_others) {
                    // Istio has no field for it, and does not set it.
                    let steps = with(path, ["pluginConfig"]);
                    self.add(
                        configuration.to_string(),
                        steps,
                        Wrapping::Object,
                        Some(false),
                    );
                } else if value.pointer("/code/type").is_some() && is_ours(value) {
                    // An entry of an EnvoyExtensionPolicy, which has no field for it either.
                    let configuration = members.get("config");
                    let json = configuration.map_or_else(|| "{}".to_owned(), Value::to_string);
                    let steps =
                        configuration.map_or_else(|| path.clone(), |_| with(path, ["config"]));
                    self.add(json, steps, Wrapping::Object, Some(false));
                } else if members.contains_key("vm_config") && is_ours(value) {
                    self.add_of_envoy(value, path);
                }
                for (key, value) in members {
                    path.push(Step::Key(key.clone()));
                    self.look(value, path);
                    path.pop();
                }
                self.phase = outer;
                self.is_of_others = outer_is_of_others;
            }
            Value::Array(entries) => {
                for (index, value) in entries.iter().enumerate() {
                    path.push(Step::Index(index));
                    self.look(value, path);
                    path.pop();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    /// The configuration of an `envoy.extensions.wasm.v3.PluginConfig`.
    fn add_of_envoy(&mut self, plugin: &Value, path: &[Step]) {
        let field = plugin.get("allow_on_headers_stop_iteration");
        let hands_over = Some(field.and_then(Value::as_bool).unwrap_or_default());
        let Some(configuration) = plugin.get("configuration") else {
            return self.add("{}".to_owned(), path.to_vec(), Wrapping::Object, hands_over);
        };
        let (json, steps, wrapping) = match configuration.get("value") {
            Some(Value::String(text)) => {
                let steps = with(path, ["configuration", "value"]);
                (text.clone(), steps, Wrapping::Text)
            }
            _ => (
                String::new(),
                with(path, ["configuration"]),
                Wrapping::Struct,
            ),
        };
        self.add(json, steps, wrapping, hands_over);
    }
}

/// Whether a WasmPlugin or a TrafficExtension says which module it runs, and it is not this one.
fn names_another(object: &Value) -> bool {
    let urls = ["/spec/url", "/spec/wasm/url"];
    let has_url = urls.iter().any(|url| object.pointer(url).is_some());
    has_url && !is_ours(object)
}

/// Whether a plugin of Envoy is this filter, by the names that it is given.
fn is_ours(plugin: &Value) -> bool {
    let text = plugin.to_string();
    text.contains("mtls_identity") || text.contains("mtls-identity")
}

fn with<const N: usize>(path: &[Step], keys: [&str; N]) -> Vec<Step> {
    let keys = keys.iter().map(|key| Step::Key((*key).to_owned()));
    path.iter().cloned().chain(keys).collect()
}
