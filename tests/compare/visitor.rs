//! Who comes, and what they say of themselves.

use std::time::{Duration, SystemTime};

use crate::harness::certs::{Authority, Credentials};
use crate::harness::der::PRINTABLE_STRING;
use crate::harness::leaf::{
    Attribute, Leaf, common_name as cn, organizational_unit as ou, san_uri,
};
use crate::harness::raw::get_bytes;
use crate::harness::{PATIENCE, eventually};
use crate::outcome::Outcome;
use crate::product::{Insists, Product};

/// The user that nobody here is.
pub(crate) const ADMIN: &str = "admin";
/// What they write into headers.
pub(crate) const FORGED: &str = "forged";

/// Long enough for a handshake and a request on a busy machine.
const LIFETIME: Duration = Duration::from_secs(4);

pub(crate) struct Visitor {
    /// In Markdown.
    pub(crate) is: &'static str,
    pub(crate) comes: Comes,
    pub(crate) forges: Forges,
    request: Vec<u8>,
}

/// All forge the user header; some are here for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Forges {
    AsWell,
    Only,
}

pub(crate) enum Comes {
    With(Leaf),
    /// And asks again on the same connection when the certificate has expired.
    AndStays(Leaf),
    FromAnotherAuthority(Leaf),
    Without,
    WithoutWhereNoneIsAsked,
}

/// First those who differ by their certificate, then those who differ by what they forge.
pub(crate) fn visitors() -> Vec<Visitor> {
    by_certificate().into_iter().chain(by_header()).collect()
}

fn by_certificate() -> Vec<Visitor> {
    let names = names().into_iter();
    let names = names.map(|(is, leaf)| (is, Comes::With(leaf)));
    let others = [
        (
            "expired while the connection was open",
            Comes::AndStays(of("alice")),
        ),
        (
            "`CN=admin` of another CA",
            Comes::FromAnotherAuthority(of("admin")),
        ),
        ("none", Comes::Without),
        (
            "none, where none is asked (dual mode)",
            Comes::WithoutWhereNoneIsAsked,
        ),
    ];
    let row = |(is, comes)| Visitor {
        is,
        comes,
        forges: Forges::AsWell,
        request: get_bytes("/", ["X-SSL-Client-S-DN-CN: forged"]),
    };
    names.chain(others).map(row).collect()
}

fn names() -> [(&'static str, Leaf); 10] {
    let in_ou = [cn("mallory"), ou("CN=admin")];
    let serial_number = Attribute::new("2.5.4.5", PRINTABLE_STRING, b"x,CN=admin");
    let mesh = san_uri("spiffe://cluster.local/ns/mcp/sa/default");
    [
        ("`CN=alice`", of("alice")),
        ("`CN=Alice`", of("Alice")),
        ("`CN=mallory`, then `OU=CN=admin`", Leaf::of(in_ou)),
        (
            "`CN=mallory`, then `serialNumber=x,CN=admin`",
            Leaf::of([cn("mallory"), serial_number]),
        ),
        ("`CN=admin/evil`", of("admin/evil")),
        (
            "two: `CN=mallory`, `CN=admin`",
            Leaf::of([cn("mallory"), cn("admin")]),
        ),
        ("`CN=admin` and a space", of("admin ")),
        ("`CN=admin`, NUL, `.evil`", of("admin\0.evil")),
        ("`CN=zoë`", of("zoë")),
        (
            "no CN: a workload of the mesh",
            Leaf::of([]).subject_alt_names(&[mesh]),
        ),
    ]
}

fn of(common_name: &str) -> Leaf {
    Leaf::of([cn(common_name)])
}

fn by_header() -> Vec<Visitor> {
    let user = "X-SSL-Client-S-DN-CN: forged";
    let rows = [
        (
            "`X-SSL-Client-S-DN-CN`, twice",
            get_bytes("/", [user, user]),
        ),
        (
            "`X_SSL_Client_S_DN_CN`",
            get_bytes("/", ["X_SSL_Client_S_DN_CN: forged"]),
        ),
        (
            "`X-Authenticated-User`",
            get_bytes("/", ["X-Authenticated-User: forged"]),
        ),
        (
            "`X-SSL-Client-S-DN`, to `/servers/1/sse`",
            get_bytes("/servers/1/sse?events=1", ["X-SSL-Client-S-DN: CN=forged"]),
        ),
        (
            "`Connection: X-SSL-Client-S-DN-CN`",
            get_bytes("/", ["Connection: X-SSL-Client-S-DN-CN", user]),
        ),
        (
            "`X-SSL-Client-S-DN-CN` as a trailer",
            post_with_trailer(user),
        ),
    ];
    let row = |(is, request)| Visitor {
        is,
        comes: Comes::With(of("alice")),
        forges: Forges::Only,
        request,
    };
    rows.into_iter().map(row).collect()
}

/// Announced, because some pass on no other.
fn post_with_trailer(line: &str) -> Vec<u8> {
    let name = line.split(':').next().unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nTrailer: {name}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    format!("{head}4\r\nbody\r\n0\r\n{line}\r\n\r\n").into_bytes()
}

impl Visitor {
    /// What the listener is like that they come to.
    pub(crate) fn insists(&self) -> Insists {
        match self.comes {
            Comes::WithoutWhereNoneIsAsked => Insists::No,
            Comes::With(_)
            | Comes::AndStays(_)
            | Comes::FromAnotherAuthority(_)
            | Comes::Without => Insists::Yes,
        }
    }

    /// The same for all products.
    pub(crate) fn credentials(&self, authority: &Authority) -> Option<Credentials> {
        match &self.comes {
            Comes::With(leaf) => Some(authority.issue(leaf)),
            Comes::AndStays(leaf) => {
                let not_after = SystemTime::now() + LIFETIME;
                Some(authority.issue(&leaf.clone().not_after(not_after)))
            }
            // Of the same name, so that nothing but its key tells it apart.
            Comes::FromAnotherAuthority(leaf) => Some(Authority::new().issue(leaf)),
            Comes::Without | Comes::WithoutWhereNoneIsAsked => None,
        }
    }

    pub(crate) async fn ask(
        &self,
        product: &Product,
        credentials: Option<&Credentials>,
    ) -> Outcome {
        let client = product.client(credentials);
        let Ok(mut connection) = client.connect_raw().await else {
            return Outcome::Refused;
        };
        if matches!(self.comes, Comes::AndStays(_)) {
            // A certificate is good until the end of its last second.
            let expired = SystemTime::now() + LIFETIME + Duration::from_secs(1);
            let first = connection.exchange(&self.request).await.unwrap();
            assert_eq!(first.status, 200, "before the certificate expires");
            eventually("the certificate has expired", PATIENCE, async || {
                (SystemTime::now() > expired).then_some(())
            })
            .await;
        }
        let before = product.gateway.received().len();
        match connection.exchange(&self.request).await {
            Err(_) => Outcome::Refused,
            Ok(answer) => Outcome::of(&answer, product.gateway.received().get(before)),
        }
    }
}
