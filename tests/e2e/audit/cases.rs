//! What passes, and every reason that a client can bring about, with the record it must leave.

use std::time::{Duration, SystemTime};

use mtls_identity::certificate::PeerCertificate;
use serde_json::{Value, json};

use crate::harness::Site;
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::{Authority, Credentials};
use crate::harness::client::Client;
use crate::harness::forged::filter_alone;
use crate::harness::leaf::{Leaf, common_name as cn, san_dns, san_uri};
use crate::harness::raw::{get_bytes, upgrade_bytes};

const EDGE: &str = "spiffe://mesh.example/ns/edge/sa/gateway";
const ALICE: &str = "alice@example.com";
const ADMIN: &str = "admin@example.com";
const HOUR: Duration = Duration::from_secs(3600);

/// A listener that lets everything in, so that it is the filter that decides.
pub(crate) fn open_door(envoy: &mut Bootstrap) {
    filter_alone(envoy);
    envoy.certificate_optional();
    envoy.accept_untrusted();
    envoy.validation()["allow_expired_certificate"] = json!(true);
    envoy.hcm()["forward_client_cert_details"] = json!("ALWAYS_FORWARD_ONLY");
}

/// A configuration under which every reason can come about.
pub(crate) fn everything() -> Value {
    json!({
        "audit": {"log": "all"},
        "certificate": {"forwarded_by": [EDGE]},
        "headers": {"set": {"x-ssl-client-dns": "san_dns"}},
        "identity": {"anonymous_paths": ["/health"]},
        "pins": {"pinned@example.com": [format!("sha256:{}", "0".repeat(64))]},
        "pin_required": ["admin@example.com"],
        "revoked": [{"issuer": "CN=Test CA", "serial": "0bad"}],
        "authorization": {"default": "allow", "rules": [
            {"name": "no-secrets", "action": "deny", "paths": ["/secret", "/observed"]},
        ]},
    })
}

/// A client, what it sends, and what must be written down of it.
pub(crate) struct Case {
    credentials: Option<Credentials>,
    pub(crate) request: Vec<u8>,
    pub(crate) status: u16,
    pub(crate) record: Value,
}

impl Case {
    /// The record of a client of `Test CA` is known but for what only the exchange will show.
    fn of(credentials: Option<Credentials>, path: &str) -> Self {
        let known = credentials.as_ref();
        let record = json!({
            "decision": "deny", "user": null, "source": null, "rule": null, "observed": [],
            "mcp_method": null, "mcp_name": null, "detail": null,
            "fingerprint": known.map(Credentials::sha256),
            "serial": known.map(|_| "0a"),
            "issuer": known.map(|_| "CN=Test CA"),
            "method": "GET",
            "path": path,
        });
        Self {
            request: get_bytes(&format!("{path}?token=secret"), [] as [&str; 0]),
            credentials,
            status: 403,
            record,
        }
    }

    /// The one who sends it.
    pub(crate) fn client(&self, site: &Site) -> Client {
        match &self.credentials {
            Some(credentials) => site.client_with(credentials),
            None => site.client_without_certificate(),
        }
    }

    fn sending(mut self, request: Vec<u8>) -> Self {
        self.request = request;
        self
    }

    fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.record[field] = value.into();
        self
    }

    fn named(self, user: &str) -> Self {
        self.with("user", user).with("source", "cn")
    }

    fn passed(mut self, decision: &str) -> Self {
        self.status = 200;
        self.with("decision", decision).with("reason", Value::Null)
    }

    /// Why it is nobody, in words.
    fn because(self, detail: &str) -> Self {
        self.with("detail", detail)
    }

    fn denied(self, reason: &str) -> Self {
        self.with("reason", reason)
    }

    fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Nothing is known of the certificate.
    fn unread(self) -> Self {
        let unknown = ["fingerprint", "serial", "issuer"].into_iter();
        unknown.fold(self, |case, field| case.with(field, Value::Null))
    }
}

fn person(name: &str) -> Leaf {
    Leaf::of([cn(name)]).serial(&[0x0a])
}

/// What passes, and every reason that a client can bring about.
pub(crate) fn cases(authority: &Authority) -> Vec<Case> {
    let mut cases = vec![
        Case::of(Some(authority.issue(&person(ALICE))), "/a")
            .named(ALICE)
            .passed("allow"),
        Case::of(None, "/health")
            .passed("anonymous")
            .because("the client shows no certificate"),
        Case::of(None, "/nothing")
            .denied("no_certificate")
            .because("the client shows no certificate"),
    ];
    cases.extend(of_the_certificate(authority));
    cases.extend(of_the_name(authority));
    cases.extend(of_the_policy(authority));
    cases.extend(of_the_request(authority));
    cases
}

