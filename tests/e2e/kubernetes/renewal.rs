//! The job renews what Envoy then shows.

use std::fs;
use std::process::Output;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::json;
use tokio::process::Command;

use super::api_server::TOKEN;
use super::pod::Pod;
use super::{SECRET, document, role, setting, text};
use crate::harness::bootstrap::Bootstrap;
use crate::harness::certs::Authority;
use crate::harness::client::Client;
use crate::harness::{Fixture, Site};
use crate::rotation::until_shown;
use crate::xds::{Crl, Xds};

const ALICE: &str = "alice@example.com";

#[track_caller]
fn assert_says(output: &Output, status: i32, part: &str) {
    let said = [&output.stdout[..], &output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert!(said.contains(part), "{said}");
    assert!(
        !said.contains(TOKEN) && !said.contains("PRIVATE KEY"),
        "{said}"
    );
}

#[tokio::test]
async fn the_job_renews_a_certificate_that_ends_soon_in_one_request_and_keeps_any_other() {
    let pod = Pod::start("29", role()).await;
    let (old, ca) = (pod.server(), pod.path("etc/renew/ca/tls.crt"));
    assert_says(&pod.run(&[]).await, 0, "gateway-tls is renewed; notAfter ");
    assert_eq!(pod.api.requests(), 1);
    let new = pod.server();
    assert_ne!(new.sha256(), old.sha256());
    assert_eq!(
        pod.api.secret(SECRET, "ca.crt"),
        fs::read_to_string(&ca).unwrap()
    );
    let certificate = pod.path("new.crt");
    fs::write(&certificate, new.pem()).unwrap();
    for host in setting("HOSTS").split(',') {
        let mut verify = Command::new("openssl");
        verify.args([
            "verify",
            "-purpose",
            "sslserver",
            "-verify_hostname",
            host,
            "-CAfile",
        ]);
        let output = verify.arg(&ca).arg(&certificate).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    pod.mount_current();
    assert_says(&pod.run(&[]).await, 0, "gateway-tls is kept; notAfter ");
    assert_eq!(pod.api.requests(), 1);
    assert_eq!(pod.server().sha256(), new.sha256());
    // Nothing that was written in between is left.
    assert_eq!(fs::read_dir(pod.path("tmp")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_client_in_the_cluster_gets_the_certificate_of_its_user() {
    let pod = Pod::start("20", role()).await;
    let output = pod
        .run(&[("HOSTS", ""), ("CLIENT", "agent@example.com")])
        .await;
    assert_says(&output, 0, "is renewed");
    let authority = fs::read_to_string(pod.path("etc/renew/ca/tls.crt")).unwrap();
    let site = Fixture::new()
        .edit(move |envoy| {
            let trusted = envoy.file("cluster-ca.crt", &authority);
            envoy.validation()["trusted_ca"] = json!({"filename": trusted});
        })
        .start()
        .await;
    let answer = site.client_with(&pod.server()).get("/").await.unwrap();
    assert_eq!(answer.gateway().user(), ["agent@example.com"]);
}

#[tokio::test]
async fn a_job_that_may_not_or_cannot_leaves_the_secret_as_it_is_and_fails() {
    let pod = Pod::start("20", role()).await;
    let old = pod.server();
    let other = [("SECRET", "another")];
    assert_says(
        &pod.run(&other).await,
        1,
        "refuses to change the Secret another: 403",
    );
    let neither = pod.run(&[("HOSTS", "")]).await;
    assert_says(&neither, 1, "neither HOSTS nor CLIENT");
    let both = pod.run(&[("CLIENT", ALICE)]).await;
    assert_says(&both, 1, "both HOSTS and CLIENT");
    assert_says(&pod.run(&[("HOSTS", "a b")]).await, 1, "expected hosts");
    assert_says(
        &pod.run(&[("DAYS", "30")]).await,
        1,
        "expected more than RENEW_DAYS",
    );
    let asked = pod.api.requests();
    // Somebody who is not the API server does not get the token.
    let account = "var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
    pod.mount(account, &Authority::named("Cluster").pem());
    assert_says(&pod.run(&[]).await, 1, "the API server cannot be asked");
    assert_eq!(pod.api.requests(), asked);
    pod.mount("etc/renew/ca/tls.key", "no key");
    assert_says(&pod.run(&[]).await, 1, "openssl x509 failed");
    pod.mount("etc/renew/ca/tls.crt", "");
    assert_says(&pod.run(&[]).await, 1, "the CA has no tls.crt");
    assert_eq!(pod.server().sha256(), old.sha256());
}

/// Envoy as `sds.yaml` has it, with the Secret as the kubelet mounts it.
async fn site(pod: &Pod) -> (Site, Xds) {
    let files = ["tls.crt", "tls.key"].map(|key| (key, pod.api.secret(SECRET, key)));
    let xds = Xds::with_certificates(&files);
    let fixture = Fixture::new();
    let clients = pod.path("gateway-client-ca");
    fs::create_dir(&clients).unwrap();
    fs::write(clients.join("ca.crt"), fixture.authority().pem()).unwrap();
    let fixture = fixture.edit(xds.certificates(Crl::None));
    let sds = document("sds.yaml", "ConfigMap", "envoy-sds");
    for (name, content) in sds["data"].as_object().unwrap() {
        let content = text(content)
            .replace(
                "/etc/envoy/gateway-tls",
                xds.path("certs").to_str().unwrap(),
            )
            .replace("/etc/envoy/gateway-client-ca", clients.to_str().unwrap());
        assert!(!content.contains("/etc/envoy"), "{content}");
        xds.put(name, &content);
    }
    let site = fixture.edit(certificate_is_named).start().await;
    (site, xds)
}

fn certificate_is_named(envoy: &mut Bootstrap) {
    let tls = envoy.downstream_tls()["common_tls_context"].clone();
    assert!(
        tls["tls_certificate_sds_secret_configs"].is_array(),
        "{tls}"
    );
}

#[tokio::test]
async fn what_the_job_renews_envoy_shows_without_a_restart_and_open_connections_go_on() {
    let pod = Pod::start("20", role()).await;
    let (site, xds) = site(&pod).await;
    let cluster = fs::read_to_string(pod.path("etc/renew/ca/tls.crt")).unwrap();
    let trusted = CertificateDer::from_pem_slice(cluster.as_bytes()).unwrap();
    let client = Client::new(site.envoy.address(), &trusted)
        .named("gateway.example.com")
        .presenting(&site.authority.client(ALICE));
    let mut open = client.connect().await.unwrap();
    assert_eq!(open.get("/").await.unwrap().gateway().user(), [ALICE]);

    assert_says(&pod.run(&[]).await, 0, "is renewed");
    xds.rotate(&["tls.crt", "tls.key"].map(|key| (key, pod.api.secret(SECRET, key))));
    until_shown(&client, &pod.server()).await;
    for answer in [client.get("/").await, open.get("/").await] {
        assert_eq!(answer.unwrap().gateway().user(), [ALICE]);
    }
    assert_eq!(
        site.envoy.stat("sds.server.key_rotation_failed").await,
        Some(0)
    );
}
