//! The phases of `envoy/migration` in front of ContextForge, which is set as `render.py N --gateway` says: whom it takes
//! a call for, by its own record.

use std::process::Command;

use hyper::header::{AUTHORIZATION, HeaderValue};
use serde_json::json;

use crate::gateway::ContextForge;
use crate::harness::answer::Answer;
use crate::harness::artifacts::{output, repository};
use crate::harness::certs::Credentials;
use crate::harness::client::{Client, Refused};
use crate::harness::gateway::USER;
use crate::harness::{Fixture, PATIENCE, Site, eventually};
use crate::tokens::token_of;
use crate::world::{ADMIN, ALICE, BOB, in_front_of, script};

const CAROL: &str = "carol@example.com";
/// What the gateway decides about in a call. None of these users has it, so that each call leaves a line.
const CALL: &str = "tools.execute";

fn rendered(phase: u8, arguments: &[&str]) -> String {
    let mut render = Command::new(repository().join("envoy/migration/render.py"));
    output(render.arg(phase.to_string()).args(arguments))
}

/// A phase, and the users, whom the administrator has entered through it.
struct Phase {
    site: Site,
    gateway: ContextForge,
    /// The JWTs of the administrator and of Alice.
    admins: String,
    alices: String,
    /// Lines of the record so far.
    recorded: usize,
}

impl Phase {
    async fn start(number: u8) -> Self {
        let settings = rendered(number, &["--gateway"]);
        let settings: Vec<_> = settings.lines().collect();
        let gateway = ContextForge::start(&settings).await;
        let fixture = Fixture::new().yaml(rendered(number, &[]));
        let admin = fixture.authority().client(ADMIN);
        // The pin in the phase's file is nobody's.
        let fixture = match number {
            3 | 4 => fixture.plugin(json!({"pins": {ADMIN: [admin.spki_pin()]}})),
            _ => fixture,
        };
        let site = in_front_of(gateway.address(), fixture).await;
        let phase = Self {
            site,
            admins: token_of(ADMIN, &gateway),
            alices: token_of(ALICE, &gateway),
            gateway,
            recorded: 0,
        };
        for user in [ALICE, BOB, CAROL] {
            phase.enter(&admin, user).await;
        }
        phase
    }

    /// By certificate and by JWT: one of them counts in every phase.
    async fn enter(&self, admin: &Credentials, user: &str) {
        let entry = json!({"email": user, "full_name": user, "password": "Not-used-1, not-known"});
        let mut request = script("/v1/auth/email/admin/users", &entry);
        let token = HeaderValue::try_from(&self.admins).unwrap();
        request.headers_mut().insert(AUTHORIZATION, token);
        let answer = self.site.client_with(admin).send(request).await.unwrap();
        assert_eq!(answer.status, 201, "{answer:?}");
    }

    fn nobody(&self) -> Client {
        self.site.client_without_certificate()
    }

    /// Whom the gateway took each call for, in order.
    fn callers(&self) -> Vec<String> {
        let calls = self.gateway.decisions().into_iter();
        let calls = calls.filter(|(_, permission, _)| permission == CALL);
        calls.map(|(user, _, _)| user.unwrap_or_default()).collect()
    }

