//! The two sides of a rule of `identity.map`: text with wildcards.

use thiserror::Error;

use crate::identity::user::{Charset, User, UserError};

/// Why a rule of `identity.map` is none.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MappingError {
    /// A `{` without `}`, a `}` without `{`, or a wildcard whose name is not of `a-z 0-9 _`.
    #[error("a wildcard that is not {{name}} with a name of a-z, 0-9 and '_'")]
    Wildcard,
    /// A wildcard in `from` with something else beside it than an end, `/`, `@`, `.` or `:`.
    #[error("{{{0}}} is not a whole segment: expected an end, '/', '@', '.' or ':' on both sides")]
    PartOfSegment(String),
    /// One name twice in `from`.
    #[error("{{{0}}} is there twice")]
    Repeated(String),
    /// A name in `to` that is not in `from`.
    #[error("{{{0}}} is not a wildcard of \"from\"")]
    Unknown(String),
    /// A `{rest...}` with something behind it.
    #[error("{{{0}...}} stands for all that is left: expected nothing behind it")]
    Rest(String),
    /// Two wildcards in `to` with nothing between them: two users could become one.
    #[error("nothing stands between {{{0}}} and the wildcard before it")]
    Adjacent(String),
    /// The text could be nobody's name, whatever the wildcards stand for.
    #[error("{0}")]
    User(#[from] UserError),
}

/// A piece of a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Text that stands for itself.
    Literal(String),
    /// `{name}`: one whole segment.
    Wildcard(String),
    /// `{name...}`: whatever is left, at least one character.
    Rest(String),
}

/// Reads `from`: wildcards are whole segments, each of another name.
pub(super) fn parse_from(text: &str) -> Result<Vec<Token>, MappingError> {
    let tokens = tokens(text)?;
    let mut seen: Vec<&str> = Vec::new();
    for (place, token) in tokens.iter().enumerate() {
        let (Token::Wildcard(name) | Token::Rest(name)) = token else {
            continue;
        };
        let before = place.checked_sub(1).and_then(|before| tokens.get(before));
        if !is_boundary(before, last_character)
            || !is_boundary(tokens.get(place + 1), first_character)
        {
            return Err(MappingError::PartOfSegment(name.clone()));
        }
        if seen.contains(&name.as_str()) {
            return Err(MappingError::Repeated(name.clone()));
        }
        seen.push(name);
    }
    canonical(tokens)
}

/// Reads `to`: its wildcards are those of `from`.
pub(super) fn parse_to(text: &str, from: &[Token]) -> Result<Vec<Token>, MappingError> {
    let tokens = tokens(text)?;
    let mut before: Option<&Token> = None;
    for token in &tokens {
        if let Token::Wildcard(name) | Token::Rest(name) = token {
            if !from.contains(token) {
                return Err(MappingError::Unknown(name.clone()));
            }
            if matches!(before, Some(Token::Wildcard(_) | Token::Rest(_))) {
                return Err(MappingError::Adjacent(name.clone()));
            }
        }
        before = Some(token);
    }
    canonical(tokens)
}

/// The tokens in canonical form, as the users have it that they are compared with or that they make.
fn canonical(tokens: Vec<Token>) -> Result<Vec<Token>, MappingError> {
    let user = User::parse(&example(&tokens), Charset::Utf8)?;
    // Character by character the canonical form is as long as what it was made of.
    let mut characters = user.as_str().chars();
    let canonical = tokens.into_iter().map(|token| match token {
        Token::Literal(text) => {
            let count = text.chars().count();
            Token::Literal(characters.by_ref().take(count).collect())
        }
        Token::Wildcard(_) | Token::Rest(_) => {
            characters.next();
            token
        }
    });
    Ok(canonical.collect())
}

/// The text with something in the place of its wildcards.
pub(super) fn example(tokens: &[Token]) -> String {
    let mut example = String::new();
    for token in tokens {
        example.push_str(match token {
            Token::Literal(text) => text,
            Token::Wildcard(_) | Token::Rest(_) => "x",
        });
    }
    example
}

fn tokens(text: &str) -> Result<Vec<Token>, MappingError> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some((literal, behind)) = rest.split_once('{') {
        push_literal(&mut tokens, literal)?;
        let (name, behind) = behind.split_once('}').ok_or(MappingError::Wildcard)?;
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        let (name, is_rest) = match name.strip_suffix("...") {
            Some(name) => (name, true),
            None => (name, false),
        };
        if name.is_empty() || !name.bytes().all(allowed) {
            return Err(MappingError::Wildcard);
        }
        if is_rest && !behind.is_empty() {
            return Err(MappingError::Rest(name.to_owned()));
        }
        tokens.push(match is_rest {
            true => Token::Rest(name.to_owned()),
            false => Token::Wildcard(name.to_owned()),
        });
        rest = behind;
    }
    push_literal(&mut tokens, rest)?;
    Ok(tokens)
}

fn push_literal(tokens: &mut Vec<Token>, text: &str) -> Result<(), MappingError> {
    if text.contains('}') {
        return Err(MappingError::Wildcard);
    }
    if !text.is_empty() {
        tokens.push(Token::Literal(text.to_owned()));
    }
    Ok(())
}

fn is_boundary(token: Option<&Token>, character: fn(Option<&Token>) -> Option<char>) -> bool {
    token.is_none() || matches!(character(token), Some('/' | '@' | '.' | ':'))
}

/// The first character of a piece of text; none for a wildcard.
pub(super) fn first_character(token: Option<&Token>) -> Option<char> {
    literal(token)?.chars().next()
}

fn last_character(token: Option<&Token>) -> Option<char> {
    literal(token)?.chars().next_back()
}

fn literal(token: Option<&Token>) -> Option<&str> {
    match token? {
        Token::Literal(text) => Some(text),
        Token::Wildcard(_) | Token::Rest(_) => None,
    }
}
