//! Each line holds where the others are gone, and without it the attack succeeds that it is for.

use serde_json::{Value, json};

use super::edge::{Edge, is_administrator, is_nameless, refused_by_the_guard};
use super::failures::configured;
use crate::caller::{ADMIN, ALICE, assert_is};
use crate::harness::certs::Authority;

/// `spec` of this object with a change.
fn changed(object: &Value, change: impl FnOnce(&mut Value)) -> Value {
    let mut object = object.clone();
    change(&mut object["spec"]);
    object
}

fn without_cel(edge: &Edge) -> Value {
    changed(edge.guard(), |spec| {
        let rule = spec["authorization"]["rules"][0].as_object_mut().unwrap();
        rule.remove("cel").unwrap();
    })
}

/// The filter is gone. The removal keeps clients from writing the mark, and the guard asks for it.
pub(super) async fn removal_and_guard_hold_without_the_filter(edge: &Edge) {
    edge.take_out(edge.filter());
    edge.alice()
        .forges_until("is refused", refused_by_the_guard)
        .await;

    let without_removal = changed(edge.traffic_policy(), |spec| {
        spec["headers"]
            .as_object_mut()
            .unwrap()
            .remove("earlyRequestHeaders")
            .unwrap();
    });
    edge.put(&without_removal);
    edge.alice()
        .forges_until("is the administrator", is_administrator)
        .await;
    edge.put(edge.traffic_policy());
    edge.alice()
        .forges_until("is refused", refused_by_the_guard)
        .await;

    edge.take_out(edge.guard());
    edge.alice().forges_until("passes", is_nameless).await;
    edge.put(edge.guard());
    edge.alice()
        .forges_until("is refused", refused_by_the_guard)
        .await;

    edge.put(edge.filter());
    edge.alice().is(ALICE).await;
}

/// Filter and removal are gone, and with the latter the demand for a certificate.
pub(super) async fn the_guard_asks_for_a_certificate_as_well(edge: &Edge) {
    edge.take_out(edge.filter());
    edge.take_out(edge.traffic_policy());
    edge.nobody()
        .forges_until("is refused", refused_by_the_guard)
        .await;

    edge.put(&without_cel(edge));
    edge.nobody()
        .forges_until("is the administrator", is_administrator)
        .await;
    edge.put(edge.guard());
    edge.nobody()
        .forges_until("is refused", refused_by_the_guard)
        .await;

    edge.put(edge.traffic_policy());
    edge.put(edge.filter());
    edge.nobody().gets(0).await;
    edge.alice().is(ALICE).await;
}

/// A listener that takes any certificate: `required` makes nobody of its client a user, and so does `cel`.
pub(super) async fn a_listener_that_takes_any_certificate_makes_nobody_a_user(edge: &Edge) {
    let admin = edge.user(&Authority::named("Strangers CA").client(ADMIN));
    for mode in ["RequireAny", "Request"] {
        let open = changed(edge.traffic_policy(), |spec| {
            spec["tls"]["clientValidation"]["mode"] = json!(mode);
            spec["tls"]["clientValidation"]
                .as_object_mut()
                .unwrap()
                .remove("crl");
        });
        edge.put(&open);
        admin
            .gets(403)
            .await
            .assert_reason("certificate_not_validated");
        assert_is(&edge.alice().get(), ALICE);
    }

    edge.put(&configured(edge, |config| {
        config["certificate"]["validation"] = json!("listener")
    }));
    admin.forges_until("is refused", refused_by_the_guard).await;
    edge.put(&without_cel(edge));
    admin.is(ADMIN).await;
    edge.put(edge.guard());
    admin.forges_until("is refused", refused_by_the_guard).await;

    edge.put(edge.filter());
    edge.put(edge.traffic_policy());
    admin.gets(0).await;
    edge.alice().is(ALICE).await;
}

