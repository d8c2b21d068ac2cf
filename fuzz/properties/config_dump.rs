//! A dump of Envoy, or any other document in JSON: whatever is in it, the doctor says where it found what.

use mtls_identity::certificate::Timestamp;
use mtls_identity::config::Step;
use mtls_identity::doctor::{Document, Rule, examine};
use serde_json::Value;

/// For any bytes.
pub fn any_dump(bytes: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        return;
    };
    let document = Document {
        file: "dump".to_owned(),
        number: Some(0),
        value,
        // No file of this machine is opened.
        is_local: false,
    };
    let now = Timestamp::from_unix(1_800_000_000);
    let documents = [document];
    let report = examine(&documents, now);
    assert_eq!(report, examine(&documents, now));
    for finding in &report.findings {
        assert!(leads_somewhere(&documents[0].value, finding.path.steps()));
        assert!(Rule::all().any(|rule| rule == finding.rule));
        let texts = [&*finding.found, finding.attacker, &*finding.cure];
        assert!(texts.iter().all(|text| !text.is_empty()), "{finding:?}");
    }
    serde_json::to_string(&report).expect("a report can be written");
}

fn leads_somewhere(mut value: &Value, steps: &[Step]) -> bool {
    for step in steps {
        let next = match step {
            Step::Key(key) => value.get(key),
            Step::Index(index) => value.get(index),
        };
        match next {
            Some(next) => value = next,
            None => return false,
        }
    }
    true
}
