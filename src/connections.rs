//! The callers of recent connections, so that a certificate is parsed once and not with every request.

use std::rc::Rc;

use crate::caller::Caller;
use crate::config::Configuration;
use crate::peer::DirectPeer;

/// How many connections are remembered. Two connections whose ids are equal modulo this displace each
/// other, which costs a parse and nothing else; memory is bounded whatever clients do.
const SLOTS: usize = 512;

/// The longest X-Forwarded-Client-Cert that is remembered, in bytes; a longer one is read with every request.
const MAXIMUM_FORWARDED: usize = 8 * 1024;

/// The largest id that is a count of connections, which one process never gives twice. Over QUIC it is a hash of an
/// id that the client chooses, and so another client's, if it likes: such a connection is not remembered.
const MAXIMUM_COUNT: u64 = u32::MAX as u64;

/// Of one configuration: connections by Envoy's id for them.
#[derive(Debug)]
pub struct RecentConnections {
    slots: Vec<Option<(u64, Connection)>>,
}

impl Default for RecentConnections {
    fn default() -> Self {
        Self {
            slots: vec![None; SLOTS],
        }
    }
}

impl RecentConnections {
    /// What is remembered of this very connection.
    pub fn known(&mut self, id: u64) -> Option<&mut Connection> {
        match self.slots.get_mut(slot(id))? {
            Some((known, connection)) if *known == id => Some(connection),
            _ => None,
        }
    }

    /// Remembers a connection in the place of another, if its id is its own.
    pub fn remember(&mut self, id: u64, connection: Connection) {
        if id > MAXIMUM_COUNT {
            return;
        }
        if let Some(place) = self.slots.get_mut(slot(id)) {
            *place = Some((id, connection));
        }
    }
}

fn slot(connection: u64) -> usize {
    let slots = u64::try_from(SLOTS).unwrap_or(1);
    usize::try_from(connection % slots).unwrap_or_default()
}

/// A connection whose direct peer has been read.
#[derive(Clone, Debug)]
pub struct Connection {
    direct: DirectPeer,
    last: Option<(Forwarded, Rc<Caller>)>,
}

/// X-Forwarded-Client-Cert; none where there is none.
type Forwarded = Option<Vec<u8>>;

impl Connection {
    /// The connection of this peer, of whose callers nothing is known yet.
    pub fn of(direct: DirectPeer) -> Self {
        Self { direct, last: None }
    }

    /// The caller of a request. Its X-Forwarded-Client-Cert is asked for only where it matters.
    pub fn caller(
        &mut self,
        configuration: &Configuration,
        forwarded: impl FnOnce() -> Forwarded,
    ) -> Rc<Caller> {
        match &self.last {
            Some((_, caller)) if !caller.speaks_for_others() => caller.clone(),
            _ => self.caller_who_forwards(configuration, forwarded()),
        }
    }

    fn caller_who_forwards(
        &mut self,
        configuration: &Configuration,
        forwarded: Forwarded,
    ) -> Rc<Caller> {
        if let Some((last, caller)) = &self.last
            && *last == forwarded
        {
            return caller.clone();
        }
        let caller = Rc::new(configuration.caller_of(&self.direct, forwarded.as_deref()));
        // Of a peer that speaks for itself the header changes nothing, however long it is.
        let matters = forwarded.filter(|_| caller.speaks_for_others());
        let is_short = |text: &Vec<u8>| text.len() <= MAXIMUM_FORWARDED;
        let is_kept = matters.as_ref().is_none_or(is_short);
        self.last = is_kept.then(|| (matters, caller.clone()));
        caller
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::{Peer, Validation};
    use crate::spiffe::SpiffeId;

    fn configuration(forwarded_by: &str) -> Configuration {
        let json = format!(
            r#"{{"certificate": {{"forwarded_by": [{forwarded_by}]}}, "identity": {{"sources": ["spiffe"]}}}}"#
        );
        Configuration::parse(json.as_bytes()).unwrap()
    }

    fn connection(name: &str) -> Connection {
        Connection::of(DirectPeer {
            peer: Peer::Principal(SpiffeId::parse(name).unwrap()),
            validation: Validation::NotReported,
        })
    }

    fn user(connection: Option<&mut Connection>) -> Option<String> {
        let caller = connection?.caller(&configuration(""), || None);
        let standing = caller.standing.as_ref().unwrap();
        Some(standing.identity.user.to_string())
    }

    #[test]
    fn a_caller_belongs_to_its_own_connection_only() {
        let mut connections = RecentConnections::default();
        let (one, same_slot) = (7, 7 + SLOTS as u64);
        connections.remember(one, connection("spiffe://a/one"));
        assert_eq!(user(connections.known(one)).unwrap(), "spiffe://a/one");
        assert_eq!(user(connections.known(same_slot)), None);
        connections.remember(same_slot, connection("spiffe://a/two"));
        assert_eq!(user(connections.known(one)), None);
        assert_eq!(
            user(connections.known(same_slot)).unwrap(),
            "spiffe://a/two"
        );
    }

    #[test]
    fn who_is_spoken_for_is_asked_again_whenever_the_header_differs() {
        let configuration = configuration(r#""spiffe://a/ingress""#);
        let mut connection = connection("spiffe://a/ingress");
        let long = vec![b'x'; MAXIMUM_FORWARDED + 1];
        for forwarded in [
            None,
            Some(b"By=a".to_vec()),
            None,
            Some(long),
            None,
            Some(b"Cert=".to_vec()),
        ] {
            let caller = connection.caller(&configuration, || forwarded.clone());
            let fresh = configuration.caller_of(&connection.direct, forwarded.as_deref());
            assert_eq!(*caller, fresh, "{forwarded:?}");
            let again = connection.caller(&configuration, || forwarded.clone());
            assert_eq!(*again, fresh, "{forwarded:?}");
        }
    }
}
