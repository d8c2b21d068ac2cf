//! Who a peer is: the direct peer, the client it speaks for, and the one user that is.

mod forwarded;
mod identify;
mod mapping;
mod peer;
mod sources;
mod syntax;
mod user;

pub use forwarded::{ForwardedError, ForwardedHeader, Sha256Digest, digest_of_hex, direct_peer};
pub use identify::{Identity, IdentityRules, Unmapped};
pub use mapping::{MapRule, MapSide, MappingError, UnmappableError};
pub use peer::{ConnectionAttributes, DirectPeer, Peer, PeerError, Validation};
pub use sources::{IdentityError, InvalidIdentity, MultipleCn, Source};
pub use syntax::{is_email, is_host_name, is_identifying_uri, is_token, is_upn};
pub use user::{Charset, MAXIMUM_USER, User, UserError, check_text, is_uri};
