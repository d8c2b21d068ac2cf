//! Somebody's JWT in the hands of somebody else, who has a certificate.

use std::fs;

use serde_json::{Value, json};

use crate::gateway::ContextForge;
use crate::harness::artifacts::{output, repository};
use crate::harness::bootstrap::Bootstrap;
use crate::harness::{Fixture, Site};
use crate::python::python;
use crate::world::{ADMIN, in_front_of, script};

const MALLORY: &str = "mallory@example.com";
/// Where ContextForge believes a JWT more than the user header.
const ME: &str = "/v1/auth/email/me";
/// A JWT of somebody, as ContextForge itself would sign it.
const MINT: &str = "
import jwt, sys, time, uuid
now = int(time.time())
claims = {'sub': sys.argv[2], 'iss': 'mcpgateway', 'aud': 'mcpgateway-api', 'iat': now, 'exp': now + 600,
    'jti': str(uuid.uuid4()), 'teams': None, 'token_use': 'session'}
print(jwt.encode(claims, sys.argv[1], algorithm='HS256'))
";

/// In the form of an `Authorization` header.
pub(crate) fn token_of(user: &str, gateway: &ContextForge) -> String {
    let secret = gateway.secret("JWT_SECRET_KEY");
    let token = output(python().args(["-c", MINT, &secret, user]));
    format!("Bearer {}", token.trim())
}

/// `virtual_host.yaml`, where its head says.
fn without_tokens(envoy: &mut Bootstrap) {
    let file = repository().join("envoy/contextforge/virtual_host.yaml");
    let addition: Value = serde_yaml_ng::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let host = &mut envoy.hcm()["route_config"]["virtual_hosts"][0];
    let host = host.as_object_mut().unwrap();
    host.extend(addition.as_object().unwrap().clone());
}

async fn ask(site: &Site, token: &str) -> (u16, Value) {
    let mallory = site.client(MALLORY);
    let answer = mallory.get_with(ME, &[("authorization", token)]).await;
    let answer = answer.unwrap();
    (answer.status, answer.json())
}

#[tokio::test]
async fn a_token_makes_nobody_somebody_else_when_none_goes_on() {
    let gateway = ContextForge::start(&[]).await;
    let token = token_of(ADMIN, &gateway);
    let site = in_front_of(gateway.address(), Fixture::new()).await;
    let (status, me) = ask(&site, &token).await;
    assert_eq!((status, &me["email"]), (200, &json!(ADMIN)), "{me}");

    let closed = Fixture::new().edit(without_tokens);
    let site = in_front_of(gateway.address(), closed).await;
    let (status, refused) = ask(&site, &token).await;
    assert_eq!((status, &refused["detail"]), (401, &json!("Invalid token")));
    // The administrator's own scripts go on as before, and browsers are still asked for a CSRF token.
    let server = json!({"server": {"name": "virtual"}});
    let admin = site.client(ADMIN);
    let created = admin.send(script("/v1/servers", &server)).await.unwrap();
    assert_eq!(created.status, 201, "{created:?}");
    let mut bare = script("/v1/servers", &server);
    bare.headers_mut().remove("authorization");
    let refused = admin.send(bare).await.unwrap();
    assert_eq!(refused.json()["code"], "CSRF_TOKEN_INVALID", "{refused:?}");
}