    /// The call reaches the gateway, which takes it for this user's.
    async fn is_taken_for(&mut self, user: &str, client: &Client, said: &[(&'static str, &str)]) {
        let answer = call(client, said).await.unwrap();
        assert_eq!(answer.status, 200, "{user}: {answer:?}");
        let what = format!("the gateway has recorded {user}");
        let new = eventually(&what, PATIENCE, async || {
            let new = self.callers().split_off(self.recorded);
            (!new.is_empty()).then_some(new)
        })
        .await;
        assert!(new.iter().all(|caller| caller == user), "{user}: {new:?}");
        self.recorded += new.len();
    }
}

/// A tool, over MCP, by somebody who says this of themselves, and also that they are the administrator.
async fn call(client: &Client, said: &[(&'static str, &str)]) -> Result<Answer, Refused> {
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "none", "arguments": {}}});
    let mut request = script("/mcp", &message);
    let headers = request.headers_mut();
    headers.remove(AUTHORIZATION);
    headers.insert(USER, HeaderValue::from_static(ADMIN));
    for (name, value) in said {
        headers.append(*name, HeaderValue::try_from(*value).unwrap());
    }
    client.send(request).await
}

/// Nobody else has called.
#[track_caller]
fn assert_only(phase: &Phase, users: &[&str]) {
    let mut callers = phase.callers();
    callers.dedup();
    assert_eq!(callers, users);
}

const BEARER: &str = "authorization";
const FORGED: (&str, &str) = (BEARER, "Bearer forged");

#[tokio::test]
async fn in_phase_1_the_jwt_is_the_user_and_nothing_else_is() {
    let mut phase = Phase::start(1).await;
    let (nobody, alices) = (phase.nobody(), phase.alices.clone());
    phase
        .is_taken_for(ALICE, &nobody, &[(BEARER, &alices)])
        .await;
    for client in [phase.nobody(), phase.site.client(BOB)] {
        for said in [&[][..], &[FORGED]] {
            assert_eq!(call(&client, said).await.unwrap().status, 401);
        }
    }
    assert_only(&phase, &[ALICE]);
}

/// Whatever else of the administrator's or of somebody else's comes with Carol's certificate, she stays Carol.
async fn carol_is_carol(phase: &mut Phase) {
    let carol = phase.site.client(CAROL);
    let (admins, alices) = (phase.admins.clone(), phase.alices.clone());
    let cookie = admins.replace("Bearer ", "jwt_token=");
    let everything: [&[(&'static str, &str)]; 9] = [
        &[],
        &[(BEARER, &alices)],
        &[(BEARER, &admins)],
        &[(BEARER, &admins), (BEARER, &alices)],
        &[FORGED],
        &[("cookie", &cookie)],
        &[("x-authenticated-user", ADMIN), ("x-user-email", ADMIN)],
        &[("x-ssl-client-verify", "NONE"), (BEARER, &admins)],
        &[("x-forwarded-internally", "true"), (BEARER, &admins)],
    ];
    for said in everything {
        phase.is_taken_for(CAROL, &carol, said).await;
    }
}

#[tokio::test]
async fn in_phase_2_either_is_the_user_and_of_both_the_certificate() {
    either_is_the_user_and_of_both_the_certificate(2).await;
}

#[tokio::test]
async fn in_phase_3_either_is_the_user_and_of_both_the_certificate() {
    either_is_the_user_and_of_both_the_certificate(3).await;
}

async fn either_is_the_user_and_of_both_the_certificate(number: u8) {
    let mut phase = Phase::start(number).await;
    let (nobody, alices) = (phase.nobody(), phase.alices.clone());
    phase
        .is_taken_for(ALICE, &nobody, &[(BEARER, &alices)])
        .await;
    let bob = phase.site.client(BOB);
    phase.is_taken_for(BOB, &bob, &[]).await;
    carol_is_carol(&mut phase).await;
    for said in [&[][..], &[FORGED], &[("x-ssl-client-verify", "SUCCESS")]] {
        assert_eq!(call(&nobody, said).await.unwrap().status, 401);
    }
    assert_only(&phase, &[ALICE, BOB, CAROL]);
}

#[tokio::test]
async fn in_phase_4_the_certificate_is_the_user_and_a_jwt_is_worth_nothing() {
    let mut phase = Phase::start(4).await;
    let alices = [(BEARER, &*phase.alices)];
    assert!(call(&phase.nobody(), &alices).await.is_err());
    let bob = phase.site.client(BOB);
    phase.is_taken_for(BOB, &bob, &[]).await;
    carol_is_carol(&mut phase).await;
    assert_only(&phase, &[BOB, CAROL]);
}
