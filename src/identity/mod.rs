//! Who a peer is: the direct peer, the client it speaks for, and the one user that is.

mod identify;
mod mapping;
mod peer;
mod syntax;
mod template;
mod user;
mod xfcc;

pub use identify::{
    Identity, IdentityError, IdentityRules, InvalidIdentity, MultipleCn, Source, Unmapped,
};
pub use mapping::{MapRule, MapSide, UnmappableError};
pub use peer::{ConnectionAttributes, DirectPeer, Peer, Validation};
pub use syntax::{is_email, is_host_name, is_identifying_uri, is_token};
pub use template::MappingError;
pub use user::{Charset, MAXIMUM_USER, User, UserError, check_text, is_uri};
pub use xfcc::{Sha256Digest, XfccError, client, digest_of_hex, direct_peer};
