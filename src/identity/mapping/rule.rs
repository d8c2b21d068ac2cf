//! One rule of `identity.map`, and the user that it makes of a name.

use std::fmt;

use thiserror::Error;

use crate::certificate::{SpiffeId, SpiffeIdError};
use crate::identity::mapping::template::{
    MappingError, Token, example, first_character, parse_from, parse_to,
};
use crate::identity::user::{Charset, User, UserError, is_uri};

/// Why a mapped name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UnmappableError {
    /// A segment contains what separates it in `to`, so that two names could become one user.
    #[error("a segment of the name contains what separates it in the mapped user")]
    Separator,
    /// A segment of a URI has upper case, which the mapped user would lose.
    #[error("a segment of the name has upper case, which the mapped user would lose")]
    Uppercase,
    /// A segment makes a URI of a name, or the other way round.
    #[error("a segment of the name makes a URI of what is none")]
    Kind,
    /// The mapped text begins as a SPIFFE ID and is none.
    #[error("the mapped user: {0}")]
    Spiffe(#[from] SpiffeIdError),
    /// The mapped text is nobody's name.
    #[error("the mapped user: {0}")]
    User(#[from] UserError),
}

/// One rule: a name of that form is that user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapRule {
    from: Vec<Token>,
    to: Vec<Token>,
    to_uri: bool,
}

impl MapRule {
    /// Reads the two sides of a rule.
    ///
    /// # Errors
    /// The side, `from` or `to`, and a [`MappingError`].
    pub fn parse(from: &str, to: &str) -> Result<Self, (MapSide, MappingError)> {
        let pattern = parse_from(from).map_err(|error| (MapSide::From, error))?;
        let template = parse_to(to, &pattern).map_err(|error| (MapSide::To, error))?;
        Ok(Self {
            from: pattern,
            to_uri: is_uri(&example(&template)),
            to: template,
        })
    }

    /// The user that this rule makes of a name; none if it is not of the rule's form.
    ///
    /// # Errors
    /// [`UnmappableError`] when it is, and would make one user of two names.
    pub fn map(&self, name: &User, charset: Charset) -> Option<Result<User, UnmappableError>> {
        let segments = self.segments(name.as_str())?;
        Some(self.write(&segments, charset))
    }

    fn segments<'a>(&'a self, name: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
        let mut rest = name;
        let mut segments = Vec::new();
        let mut before = None;
        for (place, token) in self.from.iter().enumerate() {
            match token {
                Token::Literal(text) => {
                    rest = rest.strip_prefix(text.as_str())?;
                    before = text.chars().next_back();
                }
                Token::Wildcard(wildcard) => {
                    let after = first_character(self.from.get(place + 1));
                    let (value, behind) = take_segment(rest, before, after)?;
                    segments.push((wildcard.as_str(), value));
                    rest = behind;
                }
                Token::Rest(wildcard) => {
                    segments.push((wildcard.as_str(), rest));
                    return (!rest.is_empty()).then_some(segments);
                }
            }
        }
        rest.is_empty().then_some(segments)
    }

    fn write(&self, segments: &[(&str, &str)], charset: Charset) -> Result<User, UnmappableError> {
        let mut text = String::new();
        for (place, token) in self.to.iter().enumerate() {
            let value = match token {
                Token::Literal(text) => text,
                Token::Wildcard(wildcard) | Token::Rest(wildcard) => {
                    let value = value_of(wildcard, segments);
                    self.check(value, place)?;
                    value
                }
            };
            text.push_str(value);
        }
        if is_uri(&text) != self.to_uri {
            return Err(UnmappableError::Kind);
        }
        if SpiffeId::is_claimed_by(&text) {
            SpiffeId::parse(&text)?;
        }
        Ok(User::parse(&text, charset)?)
    }

    fn check(&self, value: &str, place: usize) -> Result<(), UnmappableError> {
        let another_follows = self.to.len() > place + 2;
        let separator = first_character(self.to.get(place + 1));
        if another_follows && separator.is_some_and(|separator| value.contains(separator)) {
            return Err(UnmappableError::Separator);
        }
        if !self.to_uri && value.chars().any(char::is_uppercase) {
            return Err(UnmappableError::Uppercase);
        }
        Ok(())
    }
}

