//! The places in a configuration, and what may stand there.

use serde::Deserialize;
use serde_json::{Value, json};

/// A place in a document, and values for it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// The document with `"@"` as the one value or key in question.
    at: Value,
    good: Vec<Value>,
    bad: Vec<Value>,
}

/// Every key of a configuration, and every entry of its lists and maps.
pub(super) fn places() -> Vec<Place> {
    serde_json::from_str(include_str!("places.json")).unwrap()
}

/// Values of every kind: bad in each place that does not call them good.
fn kinds() -> Vec<Value> {
    let kinds = json!([
        null, true, false, 1, -1, 1.5, "", "unlimited", [], [null], [""], [[]], {}, {"": ""}, {"a": null}
    ]);
    serde_json::from_value(kinds).unwrap()
}

impl Place {
    /// The document with this value in its place.
    pub(super) fn with(&self, value: &Value) -> String {
        let document = self.at.to_string();
        assert_eq!(document.matches(r#""@""#).count(), 1, "{document}");
        document.replace(r#""@""#, &value.to_string())
    }

    /// All documents of this place, and whether they are accepted.
    pub(super) fn documents(&self) -> Vec<(String, bool)> {
        let bad = [&self.bad[..], &kinds()].concat();
        let bad = bad.into_iter().filter(|value| !self.good.contains(value));
        let bad = bad.filter(|value| value.is_string() || !self.is_key());
        let good = self.good.iter().map(|value| (self.with(value), true));
        good.chain(bad.map(|value| (self.with(&value), false)))
            .collect()
    }

    fn is_key(&self) -> bool {
        self.at.to_string().contains(r#""@":"#)
    }
}
