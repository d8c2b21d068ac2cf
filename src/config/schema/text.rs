//! Strings of the configuration as regular expressions.
//!
//! They are of what ECMA-262, Python, Java and RE2 have in common but for `\uXXXX`: no flags, no look-around, no
//! properties of characters, nothing beyond U+FFFF. What must not match stands under `not`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::super::values::{ExactPath, Method, Organization, PathPattern, RuleName};
use crate::certificate::SpiffeId;
use crate::decide::{ALWAYS_OWNED, ALWAYS_OWNED_PREFIX};
use crate::identity::{MAXIMUM_USER, User};
use crate::limit::{Burst, MAXIMUM_REQUESTS, Rate};
use crate::request::{HeaderName, NOT_OURS};
use crate::rules::Pin;
use crate::rules::{Pattern, UserPattern};

/// Strings that become something only when the document is put together, so that no type of theirs reads them.
macro_rules! unread {
    ($($(#[$comment:meta])* $name:ident;)*) => {$(
        $(#[$comment])*
        pub(in crate::config) enum $name {}
    )*};
}

unread! {
    /// A SHA-256 in hexadecimal.
    Fingerprint;
    /// A distinguished name.
    Issuer;
    /// A serial number.
    Serial;
    /// The form of a name with wildcards.
    MapFrom;
    /// A user with wildcards.
    MapTo;
    /// A header that a rule may ask about.
    ConditionHeader;
}

macro_rules! schemas {
    ($($type:ident => $schema:expr;)*) => {$(
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    )*};
}

schemas! {
    ConditionHeader => header_name(not_ours().chain(always_owned()));
    HeaderName => header_name(not_ours());
    User => json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": MAXIMUM_USER,
        "not": {"pattern": format!(r"{}|^\*|\*$", nobody(""))},
    });
    UserPattern => json_schema!({
        "type": "string",
        "maxLength": MAXIMUM_USER,
        "pattern": r"^(?:\*|[^*]+|[^*]*[@./]\*|\*[@./][^*]*)$",
        // What a `*` stands for may be the beginning of a URI, and upper case may be behind no slash.
        "not": {"pattern": format!(r"{}|^\*(?:.*/.*[A-Z]|.*[A-Z].*/)", nobody(r"|\*"))},
    });
    MapFrom => mapping(&format!("^(?:{})$", map_from()));
    MapTo => mapping(&format!("^(?:{WILDCARD})?(?:{LITERAL}+{WILDCARD})*{LITERAL}*$"));
    Pattern => pattern(r"^(?:\*|[^*]+\*?|\*[^*]+)$");
    ExactPath => pattern(&format!("^/{PATH}*$"));
    PathPattern => pattern(&format!(r"^(?:\*|/{PATH}*\*?|\*/{PATH}*)$"));
    SpiffeId => json_schema!({
        "type": "string",
        "maxLength": 2048,
        "pattern": format!("^spiffe://[a-z0-9._-]{{1,255}}(?:/{SPIFFE_SEGMENT})*$"),
    });
    Pin => pattern(&format!("^(?:sha256:(?:{SHA256})|spki-sha256:{SHA256_BASE64})$"));
    Fingerprint => pattern(&format!("^(?:{SHA256})$"));
    Serial => pattern("^(?:[0-9A-Fa-f]+|[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})+)$");
    Issuer => pattern(&issuer());
    RuleName => pattern("^[ -~]{1,64}$");
    Organization => json_schema!({"type": "string", "minLength": 1});
    Method => pattern("^[!#$%&'+.^_`|~0-9A-Za-z-]+$");
    Rate => pattern("^0*(?:[1-9][0-9]{0,5}|1000000)/[smh]$");
    Burst => json_schema!({"type": "integer", "minimum": 0, "maximum": MAXIMUM_REQUESTS});
}

/// A SHA-256 in hexadecimal, with colons or none.
const SHA256: &str = "[0-9A-Fa-f]{64}|[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){31}";

/// A SHA-256 in base64, whose last character has two bits that are 0.
const SHA256_BASE64: &str = "[0-9A-Za-z+/]{42}[AEIMQUYcgkosw048]=";

/// A character of a path: visible ASCII but `*`, `?` and `#`.
const PATH: &str = r#"[!"$-)+->@-~]"#;

