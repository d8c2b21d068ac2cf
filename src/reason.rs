//! Why a request is refused, and the answer its sender gets.

use std::fmt;

/// The reason of a denial: what the client, the record and the counter call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The request's own form is an attempt on the identity headers.
    MalformedRequest,
    /// The body is not one message of MCP that every reader reads alike.
    MalformedMcp,
    /// `Mcp-Method` or `Mcp-Name` says something else than the body.
    McpHeaderMismatch,
    /// The body is longer than `mcp.max_body`.
    McpTooLarge,
    /// The client sent no certificate.
    NoCertificate,
    /// Envoy does not vouch that the certificate was validated on this connection.
    CertificateNotValidated,
    /// The certificate cannot be read, is over a bound, or cannot be had from this Envoy.
    CertificateUnreadable,
    /// notAfter has passed.
    CertificateExpired,
    /// notBefore is to come.
    CertificateNotYetValid,
    /// The header in which a trusted peer speaks for its client can be read in two ways.
    ForwardedAmbiguous,
    /// The certificate has none of the names that `identity.sources` asks for.
    NoIdentity,
    /// The certificate has a name several times.
    AmbiguousIdentity,
    /// The certificate's name cannot be anybody's.
    InvalidIdentity,
    /// `revoked` names the certificate.
    Revoked,
    /// The access token is bound to another certificate, or to none where it must be.
    TokenNotBound,
    /// The user has pins, and the certificate has none of them.
    PinMismatch,
    /// The user must have a pin, and has none.
    PinRequired,
    /// No rule of `authorization` allows the request, or one denies it.
    NotAuthorized,
    /// The user's limit is used up.
    RateLimited,
    /// A header would be over its bound.
    HeaderTooLarge,
    /// The proxy or the filter failed.
    InternalError,
}

impl Reason {
    /// Every reason there is.
    pub const ALL: [Self; 21] = [
        Self::MalformedRequest,
        Self::MalformedMcp,
        Self::McpHeaderMismatch,
        Self::McpTooLarge,
        Self::NoCertificate,
        Self::CertificateNotValidated,
        Self::CertificateUnreadable,
        Self::CertificateExpired,
        Self::CertificateNotYetValid,
        Self::ForwardedAmbiguous,
        Self::NoIdentity,
        Self::AmbiguousIdentity,
        Self::InvalidIdentity,
        Self::Revoked,
        Self::TokenNotBound,
        Self::PinMismatch,
        Self::PinRequired,
        Self::NotAuthorized,
        Self::RateLimited,
        Self::HeaderTooLarge,
        Self::InternalError,
    ];

    /// The name in answers, records and counters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedRequest => "malformed_request",
            Self::MalformedMcp => "malformed_mcp",
            Self::McpHeaderMismatch => "mcp_header_mismatch",
            Self::McpTooLarge => "mcp_too_large",
            Self::NoCertificate => "no_certificate",
            Self::CertificateNotValidated => "certificate_not_validated",
            Self::CertificateUnreadable => "certificate_unreadable",
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateNotYetValid => "certificate_not_yet_valid",
            Self::ForwardedAmbiguous => "forwarded_ambiguous",
            Self::NoIdentity => "no_identity",
            Self::AmbiguousIdentity => "ambiguous_identity",
            Self::InvalidIdentity => "invalid_identity",
            Self::Revoked => "revoked",
            Self::TokenNotBound => "token_not_bound",
            Self::PinMismatch => "pin_mismatch",
            Self::PinRequired => "pin_required",
            Self::NotAuthorized => "not_authorized",
            Self::RateLimited => "rate_limited",
            Self::HeaderTooLarge => "header_too_large",
            Self::InternalError => "internal_error",
        }
    }

    /// The HTTP status of the answer. Never 401, which would need a challenge (RFC 9110 section 15.5.2)
    /// and sends MCP clients into OAuth discovery.
    pub fn status(self) -> Status {
        match self {
            Self::MalformedRequest | Self::MalformedMcp | Self::McpHeaderMismatch => {
                Status::BadRequest
            }
            Self::McpTooLarge => Status::ContentTooLarge,
            Self::RateLimited => Status::TooManyRequests,
            Self::HeaderTooLarge | Self::InternalError => Status::InternalServerError,
            Self::NoCertificate
            | Self::CertificateNotValidated
            | Self::CertificateUnreadable
            | Self::CertificateExpired
            | Self::CertificateNotYetValid
            | Self::ForwardedAmbiguous
            | Self::NoIdentity
            | Self::AmbiguousIdentity
            | Self::InvalidIdentity
            | Self::Revoked
            | Self::TokenNotBound
            | Self::PinMismatch
            | Self::PinRequired
            | Self::NotAuthorized => Status::Forbidden,
        }
    }

    /// Whether nobody is named at all, as opposed to somebody who is refused. Only this may be passed on
    /// without an identity (`identity.missing`, `identity.anonymous_paths`).
    pub fn is_missing_identity(self) -> bool {
        matches!(self, Self::NoCertificate | Self::NoIdentity)
    }

    /// The body of the answer: a problem of RFC 9457, without identity or internals.
    pub fn problem(self) -> String {
        let (status, title) = (self.status().code(), self.status().title());
        format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"reason":"{self}"}}"#)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The HTTP status of a denial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 400.
    BadRequest,
    /// 403.
    Forbidden,
    /// 413.
    ContentTooLarge,
    /// 429.
    TooManyRequests,
    /// 500.
    InternalServerError,
}

impl Status {
    /// The number.
    pub fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Forbidden => 403,
            Self::ContentTooLarge => 413,
            Self::TooManyRequests => 429,
            Self::InternalServerError => 500,
        }
    }

    /// The phrase of RFC 9110 section 15, which RFC 9457 section 4.2.1 wants beside `about:blank`.
    pub fn title(self) -> &'static str {
        match self {
            Self::BadRequest => "Bad Request",
            Self::Forbidden => "Forbidden",
            Self::ContentTooLarge => "Content Too Large",
            Self::TooManyRequests => "Too Many Requests",
            Self::InternalServerError => "Internal Server Error",
        }
    }
}
