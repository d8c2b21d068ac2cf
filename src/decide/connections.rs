//! The clients of recent connections, so that a certificate is parsed once and not with every request.

use std::rc::Rc;

use crate::decide::client::ConnectionClient;
use crate::decide::filter::Filter;
use crate::identity::DirectPeer;

/// How many connections are remembered. Two connections whose ids are equal modulo this number push each other out, which
/// costs a parse. So memory is bounded.
const SLOTS: usize = 512;

/// How many connections of clients that no request can get in are remembered. They have slots of their own, so that they
/// displace nobody who is served.
const REFUSED_SLOTS: usize = 64;

/// The longest header that is remembered in which a peer speaks for others, in bytes; a longer one is read with every request.
const MAXIMUM_FORWARDED: usize = 8 * 1024;

/// The largest connection id that is a count. One process never gives a count twice. Over QUIC the id is a hash of an id that
/// the client chooses, so a client could choose another client's. Connections with a larger id are not remembered.
const MAXIMUM_COUNT: u64 = u32::MAX as u64;

/// Of one filter: connections by Envoy's id for them.
#[derive(Debug)]
pub struct RecentConnections {
    served: Slots,
    refused: Slots,
}

type Slots = Vec<Option<(u64, Connection)>>;

impl Default for RecentConnections {
    fn default() -> Self {
        Self {
            served: vec![None; SLOTS],
            refused: vec![None; REFUSED_SLOTS],
        }
    }
}

impl RecentConnections {
    /// The connection with this id, if it is remembered.
    pub fn known(&mut self, id: u64) -> Option<&mut Connection> {
        let served = known(&mut self.served, id);
        served.or_else(|| known(&mut self.refused, id))
    }

    /// Remembers a connection, unless its id is too large to be a count.
    pub fn remember(&mut self, id: u64, connection: Connection) {
        if id > MAXIMUM_COUNT {
            return;
        }
        let slots = match connection.is_refused() {
            true => &mut self.refused,
            false => &mut self.served,
        };
        if let Some(place) = slot(slots, id) {
            *place = Some((id, connection));
        }
    }
}

fn known(slots: &mut Slots, id: u64) -> Option<&mut Connection> {
    match slot(slots, id)? {
        Some((known, connection)) if *known == id => Some(connection),
        _ => None,
    }
}

fn slot(slots: &mut Slots, id: u64) -> Option<&mut Option<(u64, Connection)>> {
    let count = u64::try_from(slots.len()).ok()?;
    let place = usize::try_from(id.checked_rem(count)?).ok()?;
    slots.get_mut(place)
}

/// A connection whose direct peer has been read.
#[derive(Clone, Debug)]
pub struct Connection {
    direct: DirectPeer,
    last: Option<(Forwarded, Rc<ConnectionClient>)>,
}

/// The header in which the direct peer speaks for others; none where there is none.
type Forwarded = Option<Vec<u8>>;

impl Connection {
    /// A connection with this direct peer.
    pub fn of(direct: DirectPeer) -> Self {
        Self { direct, last: None }
    }

    /// Whether all requests of this connection are refused, whatever they ask: Envoy did not validate its certificate.
    fn is_refused(&self) -> bool {
        let client = self.last.as_ref().map(|(_, client)| client);
        client.is_some_and(|client| client.validated.is_err())
    }

    /// The client of a request. The header in which a peer speaks for others is asked for only where it matters.
    pub fn client(
        &mut self,
        filter: &Filter,
        forwarded: impl FnOnce() -> Forwarded,
    ) -> Rc<ConnectionClient> {
        match &self.last {
            Some((_, client)) if !client.speaks_for_others() => client.clone(),
            _ => self.client_behind(filter, forwarded()),
        }
    }

    fn client_behind(&mut self, filter: &Filter, forwarded: Forwarded) -> Rc<ConnectionClient> {
        if let Some((last, client)) = &self.last
            && *last == forwarded
        {
            return client.clone();
        }
        let client = Rc::new(filter.client_of(&self.direct, forwarded.as_deref()));
        // If the peer speaks for itself, the header does not matter, so it is not kept.
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
    fn a_client_belongs_to_its_own_connection_only() {
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