/// A side of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapSide {
    /// The form of the name in the certificate.
    From,
    /// The user.
    To,
}

impl fmt::Display for MapSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::From => "from",
            Self::To => "to",
        })
    }
}

/// One whole segment: up to what stands behind the wildcard, and without what stands on its sides.
fn take_segment(rest: &str, before: Option<char>, after: Option<char>) -> Option<(&str, &str)> {
    let end = match after {
        Some(separator) => rest.find(separator)?,
        None => rest.len(),
    };
    let (value, behind) = rest.split_at_checked(end)?;
    let outside = |character| matches!(character, '/' | '@') || Some(character) == before;
    (!value.is_empty() && !value.contains(outside)).then_some((value, behind))
}

fn value_of<'a>(wildcard: &str, segments: &[(&str, &'a str)]) -> &'a str {
    let mut named = segments.iter().filter(|(name, _)| *name == wildcard);
    named.next().map(|&(_, value)| value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(from: &str, to: &str, name: &str) -> Option<Result<String, UnmappableError>> {
        let name = User::parse(name, Charset::Ascii).unwrap();
        let mapped = MapRule::parse(from, to)
            .unwrap()
            .map(&name, Charset::Ascii)?;
        Some(mapped.map(|user| user.to_string()))
    }

    #[test]
    fn wildcards_stand_for_whole_segments() {
        let from = "spiffe://cluster.local/ns/{ns}/sa/{sa}";
        for (from, to, name, expected) in [
            (
                from,
                "{sa}@{ns}.example.com",
                "spiffe://cluster.local/ns/mcp/sa/a.b",
                Some("a.b@mcp.example.com"),
            ),
            (from, "{sa}", "spiffe://cluster.local/ns/mcp/sa/a/b", None),
            (from, "{sa}", "spiffe://cluster.local/ns/mcp/x/sa/a", None),
            (from, "{sa}", "spiffe://cluster.local/ns//sa/a", None),
            (from, "{sa}", "spiffe://cluster.local/ns/mcp/sa/", None),
            (from, "{sa}", "spiffe://cluster.locale/ns/mcp/sa/a", None),
            (
                "{u}@corp.example.com",
                "{u}@example.com",
                "John.Doe@Corp.Example.com",
                Some("john.doe@example.com"),
            ),
            (
                "{u}@corp.example.com",
                "{u}@example.com",
                "a@b@corp.example.com",
                None,
            ),
            ("{host}.example.com", "{host}", "a.b.example.com", None),
            (
                "{host}.example.com",
                "svc-{host}",
                "a.example.com",
                Some("svc-a"),
            ),
            (
                "Admin@example.com",
                "Root@example.com",
                "admin@EXAMPLE.com",
                Some("root@example.com"),
            ),
            ("system:node:{n}", "{n}", "system:node:a", Some("a")),
            ("{s}://h/Path", "{s}", "https://h/Path", Some("https")),
            ("{s}://h/Path", "{s}", "https://h/path", None),
            ("HTTPS://H/{p}", "{p}", "https://h/a", Some("a")),
        ] {
            let expected = expected.map(|text| Ok(text.to_owned()));
            assert_eq!(map(from, to, name), expected, "{from} {name}");
        }
    }

    #[test]
    fn the_rest_of_a_name_is_one_wildcard() {
        for (from, to, name, expected) in [
            ("{cf}/{rest...}", "{cf}", "code/card.ab", Some("code")),
            ("{cf}/{rest...}", "{cf}", "code/card.a/b", Some("code")),
            ("{cf}/{rest...}", "{cf}", "code/", None),
            ("{cf}/{rest...}", "{cf}", "code", None),
            (
                "{cf}/{rest...}",
                "{cf}-{rest...}",
                "code/a/b",
                Some("code-a/b"),
            ),
            ("a@{rest...}", "{rest...}", "a@b@c", Some("b@c")),
            ("{rest...}", "x-{rest...}", "a", Some("x-a")),
        ] {
            let expected = expected.map(|text| Ok(text.to_owned()));
            assert_eq!(map(from, to, name), expected, "{from} {name}");
        }
        let separator = Some(Err(UnmappableError::Separator));
        assert_eq!(map("{cf}/{rest...}", "{cf}-{rest...}", "a-b/c"), separator);
        let rest = |side| (side, MappingError::Rest("r".to_owned()));
        let parsed = |from, to| MapRule::parse(from, to).map(|_| ());
        assert_eq!(parsed("{r...}@a", "b"), Err(rest(MapSide::From)));
        assert_eq!(parsed("{r...}", "{r...}@a"), Err(rest(MapSide::To)));
        let unknown = MappingError::Unknown("r".to_owned());
        assert_eq!(parsed("{r...}", "{r}"), Err((MapSide::To, unknown)));
    }

    #[test]
    fn two_names_never_become_one_user() {
        let from = "spiffe://a/{x}/{y}";
        for (to, name, expected) in [
            ("{x}-{y}", "spiffe://a/b-c/d", UnmappableError::Separator),
            ("{x}", "spiffe://a/Admin/d", UnmappableError::Uppercase),
        ] {
            assert_eq!(map(from, to, name), Some(Err(expected)));
        }
        assert_eq!(
            map(from, "{x}-{y}", "spiffe://a/b/c-d"),
            Some(Ok("b-c-d".to_owned()))
        );
        let kept = map(from, "spiffe://b/{x}/{y}", "spiffe://a/Admin/d");
        assert_eq!(kept, Some(Ok("spiffe://b/Admin/d".to_owned())));
    }

    #[test]
    fn a_segment_makes_no_uri_and_no_odd_spiffe_id() {
        let kind = Some(Err(UnmappableError::Kind));
        assert_eq!(map("{a}.{b}", "{a}:{b}", "urn.admin"), kind);
        for (name, expected) in [
            ("..@corp", SpiffeIdError::PathSegment),
            ("x?y%2f@corp", SpiffeIdError::PathSegment),
        ] {
            let mapped = map("{u}@corp", "spiffe://td/{u}", name);
            assert_eq!(
                mapped,
                Some(Err(UnmappableError::Spiffe(expected))),
                "{name}"
            );
        }
    }

    #[test]
    fn a_mapped_user_is_bounded_as_any_other() {
        let name = format!("spiffe://a/{}", "b".repeat(200));
        let to = format!("{{x}}@{}", "c".repeat(60));
        let mapped = map("spiffe://a/{x}", &to, &name);
        let expected = UnmappableError::User(UserError::TooLong(261));
        assert_eq!(mapped, Some(Err(expected)));
    }

    #[test]
    fn a_rule_that_is_none_says_why() {
        let name = |text: &str| text.to_owned();
        for (from, to, side, expected) in [
            ("a{", "a", MapSide::From, MappingError::Wildcard),
            ("a}", "a", MapSide::From, MappingError::Wildcard),
            ("{}", "a", MapSide::From, MappingError::Wildcard),
            ("{A}", "a", MapSide::From, MappingError::Wildcard),
            (
                "a{x}",
                "a",
                MapSide::From,
                MappingError::PartOfSegment(name("x")),
            ),
            (
                "{x}{y}",
                "a",
                MapSide::From,
                MappingError::PartOfSegment(name("x")),
            ),
            (
                "{x}/{x}",
                "a",
                MapSide::From,
                MappingError::Repeated(name("x")),
            ),
            ("", "a", MapSide::From, MappingError::User(UserError::Empty)),
            (
                "spiffe://A/{x}",
                "a",
                MapSide::From,
                MappingError::User(UserError::UriNotNormal),
            ),
            ("{x}", "{y}", MapSide::To, MappingError::Unknown(name("y"))),
            (
                "{x}/{y}",
                "{x}{y}",
                MapSide::To,
                MappingError::Adjacent(name("y")),
            ),
            ("{x}", "", MapSide::To, MappingError::User(UserError::Empty)),
            (
                "{x}",
                " {x}",
                MapSide::To,
                MappingError::User(UserError::OuterSpace),
            ),
        ] {
            assert_eq!(
                MapRule::parse(from, to),
                Err((side, expected)),
                "{from} {to}"
            );
        }
    }
}
