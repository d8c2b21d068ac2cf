//! The gateway of the demonstration, as a module, and what a test asks of what it received.

#[path = "../../../envoy/gateway.rs"]
mod server;

pub(crate) use server::{Gateway, Received};

/// Where the gateway looks for its user unless the configuration says otherwise.
pub(crate) const USER: &str = "x-ssl-client-s-dn-cn";
/// The mark that the guard of `envoy.yaml` asks for.
pub(crate) const VERIFY: &str = "x-ssl-client-verify";

/// What the filter always owns; of the third, every header that begins so.
const OWNED: [&str; 5] = [
    "x-authenticated-user",
    "x-user-organization",
    "x-ssl-client-",
    "client-cert",
    "client-cert-chain",
];

impl Received {
    /// All values of this header in order, the name compared without case.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        let named = self
            .headers
            .iter()
            .filter(|(n, _)| n.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// All values of the default user header: there should be one.
    pub(crate) fn user(&self) -> Vec<&str> {
        self.values(USER)
    }

    /// Every header and trailer that a gateway could take for one of the filter's, in any spelling, sorted.
    pub(crate) fn owned(&self) -> Vec<(&str, &str)> {
        let all = self.headers.iter().chain(&self.trailers);
        let mut owned: Vec<_> = all
            .filter(|(name, _)| is_owned(name))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        owned.sort_unstable();
        owned
    }
}

fn is_owned(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    OWNED.iter().any(|owned| match owned.strip_suffix('-') {
        Some(_) => name.starts_with(owned),
        None => name == *owned,
    })
}
