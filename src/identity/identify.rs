//! From a peer to the one user it is, or to the reason why it is nobody.

use serde::{Deserialize, Serialize};

use crate::identity::mapping::MapRule;
use crate::identity::peer::Peer;
use crate::identity::sources::{self, IdentityError, InvalidIdentity, MultipleCn, Source};
use crate::identity::user::{Charset, User, is_uri};

/// What becomes of a name that no rule of `identity.map` fits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub enum Unmapped {
    /// It is the user.
    #[default]
    Keep,
    /// It is nobody's.
    Deny,
}

/// A user, and where the name came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Who it is.
    pub user: User,
    /// Where the name was found.
    pub source: Source,
    /// Other names of the same user, by which the configuration may know it.
    pub aliases: Vec<User>,
}

impl Identity {
    /// A user with no other name.
    pub fn new(user: User, source: Source) -> Self {
        Self {
            user,
            source,
            aliases: Vec::new(),
        }
    }

    /// The user, and the other names that it has.
    pub fn names(&self) -> impl Iterator<Item = &User> {
        std::iter::once(&self.user).chain(&self.aliases)
    }
}

/// How a peer is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityRules {
    /// Tried in this order; the first that is present decides.
    pub sources: Vec<Source>,
    /// The first rule that matches the name gives the user.
    pub map: Vec<MapRule>,
    /// What becomes of a name that no rule fits.
    pub unmapped: Unmapped,
    /// Which of several commonNames counts.
    pub multiple_cn: MultipleCn,
    /// The characters of a user.
    pub charset: Charset,
}

impl IdentityRules {
    /// The user that a peer is.
    ///
    /// # Errors
    /// [`IdentityError`] when it is nobody, or could be more than one.
    pub fn identify(&self, peer: &Peer) -> Result<Identity, IdentityError> {
        for &source in &self.sources {
            let names = self.find(source, peer)?;
            if !names.is_empty() {
                return self
                    .identity(source, &names)
                    .map_err(|error| IdentityError::Invalid(source, error));
            }
        }
        Err(IdentityError::Missing)
    }

    /// The identity of a peer with these names, of which the first is its own.
    fn identity(&self, source: Source, names: &[String]) -> Result<Identity, InvalidIdentity> {
        let users = names.iter().map(|name| self.user(source, name));
        let mut users = users.collect::<Result<Vec<_>, _>>()?;
        let mapped = self.map.iter().find_map(|rule| {
            let mut mapped = users.iter().filter_map(|user| rule.map(user, self.charset));
            mapped.next()
        });
        match (mapped, self.unmapped) {
            (Some(mapped), _) => Ok(Identity::new(mapped?, source)),
            (None, Unmapped::Deny) => Err(InvalidIdentity::Unmapped),
            (None, Unmapped::Keep) => {
                let aliases = users.split_off(1);
                let user = users.pop().ok_or(InvalidIdentity::NotText)?;
                Ok(Identity {
                    user,
                    source,
                    aliases,
                })
            }
        }
    }

    fn user(&self, source: Source, name: &str) -> Result<User, InvalidIdentity> {
        if is_uri(name) && !matches!(source, Source::Uri | Source::Spiffe) {
            return Err(InvalidIdentity::ReadsAsUri);
        }
        Ok(User::parse(name, self.charset)?)
    }

    /// The names that a source gives, the peer's own first; none where the peer has none.
    fn find(&self, source: Source, peer: &Peer) -> Result<Vec<String>, IdentityError> {
        let name = match (source, peer) {
            (Source::Fingerprint, Peer::Certificate(certificate)) => {
                return Ok(sources::fingerprints(certificate));
            }
            (_, Peer::Certificate(certificate)) => {
                sources::name(source, certificate, self.multiple_cn)?
            }
            (Source::Uri | Source::Spiffe, Peer::Principal(id)) => Some(id.to_string()),
            (_, Peer::Principal(_)) => None,
        };
        Ok(name.into_iter().collect())
    }
}
