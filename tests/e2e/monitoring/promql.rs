//! What a query asks for, and whether Envoy shows it.

use std::collections::{BTreeMap, BTreeSet};

/// Prometheus adds these while it scrapes.
const OF_PROMETHEUS: [&str; 1] = ["instance"];

/// What a query selects, as far as it can be compared with what Envoy shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// Metrics, each with its matchers: label and value.
    pub(super) metrics: Vec<(String, Vec<(String, String)>)>,
    /// Labels by which is summed.
    pub(super) by: Vec<String>,
}

/// Names that are none of a metric.
const WORDS: [&str; 13] = [
    "absent", "and", "by", "increase", "max", "min", "offset", "or", "rate", "sum", "time",
    "unless", "vector",
];

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || character == ':'
}

/// Reads PromQL as the shipped files write it.
pub(super) fn parse(query: &str) -> Query {
    let mut parsed = Query::default();
    let mut rest = query;
    while let Some(start) = rest.find(|it: char| is_name(it) || it == '[') {
        rest = &rest[start..];
        if rest.starts_with('[') {
            rest = after(rest, ']').1;
            continue;
        }
        let end = rest.find(|it| !is_name(it)).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        rest = behind;
        if name == "by" {
            let (labels, behind) = after(rest, ')');
            parsed.by.extend(names(labels));
            rest = behind;
        } else if !WORDS.contains(&name) && !name.starts_with(|it: char| it.is_ascii_digit()) {
            let mut matchers = Vec::new();
            if rest.starts_with('{') {
                let (inside, behind) = after(rest, '}');
                matchers = inside.split(',').map(matcher).collect();
                rest = behind;
            }
            parsed.metrics.push((name.to_owned(), matchers));
        }
    }
    parsed
}

/// What stands in brackets at the beginning, and what follows them.
fn after(text: &str, closing: char) -> (&str, &str) {
    let (inside, behind) = text.split_once(closing).unwrap();
    (inside.trim_start_matches([' ', '(', '{', '[']), behind)
}

fn names(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(|name| name.trim().to_owned())
}

fn matcher(text: &str) -> (String, String) {
    let (label, value) = text.split_once('=').unwrap();
    let value = value.trim_start_matches('~').trim_matches('"');
    (label.trim().to_owned(), value.to_owned())
}

#[test]
fn queries_are_read() {
    let query = r#"sum by (a, b) (rate(m_x{l="v",reason=~"p|q"}[5m])) > 0.2 or absent(n) - time()"#;
    let text = |it: &str| it.to_owned();
    let expected = Query {
        metrics: vec![
            (
                text("m_x"),
                vec![(text("l"), text("v")), (text("reason"), text("p|q"))],
            ),
            (text("n"), vec![]),
        ],
        by: vec![text("a"), text("b")],
    };
    assert_eq!(parse(query), expected);
}

/// What Envoy shows: metrics, their labels, the values of these.
pub(super) struct Shown(BTreeMap<String, BTreeMap<String, BTreeSet<String>>>);

impl Shown {
    pub(super) fn of(exposition: &str) -> Self {
        let mut shown: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for line in exposition.lines().filter(|line| !line.starts_with('#')) {
            let Some((name, rest)) = line.split_once('{') else {
                continue;
            };
            let labels = shown.entry(name.to_owned()).or_default();
            let (inside, _) = rest.rsplit_once('}').unwrap();
            for (label, value) in inside
                .split("\",")
                .filter_map(|pair| pair.split_once("=\""))
            {
                let values = labels.entry(label.to_owned()).or_default();
                values.insert(value.trim_end_matches('"').to_owned());
            }
        }
        Self(shown)
    }

    /// What is asked for and not there.
    pub(super) fn missing(&self, query: &Query) -> Vec<String> {
        let mut missing = Vec::new();
        for (metric, matchers) in &query.metrics {
            let Some(labels) = self.0.get(metric) else {
                missing.push(metric.clone());
                continue;
            };
            for (label, values) in matchers {
                let known = labels.get(label).cloned().unwrap_or_default();
                let is_known =
                    |value| OF_PROMETHEUS.contains(&label.as_str()) || known.contains(value);
                let unknown = values.split('|').filter(|value| !is_known(*value));
                missing.extend(unknown.map(|value| format!("{metric}{{{label}={value}}}")));
            }
            let is_missing = |label: &&String| {
                !OF_PROMETHEUS.contains(&label.as_str()) && !labels.contains_key(*label)
            };
            let by = query.by.iter().filter(is_missing);
            missing.extend(by.map(|label| format!("{metric}, label {label}")));
        }
        missing
    }
}
