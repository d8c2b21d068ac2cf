//! `render.py --bound-tokens`: JWTs that are bound to a certificate, in the phases that take both.

use std::process::Command;

use serde_json::{Value, json};

use super::{ADMIN, ALICE, AUTHORIZATION, assert_certificate_alone};
use crate::harness::artifacts::{output, repository};
use crate::harness::bootstrap::Bootstrap;
use crate::harness::forged::assert_nobody;
use crate::harness::token::{Issuer, bound_to};
use crate::harness::{Fixture, Site};

fn rendered(phase: u8) -> String {
    let script = repository().join("envoy/migration/render.py");
    output(Command::new(script).args([&phase.to_string(), "--bound-tokens"]))
}

/// The phase as it is shipped, with the keys of this issuer.
async fn site(phase: u8, issuer: &Issuer) -> Site {
    let keys = issuer.jwks();
    let fixture = Fixture::new().yaml(rendered(phase));
    let with_keys = move |envoy: &mut Bootstrap| {
        let file = envoy.file("jwks.json", &keys);
        let filter = &mut envoy.http_filters()[0]["typed_config"];
        filter["providers"]["issuer"]["local_jwks"] = json!({"filename": file});
    };
    fixture.edit(with_keys).start().await
}

#[tokio::test]
async fn in_phases_2_and_3_a_bound_jwt_passes_with_its_certificate_only() {
    for phase in [2, 3] {
        let issuer = Issuer::new();
        let site = site(phase, &issuer).await;
        let (alice, other) = (site.authority.client(ALICE), site.authority.client(ADMIN));
        let (own, stolen) = (
            issuer.bearer(&bound_to(&alice)),
            issuer.bearer(&bound_to(&other)),
        );
        let free = issuer.bearer(&Value::Null);
        let (holder, nobody) = (site.client_with(&alice), site.client_without_certificate());
        for (holder, nobody) in [
            (holder.clone(), nobody.clone()),
            (holder.http2(), nobody.http2()),
        ] {
            for bearer in [&own, &free] {
                let answer = holder
                    .get_with("/mcp", &[(AUTHORIZATION, bearer)])
                    .await
                    .unwrap();
                assert_certificate_alone(&answer.gateway(), ALICE);
            }
            let answer = holder
                .get_with("/mcp", &[(AUTHORIZATION, &stolen)])
                .await
                .unwrap();
            answer.assert_denied(403, "token_not_bound");
            // Without a certificate a token that is bound to none passes as before, and a stolen one does not.
            let answer = nobody
                .get_with("/mcp", &[(AUTHORIZATION, &free)])
                .await
                .unwrap();
            assert_nobody(&answer.gateway());
            assert_eq!(answer.gateway().values(AUTHORIZATION), [free.as_str()]);
            for bearer in [&own, &stolen] {
                let answer = nobody
                    .get_with("/mcp", &[(AUTHORIZATION, bearer)])
                    .await
                    .unwrap();
                answer.assert_denied(403, "token_not_bound");
            }
            assert_nobody(&nobody.get("/mcp").await.unwrap().gateway());
        }
    }
}

/// ContextForge takes a JWT from these cookies as well, where a request says `Accept: text/html` or `HX-Request: true`.
#[tokio::test]
async fn a_bound_jwt_that_was_stolen_passes_in_no_cookie_either() {
    let issuer = Issuer::new();
    for phase in [1, 3] {
        let site = site(phase, &issuer).await;
        let stolen = issuer.bearer(&bound_to(&site.authority.client(ADMIN)));
        let stolen = stolen.strip_prefix("Bearer ").unwrap();
        for name in ["jwt_token=", "a=1; access_token =", "jwt_token = "] {
            let cookie = format!("{name}{stolen}");
            let headers = [("cookie", &*cookie), ("accept", "text/html")];
            let client = site.client_without_certificate();
            let answer = client.get_with("/tools", &headers).await.unwrap();
            assert_eq!(answer.status, 403, "{name}");
        }
        let headers = [("cookie", "theme=dark"), ("accept", "text/html")];
        let client = site.client_without_certificate();
        let answer = client.get_with("/tools", &headers).await.unwrap();
        assert_eq!(answer.status, 200, "{phase}");
    }
}

#[test]
fn bound_tokens_change_nothing_but_the_filter_before_and_what_ours_asks() {
    for phase in 1..=4 {
        let folder = tempfile::tempdir().unwrap();
        let mut with = Bootstrap::of(&rendered(phase), folder.path());
        let mut without = Bootstrap::of(&super::rendered(phase), folder.path());
        let filters: Vec<_> = with.http_filters().drain(..2).collect();
        assert_eq!(filters[0]["name"], "envoy.filters.http.jwt_authn");
        assert_eq!(filters[1]["name"], "no_token_in_a_cookie");
        let configuration = |envoy: &mut Bootstrap| {
            let text = envoy.plugin()["configuration"]["value"].take();
            serde_json::from_str::<Value>(text.as_str().unwrap()).unwrap()
        };
        let (mut asked, plain) = (configuration(&mut with), configuration(&mut without));
        let certificate = asked.as_object_mut().unwrap().remove("certificate");
        let bound = json!({"bound": "if_present", "bound_metadata": "jwt_payload"});
        assert_eq!(certificate, Some(bound));
        assert_eq!(asked, plain);
        assert_eq!(with.value(), without.value());
    }
}
