//! The clients of recent connections, so that a certificate is parsed once and not with every request.

use std::rc::Rc;

use crate::decide::client::ConnectionClient;
use crate::decide::filter::Filter;
use crate::identity::DirectPeer;

/// How many connections are remembered. Two connections whose ids are equal modulo this displace each
/// other, which costs a parse and nothing else; memory is bounded whatever clients do.
const SLOTS: usize = 512;

/// The longest X-Forwarded-Client-Cert that is remembered, in bytes; a longer one is read with every request.
const MAXIMUM_FORWARDED: usize = 8 * 1024;

/// The largest id that is a count of connections, which one process never gives twice. Over QUIC it is a hash of an
/// id that the client chooses, and so another client's, if it likes: such a connection is not remembered.
const MAXIMUM_COUNT: u64 = u32::MAX as u64;

/// Of one filter: connections by Envoy's id for them.
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
    last: Option<(Forwarded, Rc<ConnectionClient>)>,
}

/// X-Forwarded-Client-Cert; none where there is none.
type Forwarded = Option<Vec<u8>>;

impl Connection {
    /// The connection of this peer, of whose callers nothing is known yet.
    pub fn of(direct: DirectPeer) -> Self {
        Self { direct, last: None }
    }

    /// The client of a request. Its X-Forwarded-Client-Cert is asked for only where it matters.
    pub fn client(
        &mut self,
        filter: &Filter,
        forwarded: impl FnOnce() -> Forwarded,
    ) -> Rc<ConnectionClient> {
        match &self.last {
            Some((_, client)) if !client.speaks_for_others() => client.clone(),
            _ => self.client_who_forwards(filter, forwarded()),
        }
    }

    fn client_who_forwards(
        &mut self,
        filter: &Filter,
        forwarded: Forwarded,
    ) -> Rc<ConnectionClient> {
        if let Some((last, client)) = &self.last
            && *last == forwarded
        {
            return client.clone();
        }
        let client = Rc::new(filter.client_of(&self.direct, forwarded.as_deref()));
        // Of a peer that speaks for itself the header changes nothing, however long it is.
        let matters = forwarded.filter(|_| client.speaks_for_others());
        let is_short = |text: &Vec<u8>| text.len() <= MAXIMUM_FORWARDED;
        let is_kept = matters.as_ref().is_none_or(is_short);
        self.last = is_kept.then(|| (matters, client.clone()));
        client
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certificate::SpiffeId;
    use crate::identity::{Peer, Validation};

    fn filter(forwarded_by: &str) -> Filter {
        let json = format!(
            r#"{{"certificate": {{"forwarded_by": [{forwarded_by}]}}, "identity": {{"sources": ["spiffe"]}}}}"#
        );
        crate::config::Configuration::parse(json.as_bytes())
            .unwrap()
            .filter
    }

    fn connection(name: &str) -> Connection {
        Connection::of(DirectPeer {
            peer: Peer::Principal(SpiffeId::parse(name).unwrap()),
            validation: Validation::NotReported,
        })
    }

    fn user(connection: Option<&mut Connection>) -> Option<String> {
        let client = connection?.client(&filter(""), || None);
        let checks = client.checks.as_ref().unwrap();
        Some(checks.identity.user.to_string())
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
        let filter = filter(r#""spiffe://a/ingress""#);
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
            let client = connection.client(&filter, || forwarded.clone());
            let fresh = filter.client_of(&connection.direct, forwarded.as_deref());
            assert_eq!(*client, fresh, "{forwarded:?}");
            let again = connection.client(&filter, || forwarded.clone());
            assert_eq!(*again, fresh, "{forwarded:?}");
        }
    }
}
