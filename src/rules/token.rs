//! Access tokens that are bound to a certificate (RFC 8705 section 3): whoever steals one needs the certificate's key too.

use serde::{Deserialize, Serialize};

use crate::certificate::PeerCertificate;
use crate::encoding::bytes_of_base64url;
use crate::request::RequestHead;

/// Which requests need a token that is bound to the client's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum TokenBinding {
    /// None: tokens are not looked at.
    #[default]
    Off,
    /// Those whose token says that it is bound.
    IfPresent,
    /// All.
    Required,
}

/// `certificate.bound` and `certificate.bound_metadata`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRules {
    /// Which requests need a bound token.
    pub binding: TokenBinding,
    /// The key under which `envoy.filters.http.jwt_authn` writes the token's claims into its dynamic metadata.
    pub metadata: String,
}

/// What the claim `cnf` of a token that Envoy has verified says of a certificate (RFC 8705 section 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Confirmation {
    /// Nothing, or there is no token.
    #[default]
    None,
    /// `x5t#S256`: the SHA-256 of the certificate's DER.
    Certificate([u8; 32]),
    /// Something that nobody can compare with a certificate.
    Unreadable,
    /// The request has more than one token, and another one than Envoy's may be the gateway's.
    Ambiguous,
}

impl Confirmation {
    /// Reads the text of `x5t#S256`: base64url without padding.
    pub fn parse(thumbprint: &[u8]) -> Self {
        let digest = bytes_of_base64url(thumbprint).and_then(|bytes| bytes.try_into().ok());
        digest.map_or(Self::Unreadable, Self::Certificate)
    }

    /// Reads a claim `cnf` that has no `x5t#S256`, as Envoy gives it: an object is a header map. It may name another kind
    /// of key (`jkt` of RFC 9449, say), so that the token is bound to no certificate. Anything else is unreadable.
    pub fn without_thumbprint(claim: Option<&[u8]>) -> Self {
        let Some(claim) = claim else {
            return Self::None;
        };
        // A list comes as a map, too, whose values are empty.
        let members = RequestHead::read(claim);
        let has_member =
            members.is_some_and(|map| map.entries().any(|(_, value)| !value.is_empty()));
        match has_member {
            true => Self::None,
            false => Self::Unreadable,
        }
    }
}

/// Whether Envoy and any gateway find the same token in a value of `Authorization`. Envoy looks for `Bearer ` in this case,
/// and anywhere in the value; a gateway takes the scheme in any case (RFC 9110 section 11.1), and its first word.
pub fn has_one_reading(authorization: &[u8]) -> bool {
    let lower = authorization.to_ascii_lowercase();
    let mentions_bearer = lower.windows(SCHEME.len()).any(|word| word == SCHEME);
    // RFC 6750 section 2.1: `b64token`.
    let is_of_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(byte);
    let token = authorization.strip_prefix(b"Bearer ");
    !mentions_bearer
        || token.is_some_and(|token| !token.is_empty() && token.iter().all(is_of_token))
}

/// The scheme of an access token, in lower case.
const SCHEME: &[u8] = b"bearer";

impl TokenRules {
    /// Whether a request may pass with this token and this certificate. One that may pass without an identity because of
    /// its path (`may_be_absent`) needs no token; but a token that is bound needs its certificate everywhere.
    ///
    /// # Errors
    /// What is wrong, for the record.
    pub fn check(
        &self,
        confirmation: Confirmation,
        certificate: Option<&PeerCertificate>,
        may_be_absent: bool,
    ) -> Result<(), &'static str> {
        if self.binding == TokenBinding::Off {
            return Ok(());
        }
        match (confirmation, certificate) {
            (Confirmation::None, _) if self.binding == TokenBinding::IfPresent || may_be_absent => {
                Ok(())
            }
            (Confirmation::None, _) => Err("no verified token has cnf.x5t#S256"),
            (Confirmation::Unreadable, _) => {
                Err("the token's cnf.x5t#S256 is no SHA-256 in base64url")
            }
            (Confirmation::Ambiguous, _) => {
                Err("Authorization is there twice, or is not Bearer, a space and one token")
            }
            (Confirmation::Certificate(_), None) => {
                Err("the token is bound to a certificate, and the client has none")
            }
            (Confirmation::Certificate(digest), Some(certificate))
                if digest != *certificate.sha256() =>
            {
                Err("the token is bound to another certificate")
            }
            (Confirmation::Certificate(_), Some(_)) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_where_envoy_and_any_gateway_look() {
        for (value, expected) in [
            ("Bearer abc.def-g_h~i+j/k==", true),
            ("Basic YTpi", true),
            ("", true),
            ("bearer abc", false),
            ("BEARER abc", false),
            ("Bearer  abc", false),
            ("Bearer\tabc", false),
            ("Bearer abc ", false),
            ("Bearer abc, Bearer def", false),
            ("bearer abc Bearer def", false),
            ("Basic x Bearer abc", false),
            ("Bearer", false),
            ("Bearer ", false),
            ("BearerX abc", false),
            ("Bearer \"abc\"", false),
        ] {
            assert_eq!(has_one_reading(value.as_bytes()), expected, "{value:?}");
        }
    }
    use crate::request::write_map;

    #[test]
    fn a_claim_without_a_thumbprint_must_name_another_key() {
        let of = Confirmation::without_thumbprint;
        let map = |name: &'static [u8], value: &'static [u8]| write_map([(name, value)]);
        assert_eq!(of(None), Confirmation::None);
        assert_eq!(of(Some(&map(b"jkt", b"x"))), Confirmation::None);
        // `{}`, a list, text, a number, true: as Envoy gives them.
        let list = map(b"jkt", b"");
        for odd in [
            &b"\0\0\0\0"[..],
            &list,
            b"text",
            b"",
            b"\0\0\0\0\0\0\x1c@",
            b"\x01",
        ] {
            assert_eq!(of(Some(odd)), Confirmation::Unreadable, "{odd:?}");
        }
    }

    #[test]
    fn a_thumbprint_has_one_writing() {
        let written = "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0";
        let Confirmation::Certificate(digest) = Confirmation::parse(written.as_bytes()) else {
            panic!("{written}");
        };
        assert_eq!(digest.first(), Some(&0x6f));
        for odd in [
            "",
            "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0=",
            "bwcK0esc3ACC3DB2Y5/lESsXE8o9ltc05O89jdN+dg0",
            // The example of RFC 8705 section 3.1, whose last character has bits that encode nothing.
            "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg2",
            "bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg",
            " bwcK0esc3ACC3DB2Y5_lESsXE8o9ltc05O89jdN-dg0",
            "6f070ad1eb1cdc0082dc3076639fe5112b1713ca3d96d734e4ef3d8dd37e760d",
        ] {
            assert_eq!(
                Confirmation::parse(odd.as_bytes()),
                Confirmation::Unreadable,
                "{odd}"
            );
        }
    }
}
