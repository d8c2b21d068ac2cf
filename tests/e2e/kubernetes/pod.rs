//! The job's pod, as the manifests have it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use data_encoding::BASE64;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use super::api_server::{ApiServer, NAMESPACE, TOKEN};
use super::{SECRET, each, job, setting, text};
use crate::harness::artifacts::repository;
use crate::harness::certs::{Authority, Credentials};

/// The job's pod: a folder with its mounts, and the API server that it finds.
pub(crate) struct Pod {
    root: TempDir,
    pub(crate) api: ApiServer,
}

impl Pod {
    /// With a CA, and a certificate of it that has this many days to go.
    pub(crate) async fn start(days: &str, role: Value) -> Self {
        let root = tempfile::tempdir().unwrap();
        let (pki, authority) = (root.path().join("pki"), Authority::named("Cluster"));
        certs(&pki, &["--server", "tls", &setting("HOSTS")], days).await;
        let file = |name: &str| fs::read_to_string(pki.join(name)).unwrap();
        let base64 = |name: &str| BASE64.encode(file(name).as_bytes());
        let secrets = json!({SECRET: {"tls.crt": base64("tls.crt"), "tls.key": base64("tls.key")}});
        let pod = Self {
            api: ApiServer::start(&authority, role, secrets).await,
            root,
        };
        pod.mount("etc/renew/ca/tls.crt", &file("ca.crt"));
        pod.mount("etc/renew/ca/tls.key", &file("ca.key"));
        pod.mount_current();
        let account = "var/run/secrets/kubernetes.io/serviceaccount";
        pod.mount(&format!("{account}/ca.crt"), &authority.pem());
        pod.mount(&format!("{account}/token"), TOKEN);
        pod.mount(&format!("{account}/namespace"), NAMESPACE);
        for script in ["envoy/certs.sh", "envoy/kubernetes/renew.sh"] {
            let content = fs::read_to_string(repository().join(script)).unwrap();
            let name = script.rsplit('/').next().unwrap();
            pod.mount(&format!("opt/renew/{name}"), &content);
        }
        fs::create_dir(pod.path("tmp")).unwrap();
        pod
    }

    /// As the kubelet does before the job's next run.
    pub(crate) fn mount_current(&self) {
        for key in ["tls.crt", "tls.key"] {
            self.mount(
                &format!("etc/renew/current/{key}"),
                &self.api.secret(SECRET, key),
            );
        }
    }

    /// Below one of the job's mounts.
    pub(crate) fn mount(&self, file: &str, content: &str) {
        let job = job();
        let mut mounts = each(&job["containers"][0]["volumeMounts"]);
        let is_mounted = mounts.any(|mount| {
            let path = text(&mount["mountPath"]).trim_start_matches('/');
            file.starts_with(&format!("{path}/"))
        });
        assert!(
            is_mounted || file.starts_with("var/run/secrets/kubernetes.io/"),
            "{file}"
        );
        fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        fs::write(self.path(file), content).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The job's command with the job's environment, and with these on top.
    pub(crate) async fn run(&self, environment: &[(&str, &str)]) -> Output {
        let job = job();
        let container = &job["containers"][0];
        let command: Vec<_> = each(&container["command"]).map(text).collect();
        let [shell, script] = command[..] else {
            panic!("{command:?}")
        };
        let mut run = Command::new(shell);
        run.arg(self.path(script.trim_start_matches('/')));
        run.env_clear().env("PATH", std::env::var("PATH").unwrap());
        run.env("RENEW_ROOT", self.root.path());
        run.env("KUBERNETES_SERVICE_HOST", "127.0.0.1");
        run.env(
            "KUBERNETES_SERVICE_PORT",
            self.api.address().port().to_string(),
        );
        for variable in each(&container["env"]) {
            run.env(text(&variable["name"]), text(&variable["value"]));
        }
        run.envs(environment.iter().copied())
            .output()
            .await
            .unwrap()
    }

    pub(crate) fn server(&self) -> Credentials {
        let value = |key| self.api.secret(SECRET, key);
        Credentials::from_pem(&value("tls.crt"), &value("tls.key"))
    }
}

async fn certs(folder: &Path, arguments: &[&str], days: &str) {
    let mut script = Command::new(repository().join("envoy/certs.sh"));
    script.args(arguments).arg(folder).env("DAYS", days);
    assert!(script.output().await.unwrap().status.success());
}
