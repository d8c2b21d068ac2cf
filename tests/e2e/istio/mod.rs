//! The manifests of `istio/` in real Envoys, shaped as istiod would: two proxies and two TLS hops, a mesh with its own
//! CA, a waypoint behind a tunnel. What the filter is told, what is removed in front of it and who is let in behind it
//! is read from the manifests as kubectl renders them.

#[allow(
    dead_code,
    reason = "shared with the tests of the manifests, which use the rest"
)]
#[path = "../../istio/manifests.rs"]
mod manifests;

mod istiod;
mod mesh;
mod policies;
mod proxy;
mod release;
pub(crate) mod trap;
mod tunnel;

mod agents;
mod doctor;
mod failure;
mod forwarded;
mod gateway;
mod lua;
mod remembered;
mod users;
mod waypoint;
