//! The headers this filter owns: which are removed from every request, and which a permit sets.

use std::rc::Rc;

use thiserror::Error;

use crate::decide::header_value::{HeaderSource, HeaderValue};
use crate::identity::Charset;
use crate::reason::Reason;
use crate::request::{HeaderName, has_folded_prefix, is_spelling_of};
use crate::sorted::sorted_by_key;

/// The longest value that is set, in bytes. A longer one is refused, never cut.
pub const MAXIMUM_VALUE: usize = 8 * 1024;

/// Names that are always owned: those that gateways read identities from.
const ALWAYS_OWNED: [&str; 4] = [
    "x-authenticated-user",
    "x-user-organization",
    "client-cert",
    "client-cert-chain",
];

/// The prefix of names that are always owned.
const ALWAYS_OWNED_PREFIX: &str = "x-ssl-client-";

/// Why `headers` contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderRulesError {
    /// Two names that are one when `_` is `-`.
    #[error("set[{0:?}] and {1} are the same header, expected one value for each")]
    SetTwice(String, String),
}

/// Headers to set, each once.
pub type Headers = Vec<(String, String)>;

/// The headers of a user, written before any rule is asked. Only a [`crate::decide::Permit`] hands them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedHeaders {
    pub(super) headers: Result<Rc<Headers>, Reason>,
}

/// Which headers are removed, and which are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRules {
    user: HeaderName,
    set: Vec<(HeaderName, HeaderValue)>,
    owned: Vec<String>,
    charset: Charset,
}

impl HeaderRules {
    /// The rules for one user header, more headers to set, and more names to remove.
    ///
    /// # Errors
    /// [`HeaderRulesError`] when one header would have two values.
    pub fn new(
        user: HeaderName,
        set: Vec<(HeaderName, HeaderValue)>,
        strip: &[HeaderName],
        charset: Charset,
    ) -> Result<Self, HeaderRulesError> {
        let set = sorted_by_key(set);
        let mut written = vec![(user.folded(), "headers.user".to_owned())];
        for (name, _) in &set {
            let folded = name.folded();
            if let Some((_, other)) = written.iter().find(|(earlier, _)| *earlier == folded) {
                return Err(HeaderRulesError::SetTwice(name.to_string(), other.clone()));
            }
            written.push((folded, format!("set[{:?}]", name.as_str())));
        }
        let mut owned: Vec<_> = written.into_iter().map(|(folded, _)| folded).collect();
        owned.extend(strip.iter().map(HeaderName::folded));
        owned.extend(ALWAYS_OWNED.map(str::to_owned));
        Ok(Self {
            user,
            set,
            owned,
            charset,
        })
    }

    /// Whether a header of a request is this filter's to write: case does not matter, and `_` is `-`.
    pub fn is_owned(&self, name: &[u8]) -> bool {
        has_folded_prefix(name, ALWAYS_OWNED_PREFIX)
            || self.owned.iter().any(|owned| is_spelling_of(name, owned))
    }

    /// Whether a value of `Connection` names an owned header, so that the next hop would remove it
    /// (RFC 9110 section 7.6.1).
    pub fn is_named_by(&self, connection: &[u8]) -> bool {
        let mut options = connection.split(|&byte| byte == b',');
        options.any(|option| self.is_owned(option.trim_ascii()))
    }

    /// The headers of a user, ready for all requests of the connection that may pass.
    pub fn prepare(&self, source: &HeaderSource<'_>) -> PreparedHeaders {
        PreparedHeaders {
            headers: self.write(source).map(Rc::new),
        }
    }

    /// The headers of an anonymous request. It gets no certificate headers, even if a certificate was shown.
    pub(super) fn anonymous(&self) -> Result<Rc<Headers>, Reason> {
        self.write(&HeaderSource::default()).map(Rc::new)
    }

    fn write(&self, source: &HeaderSource<'_>) -> Result<Headers, Reason> {
        let mut headers = Vec::new();
        if let Some(identity) = source.identity {
            headers.push((self.user.to_string(), identity.user.to_string()));
        }
        for (name, kind) in &self.set {
            match kind.of(source, self.charset)? {
                Some(value) if value.len() > MAXIMUM_VALUE => return Err(Reason::HeaderTooLarge),
                Some(value) => headers.push((name.to_string(), value)),
                None => {}
            }
        }
        Ok(headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> HeaderName {
        HeaderName::try_from(text.to_owned()).unwrap()
    }

    fn rules(set: &[(&str, HeaderValue)]) -> Result<HeaderRules, HeaderRulesError> {
        let set = set.iter().map(|(text, kind)| (name(text), *kind)).collect();
        HeaderRules::new(name("x-user"), set, &[name("x_more")], Charset::Ascii)
    }

    #[test]
    fn owned_names_are_known_in_every_spelling() {
        let rules = rules(&[("x-ou", HeaderValue::OrganizationalUnit)]).unwrap();
        for owned in [
            "x-user",
            "X-USER",
            "x_user",
            "x-ou",
            "X_Ou",
            "x-more",
            "x_more",
            "X-Authenticated-User",
            "x_user_organization",
            "Client-Cert",
            "client_cert_chain",
            "x-ssl-client-s-dn-cn",
            "X_SSL_Client_Anything",
            "x-ssl-client-",
        ] {
            assert!(rules.is_owned(owned.as_bytes()), "{owned}");
        }
        for other in [
            "x-use",
            "x-user2",
            "x-ssl-client",
            "client-certificate",
            "accept",
            "",
        ] {
            assert!(!rules.is_owned(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_connection_header_may_name_no_owned_header() {
        let rules = rules(&[]).unwrap();
        for bad in ["x-user", "upgrade, X_User", "a,\tx-ssl-client-verify ,b"] {
            assert!(rules.is_named_by(bad.as_bytes()), "{bad}");
        }
        for good in ["", "upgrade", "keep-alive, Upgrade", "xx-user"] {
            assert!(!rules.is_named_by(good.as_bytes()), "{good}");
        }
    }

    #[test]
    fn one_header_has_one_value() {
        let twice = rules(&[("X_User", HeaderValue::Subject)]);
        let expected = HeaderRulesError::SetTwice("x_user".to_owned(), "headers.user".to_owned());
        assert_eq!(twice, Err(expected));
        let twice = rules(&[("x-a", HeaderValue::Subject), ("x_a", HeaderValue::Issuer)]);
        let expected = HeaderRulesError::SetTwice("x_a".to_owned(), "set[\"x-a\"]".to_owned());
        assert_eq!(twice, Err(expected));
    }
}