/// Without a certificate a client gets in and is nobody.
pub(super) async fn a_certificate_that_is_not_asked_for_makes_nobody_a_user(edge: &Edge) {
    let optional = changed(edge.traffic_policy(), |spec| {
        spec["tls"]["clientValidation"]["mode"] = json!("VerifyIfGiven");
    });
    edge.put(&optional);
    edge.nobody()
        .gets(403)
        .await
        .assert_reason("no_certificate");
    assert_eq!(edge.nobody().get_forged().status, 403);
    assert_is(&edge.alice().get(), ALICE);
    edge.put(edge.traffic_policy());
    edge.nobody().gets(0).await;
}

/// On a resumed session Envoy does not say that it validated the certificate.
pub(super) async fn a_resumed_session_is_refused(edge: &Edge) {
    let url = format!("https://{}/mcp", crate::caller::HOST);
    // Two requests, each on a connection of its own; curl resumes the session for the second.
    let twice = |version: &str| {
        let options = [
            "--http1.1",
            "-H",
            "Connection: close",
            "--tls-max",
            version,
            &url,
        ];
        edge.alice().with(&options).get()
    };
    assert_eq!(twice("1.2").status, 200);
    assert_eq!(twice("1.3").status, 200);
    let resuming = changed(edge.traffic_policy(), |spec| {
        spec["tls"]["session"] = json!({"resumption": {"stateless": {}, "stateful": {}}});
    });
    edge.put(&resuming);
    for version in ["1.2", "1.3"] {
        let what = format!("a session of TLS {version} is resumed");
        crate::harness::eventually(&what, crate::cluster::SLOW, async || {
            let answer = twice(version);
            let body = String::from_utf8_lossy(&answer.body).into_owned();
            (answer.status == 403 && body.contains("certificate_not_validated")).then_some(())
        })
        .await;
    }
    edge.put(edge.traffic_policy());
    crate::harness::eventually("no session is resumed", crate::cluster::SLOW, async || {
        (twice("1.3").status == 200).then_some(())
    })
    .await;
}

/// `spec.tls.frontend` of the Gateway. Beside the policy it is nothing; with the policy gone, with removal and demand in it,
/// it lets the guard believe whoever has a certificate.
pub(super) async fn a_frontend_validation_takes_the_ground_from_the_guard(edge: &Edge) {
    let gateway = edge.object("Gateway", "mcp-ingress");
    let with_frontend = |mode: &str| {
        changed(gateway, |spec| {
            let authorities = json!([{"group": "", "kind": "ConfigMap", "name": "users-ca"}]);
            let validation = json!({"caCertificateRefs": authorities, "mode": mode});
            spec["tls"] = json!({"frontend": {"default": {"validation": validation}}});
        })
    };
    edge.put(&with_frontend("AllowValidOnly"));
    edge.take_out(edge.filter());
    edge.take_out(edge.traffic_policy());
    edge.alice()
        .forges_until("is the administrator", is_administrator)
        .await;

    // A stranger is nobody here, and with the filter no user.
    edge.put(edge.filter());
    edge.put(&with_frontend("AllowInsecureFallback"));
    let admin = edge.user(&Authority::named("Strangers CA").client(ADMIN));
    admin
        .gets(403)
        .await
        .assert_reason("certificate_not_validated");

    let mut without = gateway.clone();
    without["spec"]["tls"] = Value::Null;
    edge.put(&without);
    edge.put(gateway);
    edge.put(edge.traffic_policy());
    admin.gets(0).await;
    edge.alice().is(ALICE).await;
}

/// It replaces the policy of the whole Gateway: no certificate is asked for there, and nothing is removed.
pub(super) async fn a_policy_for_one_listener_replaces_ours_and_refuses_everybody(edge: &Edge) {
    let mut part = changed(edge.traffic_policy(), |spec| {
        let mut target = spec["targetRefs"][0].clone();
        target["sectionName"] = json!("https");
        *spec = json!({"targetRefs": [target]});
    });
    part["metadata"]["name"] = json!("part");
    edge.put(&part);
    edge.nobody()
        .gets(403)
        .await
        .assert_reason("no_certificate");
    assert_eq!(edge.nobody().get_forged().status, 403);
    edge.take_out(&part);
    edge.nobody().gets(0).await;
    edge.alice().is(ALICE).await;
}
