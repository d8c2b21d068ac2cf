//! What is found, and the report of all of it.

use std::fmt::Display;

use serde::{Serialize, Serializer};

use super::node::Node;
use super::rule::Rule;
use crate::config::Path;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It lets somebody in, or lets somebody be somebody else, at once or as soon as Envoy loses the filter.
    Error,
    /// It refuses people, or hides what happens.
    Warning,
}

/// A hole, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is here.
    pub severity: Severity,
    /// Which hole it is.
    pub rule: Rule,
    /// The file.
    pub file: String,
    /// The document of the file; none if it stands in a string of another one.
    #[serde(skip)]
    pub document: Option<usize>,
    /// The listener, or the object of Kubernetes; none where it is about the whole proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listener: Option<String>,
    /// The filter chain, by its name or its number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// The path in the document.
    #[serde(serialize_with = "as_text")]
    pub path: Path,
    /// What was found there.
    pub found: String,
    /// What an attacker gets, or what goes wrong.
    pub attacker: &'static str,
    /// Lines that mend it.
    pub cure: String,
    /// In how many more filter chains of this listener the same was found.
    #[serde(skip_serializing_if = "is_zero")]
    pub more: usize,
}

fn as_text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(path)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Finding {
    pub(crate) fn new(
        severity: Severity,
        rule: Rule,
        at: &Node<'_>,
        found: impl Display,
        cure: impl Display,
    ) -> Self {
        Self {
            severity,
            rule,
            file: at.document.file.clone(),
            document: at.document.number,
            listener: None,
            chain: None,
            path: at.path().clone(),
            found: found.to_string(),
            attacker: rule.attacker(),
            cure: cure.to_string(),
            more: 0,
        }
    }

    pub(crate) fn error(
        rule: Rule,
        at: &Node<'_>,
        found: impl Display,
        cure: impl Display,
    ) -> Self {
        Self::new(Severity::Error, rule, at, found, cure)
    }

    /// An identity header that is written behind the filter. `is_covered`: the last word undoes it.
    pub(crate) fn header_written(
        name: &str,
        at: &Node<'_>,
        is_covered: bool,
        cure: impl Display,
    ) -> Self {
        let (severity, found) = match is_covered {
            true => (
                Severity::Warning,
                format!("{name} is written, and only the last word undoes it"),
            ),
            false => (
                Severity::Error,
                format!("{name} is written behind the filter, and no last word undoes it"),
            ),
        };
        Self::new(severity, Rule::OwnedHeaderWritten, at, found, cure)
    }

    pub(crate) fn warning(
        rule: Rule,
        at: &Node<'_>,
        found: impl Display,
        cure: impl Display,
    ) -> Self {
        Self::new(Severity::Warning, rule, at, found, cure)
    }

    /// The same finding, in another filter chain of one listener.
    fn is_repeated_by(&self, other: &Self) -> bool {
        let place = |it: &Self| (it.rule, it.file.clone(), it.listener.clone());
        self.chain != other.chain && place(self) == place(other) && self.found == other.found
    }
}

/// All that was found in the files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The holes, errors first.
    pub findings: Vec<Finding>,
    /// What the files do not show, so that nothing can be said of it.
    pub unseen: Vec<String>,
    /// How many connection managers with the filter were examined.
    pub filters: usize,
    /// How many objects of Kubernetes were examined.
    pub objects: usize,
}

impl Report {
    /// Adds a finding. The same in another filter chain of the listener is counted, not repeated.
    pub(crate) fn add(&mut self, finding: Finding) {
        let mut before = self.findings.iter_mut();
        match before.find(|earlier| earlier.is_repeated_by(&finding)) {
            Some(earlier) => earlier.more += 1,
            None => self.findings.push(finding),
        }
    }

    pub(crate) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// Says once that something cannot be seen.
    pub(crate) fn cannot_see(&mut self, what: impl Display) {
        let what = what.to_string();
        if !self.unseen.contains(&what) {
            self.unseen.push(what);
        }
    }

    /// How many findings have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        let findings = self.findings.iter();
        findings.filter(|it| it.severity == severity).count()
    }

    /// Whether the files had anything that could be examined.
    pub fn is_empty(&self) -> bool {
        self.filters == 0 && self.objects == 0 && self.findings.is_empty()
    }

    pub(super) fn sort(&mut self) {
        self.findings.sort_by_key(|finding| finding.severity);
    }
}