/// A segment of a SPIFFE ID's path, which is not `.` and not `..`.
const SPIFFE_SEGMENT: &str = r"(?:[0-9A-Za-z_-]|\.[0-9A-Za-z_-]|\.\.[0-9A-Za-z._-])[0-9A-Za-z._-]*";

/// Control and format characters, inside brackets.
const CONTROL: &str = r"\u0000-\u001f\u007f-\u009f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb";

/// White space that is no control character, inside brackets.
const SPACE: &str = r" \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000";

/// A wildcard of `identity.map`.
const WILDCARD: &str = r"\{[a-z0-9_]+\}";

/// A character beside the wildcards.
const LITERAL: &str = "[^{}]";

fn pattern(pattern: &str) -> Schema {
    json_schema!({"type": "string", "pattern": pattern})
}

fn header_name(refused: impl Iterator<Item = String>) -> Schema {
    let refused: Vec<_> = refused.collect();
    json_schema!({
        "type": "string",
        "pattern": r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
        "not": {"pattern": format!("^(?:{})$", refused.join("|"))},
    })
}

fn not_ours() -> impl Iterator<Item = String> {
    NOT_OURS.into_iter().map(folded)
}

fn always_owned() -> impl Iterator<Item = String> {
    let prefix = format!("{}.*", folded(ALWAYS_OWNED_PREFIX));
    ALWAYS_OWNED.into_iter().map(folded).chain([prefix])
}

/// A header's name in any case, and with `_` for `-`.
fn folded(name: &str) -> String {
    let fold = |character: char| match character {
        '-' => "[-_]".to_owned(),
        letter => format!("[{}{letter}]", letter.to_ascii_uppercase()),
    };
    name.chars().map(fold).collect()
}

/// What is in no user: control characters, space at an end, a URI that is not in normal form.
fn nobody(wildcard: &str) -> String {
    let not_normal = not_normal_uri(wildcard);
    format!("[{CONTROL}]|^[{SPACE}]|[{SPACE}]$|^(?:{not_normal})")
}

/// A URI whose scheme or authority has upper case, as far as it is needed to know that. `wildcard` is what may
/// stand for a character in lower case.
fn not_normal_uri(wildcard: &str) -> String {
    let first = format!("(?:[a-z]{wildcard})");
    let lower = format!("(?:[a-z0-9+.-]{wildcard})*");
    let any = format!("(?:[A-Za-z0-9+.-]{wildcard})*");
    [
        format!("(?:[A-Z]|{first}{lower}[A-Z]){any}://"),
        format!("{first}{lower}://[^/?#]*[A-Z]"),
        "(?:U[Rr][Nn]|uR[Nn]|urN):".to_owned(),
        "urn:/?(?:[A-Z]|[^:/][^:]*[A-Z])".to_owned(),
    ]
    .join("|")
}

/// Wildcards that stand for whole segments between literals, or no wildcard.
fn map_from() -> String {
    let boundary = "[/@.:]";
    let before = format!("(?:{LITERAL}*{boundary})?");
    let between = format!("{boundary}{before}");
    let after = format!("(?:{boundary}{LITERAL}*)?");
    format!("{before}{WILDCARD}(?:{between}{WILDCARD})*{after}|{LITERAL}+")
}

/// A side of a mapping, which must be a user when each wildcard is one character.
fn mapping(pattern: &str) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": pattern,
        "allOf": [{"pattern": format!("^(?:{LITERAL}|{WILDCARD}){{1,{MAXIMUM_USER}}}$")}],
        "not": {"pattern": nobody(&format!("|{WILDCARD}"))},
    })
}

/// RFC 4514 section 3, without the table of the names of types.
fn issuer() -> String {
    let space = r"[ \t\n\f\r]*";
    let kind = r"(?:[A-Za-z][0-9A-Za-z-]*|[0-9]+(?:\.[0-9]+)+)";
    let escape = r#"\\(?:["+,;<>\\ #=]|[0-9A-Fa-f]{2})"#;
    let hexadecimal = format!("#(?:[0-9A-Fa-f]{{2}})+{space}");
    let text = format!(r#"(?:(?:[^\\",+;<># \t\n\f\r]|{escape})(?:[^\\",+;<>]|{escape})*)?"#);
    let quoted = format!(r#""(?:[^"\\]|{escape})*"{space}"#);
    let attribute = format!("{space}{kind}{space}={space}(?:{hexadecimal}|{quoted}|{text})");
    format!("^{attribute}(?:[,+]{attribute})*$")
}
