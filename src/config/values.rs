//! The values of the plugin configuration that are stricter than their types.

use std::fmt;

use super::json::{Fault, Json};
use super::read::{Read, UniqueMap};
use crate::identity::Source;
use crate::identity::is_token;
use crate::limit::Burst;
use crate::request::HeaderName;
use crate::rules::comparable_group;

/// A list whose emptiness would mean that nobody or nothing is meant.
#[derive(Debug)]
pub(super) struct NonEmpty<T>(pub(super) Vec<T>);

impl<T: Read> Read for NonEmpty<T> {
    fn read(json: Json<'_>) -> Result<Self, Fault> {
        let list = Vec::read(json)?;
        match list.is_empty() {
            true => Err(Fault::new(
                "found an empty list, expected at least one entry",
            )),
            false => Ok(Self(list)),
        }
    }
}

/// A map whose emptiness would mean that nothing is asked.
#[derive(Debug)]
pub(super) struct NonEmptyMap<K, V>(pub(super) UniqueMap<K, V>);

impl<K: Read + fmt::Display, V: Read> Read for NonEmptyMap<K, V> {
    fn read(json: Json<'_>) -> Result<Self, Fault> {
        let map = UniqueMap::read(json)?;
        match map.0.is_empty() {
            true => Err(Fault::new(
                "found an empty object, expected at least one entry",
            )),
            false => Ok(Self(map)),
        }
    }
}

/// The gateway's PROXY_USER_HEADER.
#[derive(Debug)]
pub(super) struct UserHeader(pub(super) HeaderName);

impl Default for UserHeader {
    fn default() -> Self {
        Self(HeaderName::x_ssl_client_s_dn_cn())
    }
}

impl Read for UserHeader {
    fn read(json: Json<'_>) -> Result<Self, Fault> {
        HeaderName::read(json).map(Self)
    }
}

/// At least one source, each once.
#[derive(Debug)]
pub(super) struct Sources(pub(super) Vec<Source>);

impl Default for Sources {
    fn default() -> Self {
        Self(vec![Source::Cn])
    }
}

impl Read for Sources {
    fn read(json: Json<'_>) -> Result<Self, Fault> {
        let mut sources = Vec::new();
        for source in Vec::read(json)? {
            if sources.contains(&source) {
                let message = format!("found \"{source}\" twice, expected each source once");
                return Err(Fault::new(message));
            }
            sources.push(source);
        }
        match sources.is_empty() {
            true => Err(Fault::new("found no source, expected at least one")),
            false => Ok(Self(sources)),
        }
    }
}

/// The whole path of requests, without a query.
#[derive(Debug)]
pub(super) struct ExactPath(pub(super) String);

impl TryFrom<String> for ExactPath {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match is_path(&text) && !text.contains('*') {
            true => Ok(Self(text)),
            false => Err(format!(
                "found {text:?}, expected a whole path such as \"/health\""
            )),
        }
    }
}

fn is_path(text: &str) -> bool {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    text.starts_with('/') && visible && !text.contains(['?', '#'])
}

/// The name of a rule: what records call it.
#[derive(Debug)]
pub(super) struct RuleName(pub(super) String);

impl TryFrom<String> for RuleName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let printable = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
        match (1..=64).contains(&text.len()) && printable {
            true => Ok(Self(text)),
            false => Err(format!(
                "found {text:?}, expected 1 to 64 characters of ASCII"
            )),
        }
    }
}

/// An organizationName in lower case: X.520 compares them without case.
#[derive(Debug)]
pub(super) struct Organization(pub(super) String);

impl TryFrom<String> for Organization {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.is_empty() {
            true => Err("found \"\", expected an organization"),
            false => Ok(Self(comparable_group(&text))),
        }
    }
}

/// A method in upper case.
#[derive(Debug)]
pub(super) struct Method(pub(super) String);

impl TryFrom<String> for Method {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match is_token(&text) && !text.contains('*') {
            true => Ok(Self(text.to_ascii_uppercase())),
            false => Err(format!("found {text:?}, expected a method such as \"GET\"")),
        }
    }
}

impl Read for Burst {
    fn read(json: Json<'_>) -> Result<Self, Fault> {
        Self::try_from(json.u32()?).map_err(|error| Fault::of(&error))
    }
}
