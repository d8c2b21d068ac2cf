//! The certificates of recent connections, so that one is parsed once and not with every request.

use crate::peer::DirectPeer;

/// How many connections are remembered. Two connections whose ids are equal modulo this displace each
/// other, which costs a parse and nothing else; memory is bounded whatever clients do.
const SLOTS: usize = 512;

/// Direct peers by Envoy's connection id, which one process never gives twice.
#[derive(Debug)]
pub struct RecentConnections {
    slots: Vec<Option<(u64, DirectPeer)>>,
}

impl Default for RecentConnections {
    fn default() -> Self {
        Self {
            slots: vec![None; SLOTS],
        }
    }
}

impl RecentConnections {
    /// The peer of this very connection, if it is still remembered.
    pub fn peer(&self, connection: u64) -> Option<&DirectPeer> {
        match self.slots.get(slot(connection))? {
            Some((id, peer)) if *id == connection => Some(peer),
            _ => None,
        }
    }

    /// Remembers the peer of a connection in the place of another.
    pub fn remember(&mut self, connection: u64, peer: DirectPeer) {
        if let Some(place) = self.slots.get_mut(slot(connection)) {
            *place = Some((connection, peer));
        }
    }
}

fn slot(connection: u64) -> usize {
    let slots = u64::try_from(SLOTS).unwrap_or(1);
    usize::try_from(connection % slots).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peer::{Peer, Validation};
    use crate::spiffe::SpiffeId;

    fn peer(name: &str) -> DirectPeer {
        DirectPeer {
            peer: Peer::Principal(SpiffeId::parse(name).unwrap()),
            validation: Validation::NotReported,
        }
    }

    #[test]
    fn a_peer_belongs_to_its_own_connection_only() {
        let mut connections = RecentConnections::default();
        let (one, same_slot) = (7, 7 + SLOTS as u64);
        connections.remember(one, peer("spiffe://a/one"));
        assert_eq!(connections.peer(one), Some(&peer("spiffe://a/one")));
        assert_eq!(connections.peer(same_slot), None);
        connections.remember(same_slot, peer("spiffe://a/two"));
        assert_eq!(connections.peer(one), None);
        assert_eq!(connections.peer(same_slot), Some(&peer("spiffe://a/two")));
    }
}
