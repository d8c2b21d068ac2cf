//! Rules for tools: on which paths a body is one message of MCP, and which messages a rule is about.

use crate::request::{McpMessage, RequestPath};
use crate::rules::action::Action;
use crate::rules::pattern::{PathPattern, Pattern};

/// The longest body that is read if the configuration does not say, in bytes.
pub const DEFAULT_MAX_BODY: usize = 1024 * 1024;

/// The longest body that a configuration may ask for, in bytes.
pub const MAXIMUM_MAX_BODY: usize = 64 * 1024 * 1024;

/// Where a body is one message of MCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct McpRules {
    /// The paths; none where no body is read.
    pub paths: Vec<PathPattern>,
    /// The longest body that is read, in bytes.
    pub max_body: usize,
}

impl Default for McpRules {
    fn default() -> Self {
        Self {
            paths: Vec::new(),
            max_body: DEFAULT_MAX_BODY,
        }
    }
}

impl McpRules {
    /// Whether a body on this path is a message: the path, with or without one final slash, is of a pattern; or it has no
    /// normal form, so that a gateway may take it for any path.
    pub fn covers(&self, path: &RequestPath<'_>) -> bool {
        if self.paths.is_empty() {
            return false;
        }
        let is_listed = |path| self.paths.iter().any(|pattern| pattern.matches(path));
        path.either_end()
            .is_none_or(|ends| ends.into_iter().any(is_listed))
    }
}

/// The messages that a rule or a limit is about. A list that is empty is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct McpCondition {
    /// Methods, such as `tools/call`.
    pub methods: Vec<Pattern>,
    /// Tools, prompts and resources.
    pub names: Vec<Pattern>,
}

/// What is known of the message of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// There is none: a GET, or a path that is not read.
    None,
    /// The body is still to come.
    Unread,
    /// It may be any: a WebSocket, or a body that could not be read and is only observed.
    Any,
    /// This one.
    Read(&'a McpMessage),
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Yes,
    No,
    /// It depends on the body, which is still to come.
    Unknown,
}

impl Holds {
    pub(super) fn of(holds: bool) -> Self {
        if holds { Self::Yes } else { Self::No }
    }
}

impl McpCondition {
    /// Whether a rule with this condition is about the message.
    pub(super) fn holds(&self, message: Message<'_>, action: Action) -> Holds {
        let holds = match message {
            Message::None => false,
            Message::Unread => return Holds::Unknown,
            Message::Any => action == Action::Deny,
            Message::Read(message) => self.fits(message, action),
        };
        Holds::of(holds)
    }

    /// Whether a message is one of these. For a rule that denies letter case makes no difference, and a message without a
    /// name has every name.
    pub fn fits(&self, message: &McpMessage, action: Action) -> bool {
        match action {
            Action::Allow => self.lists(message, false),
            Action::Deny => self.to_lowercase().fits_lowercase(&message.to_lowercase()),
        }
    }

    /// The same for a rule that denies, with both in lower case already.
    pub(super) fn fits_lowercase(&self, message: &McpMessage) -> bool {
        self.lists(message, true)
    }

    /// The same condition with its patterns in lower case.
    pub(super) fn to_lowercase(&self) -> Self {
        let lower = |patterns: &[Pattern]| patterns.iter().map(Pattern::without_case).collect();
        Self {
            methods: lower(&self.methods),
            names: lower(&self.names),
        }
    }

    /// `is_any_name`: whether a message without a name has every name.
    fn lists(&self, message: &McpMessage, is_any_name: bool) -> bool {
        let is_listed = |patterns: &[Pattern], text: &str| {
            patterns.is_empty() || patterns.iter().any(|it| it.matches(text.as_bytes()))
        };
        let has_name = match message.name() {
            Some(name) => is_listed(&self.names, name),
            None => self.names.is_empty() || is_any_name,
        };
        is_listed(&self.methods, message.method()) && has_name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<Pattern> {
        let parse = |text: &&str| Pattern::parse(text).unwrap();
        texts.iter().map(parse).collect()
    }

    fn request(method: &str, name: Option<&str>) -> McpMessage {
        McpMessage::Request {
            method: method.to_owned(),
            name: name.map(str::to_owned),
        }
    }

    #[test]
    fn a_path_is_read_with_and_without_a_final_slash_and_in_any_form() {
        let rules = McpRules {
            paths: ["/mcp", "/servers/*"]
                .map(|text| PathPattern::parse(text).unwrap())
                .into(),
            ..McpRules::default()
        };
        for (path, expected) in [
            ("/mcp", true),
            ("/mcp/", true),
            ("/mcp?a", true),
            ("/%6dcp", true),
            ("/servers", true),
            ("/servers/1/mcp", true),
            ("//mcp", true),
            ("/a/../mcp", true),
            ("/a%2fb", true),
            ("/mcp2", false),
            ("/health", false),
        ] {
            let path_of = RequestPath::new(path.as_bytes());
            assert_eq!(rules.covers(&path_of), expected, "{path}");
            assert!(!McpRules::default().covers(&path_of));
        }
    }

    #[test]
    fn a_condition_is_about_methods_and_names() {
        let search = McpCondition {
            methods: patterns(&["tools/call"]),
            names: patterns(&["search_*"]),
        };
        for (message, allow, deny) in [
            (request("tools/call", Some("search_a")), true, true),
            (request("tools/call", Some("Search_a")), false, true),
            (request("Tools/Call", Some("search_a")), false, true),
            (request("tools/call", Some("delete")), false, false),
            (request("prompts/get", Some("search_a")), false, false),
        ] {
            assert_eq!(search.fits(&message, Action::Allow), allow, "{message:?}");
            assert_eq!(search.fits(&message, Action::Deny), deny, "{message:?}");
        }
        for (pattern, name) in [
            ("Écrire_*", "écrire_x"),
            ("écrire_*", "ÉCRIRE_X"),
            ("*_ΛΟΓΟΣ", "a_λογος"),
            ("ΑΣ*", "ασx"),
            ("ας*", "ΑΣX"),
        ] {
            let condition = McpCondition {
                methods: Vec::new(),
                names: patterns(&[pattern]),
            };
            let message = request("tools/call", Some(name));
            assert!(condition.fits(&message, Action::Deny), "{pattern} {name}");
            assert!(!condition.fits(&message, Action::Allow), "{pattern} {name}");
        }
        let names = McpCondition {
            names: patterns(&["a"]),
            ..McpCondition::default()
        };
        for message in [request("tools/list", None), McpMessage::Response] {
            assert!(!names.fits(&message, Action::Allow));
            assert!(names.fits(&message, Action::Deny));
        }
    }

    #[test]
    fn what_cannot_be_known_fits_no_rule_that_allows() {
        let any = McpCondition {
            methods: patterns(&["*"]),
            ..McpCondition::default()
        };
        for (message, allow, deny) in [
            (Message::None, Holds::No, Holds::No),
            (Message::Unread, Holds::Unknown, Holds::Unknown),
            (Message::Any, Holds::No, Holds::Yes),
            (Message::Read(&McpMessage::Response), Holds::Yes, Holds::Yes),
        ] {
            assert_eq!(any.holds(message, Action::Allow), allow, "{message:?}");
            assert_eq!(any.holds(message, Action::Deny), deny, "{message:?}");
        }
    }
}
