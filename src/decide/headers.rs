//! The headers that the filter owns: those that it removes from every request, and those that it sets.

use std::collections::BTreeMap;
use std::rc::Rc;

use thiserror::Error;

use crate::decide::header_value::{HeaderSource, HeaderText, HeaderValue};
use crate::reason::Reason;
use crate::request::{Fold, HeaderName, MARK, starts_with};

/// The longest value that is set, in bytes. A longer one is refused, never cut.
pub const MAXIMUM_VALUE: usize = 8 * 1024;

/// Names that are always owned: those that gateways read identities from, and the one into which the shipped listeners
/// copy a character of what they have removed.
const ALWAYS_OWNED: [&str; 5] = [
    "x-authenticated-user",
    "x-user-organization",
    "client-cert",
    "client-cert-chain",
    "x-claimed-identity",
];

/// The prefix of names that are always owned.
const ALWAYS_OWNED_PREFIX: &str = "x-ssl-client-";

/// Why `headers` contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HeaderRulesError {
    /// Two names that are one header for gateways that fold names.
    #[error("set[{0:?}] and {1} are the same header, expected one value for each")]
    SetTwice(String, String),
    /// The mark with a value of its own.
    #[error("{0} is {MARK:?}, which always has the value \"verify\": the guard asks for it")]
    Mark(String),
}

/// Headers to set, each once.
pub type Headers = Vec<(String, Vec<u8>)>;

/// The headers of a user, written before any rule is asked. Only a [`crate::decide::Permit`] hands them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreparedHeaders {
    pub(super) headers: Result<Rc<Headers>, Reason>,
}

/// Which headers are removed, and which are set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRules {
    user: HeaderName,
    set: BTreeMap<HeaderName, HeaderValue>,
    owned: Vec<Fold>,
    form: HeaderText,
}

impl HeaderRules {
    /// The rules for one user header, more headers to set, and more names to remove. The mark is always set.
    ///
    /// # Errors
    /// [`HeaderRulesError`] when one header would have two values.
    pub fn new(
        user: HeaderName,
        set: BTreeMap<HeaderName, HeaderValue>,
        strip: &[HeaderName],
        form: HeaderText,
    ) -> Result<Self, HeaderRulesError> {
        let mut written = vec![(user.fold(), "headers.user".to_owned())];
        for name in set.keys() {
            let fold = name.fold();
            if let Some((_, other)) = written.iter().find(|(earlier, _)| *earlier == fold) {
                return Err(HeaderRulesError::SetTwice(name.to_string(), other.clone()));
            }
            written.push((fold, format!("set[{:?}]", name.as_str())));
        }
        let set = with_mark(set, &written)?;
        let mut owned: Vec<_> = written.into_iter().map(|(fold, _)| fold).collect();
        owned.extend(strip.iter().map(HeaderName::fold));
        owned.extend(ALWAYS_OWNED.map(Fold::new));
        Ok(Self {
            user,
            set,
            owned,
            form,
        })
    }

    /// Whether a header of a request is this filter's to write: case does not matter, and every character that is no letter
    /// or digit is `-`.
    pub fn is_owned(&self, name: &[u8]) -> bool {
        starts_with(name, ALWAYS_OWNED_PREFIX) || self.owned.iter().any(|owned| owned.is(name))
    }

    /// The names that are set, in lower case: the user's, the mark, and those of `headers.set`.
    pub fn set_names(&self) -> impl Iterator<Item = &str> {
        [&self.user]
            .into_iter()
            .chain(self.set.keys())
            .map(HeaderName::as_str)
    }

    /// The other owned names, folded. Names that begin with `x-ssl-client-` are not listed: all of them are owned.
    pub fn removed_names(&self) -> impl Iterator<Item = &str> {
        let is_set = |fold: &Fold| self.set_names().any(|name| fold.is(name.as_bytes()));
        let owned = self.owned.iter().filter(move |fold| !is_set(fold));
        owned.map(Fold::as_str)
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
            let user = self.form.bytes(identity.user.to_string(), false)?;
            headers.push((self.user.to_string(), user));
        }
        for (name, kind) in &self.set {
            match kind.of(source, self.form)? {
                Some(value) if value.len() > MAXIMUM_VALUE => return Err(Reason::HeaderTooLarge),
                Some(value) => headers.push((name.to_string(), value)),
                None => {}
            }
        }
        Ok(headers)
    }
}

/// The headers to set, with the mark among them.
fn with_mark(
    mut set: BTreeMap<HeaderName, HeaderValue>,
    written: &[(Fold, String)],
) -> Result<BTreeMap<HeaderName, HeaderValue>, HeaderRulesError> {
    let mark = HeaderName::mark();
    let fold = mark.fold();
    if let Some((_, place)) = written.iter().find(|(name, _)| *name == fold) {
        return match set.get(&mark) {
            Some(HeaderValue::Verify) => Ok(set),
            _ => Err(HeaderRulesError::Mark(place.clone())),
        };
    }
    set.insert(mark, HeaderValue::Verify);
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::header_value::HeaderEncoding;
    use crate::identity::Charset;

    const FORM: HeaderText = HeaderText {
        charset: Charset::Ascii,
        encoding: HeaderEncoding::Utf8,
    };

    fn name(text: &str) -> HeaderName {
        HeaderName::try_from(text.to_owned()).unwrap()
    }

    fn rules(set: &[(&str, HeaderValue)]) -> Result<HeaderRules, HeaderRulesError> {
        let set = set.iter().map(|(text, kind)| (name(text), *kind)).collect();
        HeaderRules::new(name("x-user"), set, &[name("x_more")], FORM)
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
            "x.ssl.client.s.dn.cn",
            "x~ssl~client~verify",
            "x.user",
            "x-ssl-client-",
            "X-Claimed-Identity",
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
    fn the_mark_is_always_set_and_always_says_the_same() {
        let set = |pairs: &[(&str, HeaderValue)]| rules(pairs).map(|rules| rules.set);
        assert_eq!(set(&[]), set(&[(MARK, HeaderValue::Verify)]));
        let error = HeaderRulesError::Mark(format!("set[{MARK:?}]"));
        assert_eq!(set(&[(MARK, HeaderValue::Subject)]), Err(error));
        let error = HeaderRulesError::Mark("set[\"x_ssl_client_verify\"]".to_owned());
        assert_eq!(
            set(&[("x_ssl_client_verify", HeaderValue::Verify)]),
            Err(error)
        );
        let user = HeaderRules::new(name(MARK), BTreeMap::new(), &[], FORM);
        let error = HeaderRulesError::Mark("headers.user".to_owned());
        assert_eq!(user, Err(error));
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