fn of_the_certificate(authority: &Authority) -> [Case; 4] {
    let now = SystemTime::now();
    let large = person(ALICE).extension("1.2.3.4", false, vec![4; 17 * 1024]);
    let large = authority.issue(&large);
    let too_long = format!(
        "the certificate cannot be read: a certificate of {} bytes, at most 16384 are read",
        large.certificate().len()
    );
    let stranger = Authority::named("Stranger").issue(&person(ALICE));
    [
        Case::of(Some(stranger), "/stranger")
            .denied("certificate_not_validated")
            .with("issuer", "CN=Stranger"),
        Case::of(Some(large), "/large")
            .denied("certificate_unreadable")
            .because(&too_long)
            .unread(),
        at_another_time(authority, &person(ALICE).not_after(now - HOUR), "/expired")
            .denied("certificate_expired"),
        at_another_time(authority, &person(ALICE).not_before(now + HOUR), "/early")
            .denied("certificate_not_yet_valid"),
    ]
}

/// A certificate of Alice that is not valid now: the record says when it is.
fn at_another_time(authority: &Authority, leaf: &Leaf, path: &'static str) -> Case {
    let credentials = authority.issue(leaf);
    let certificate = PeerCertificate::from_der(credentials.certificate().to_vec()).unwrap();
    let (from, until) = (certificate.not_before(), certificate.not_after());
    let detail = format!("the certificate of CN={ALICE} is valid from {from} to {until}");
    Case::of(Some(credentials), path).because(&detail)
}

fn of_the_name(authority: &Authority) -> [Case; 3] {
    let case = |leaf: &Leaf, path| Case::of(Some(authority.issue(leaf)), path);
    let nobody = Leaf::of([]).serial(&[0x0a]);
    let two = Leaf::of([cn("a"), cn("b")]).serial(&[0x0a]);
    [
        case(&nobody, "/nobody")
            .denied("no_identity")
            .because("none of the names that identity.sources asks for"),
        case(&two, "/two")
            .denied("ambiguous_identity")
            .because("cn is there 2 times"),
        case(&person("eve\r\nx-admin: 1"), "/invalid")
            .denied("invalid_identity")
            .because("cn: a control character U+000D in a user"),
    ]
}

fn of_the_policy(authority: &Authority) -> [Case; 5] {
    let case = |leaf: &Leaf, path| Case::of(Some(authority.issue(leaf)), path);
    let sans = (0..140).map(|number| san_dns(&format!("{number:03}.{}", "x".repeat(70))));
    let sans: Vec<_> = sans.collect();
    [
        case(&person(ALICE).serial(&[0x0b, 0xad]), "/revoked")
            .denied("revoked")
            .named(ALICE)
            .with("serial", "0bad"),
        case(&person("Pinned@example.com"), "/pinned")
            .denied("pin_mismatch")
            .named("pinned@example.com"),
        case(&person(ADMIN), "/admin")
            .denied("pin_required")
            .named(ADMIN),
        case(&person(ALICE), "/secret")
            .denied("not_authorized")
            .named(ALICE)
            .with("rule", "no-secrets"),
        case(&person(ALICE).subject_alt_names(&sans), "/sans")
            .denied("header_too_large")
            .named(ALICE)
            .status(500),
    ]
}

fn of_the_request(authority: &Authority) -> [Case; 2] {
    let case = |leaf: &Leaf, path| Case::of(Some(authority.issue(leaf)), path);
    let edge = person("edge").subject_alt_names(&[san_uri(EDGE)]);
    let ambiguous = ["X-Forwarded-Client-Cert: Cert=\""];
    let malformed = ["Connection: upgrade, x-ssl-client-verify"];
    [
        case(&edge, "/forwarded")
            .denied("forwarded_ambiguous")
            .because("X-Forwarded-Client-Cert: a quote that does not close, or inside a value")
            .unread()
            .sending(get_bytes("/forwarded?q", ambiguous)),
        // Who it was that tried is known.
        case(&person(ALICE), "/ws")
            .denied("malformed_request")
            .because("the header Connection names a header of the filter")
            .status(400)
            .sending(upgrade_bytes("/ws?q", malformed)),
    ]
}
