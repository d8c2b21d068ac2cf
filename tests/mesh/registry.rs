//! A registry with the filter's image.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::{Value, json};

use crate::cluster::{SLOW, status};
use crate::harness::artifacts::debian;
use crate::harness::eventually;
use crate::harness::process::Process;
use crate::network::{HUB, Launch, Network, succeed};
use crate::tools::Image;

/// Its name in the world.
pub(crate) const NAME: &str = "registry.mesh.test";

/// User and password of the registry that asks for a login.
pub(crate) const LOGIN: [&str; 2] = ["puller", "wasm"];
/// The password as bcrypt.
const HASHED: &str = "$2y$05$abcdefghijklmnopqrstuuA96p80mGaZgDOZIFaAEUB5xO2l1CmhW";

/// Plain HTTP, on port 5000 of the hub. What was pushed stays while it is stopped.
pub(crate) struct Registry {
    folder: PathBuf,
    process: Mutex<Option<Process>>,
}

impl Registry {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            process: Mutex::default(),
        }
    }

    pub(crate) async fn start(&self, network: &Network) {
        let process = self.run(network, "registry", 5000, &json!({}), 200).await;
        *self.process.lock().unwrap() = Some(process);
    }

    /// The same images on port 5001, for who has [`LOGIN`], until the value is dropped. The registry calls itself this when
    /// it asks for the login.
    pub(crate) async fn start_with_login(&self, network: &Network, realm: &str) -> Process {
        let [user, _] = LOGIN;
        let passwords = self.folder.join("registry.passwords");
        fs::write(&passwords, format!("{user}:{HASHED}\n")).unwrap();
        let login = json!({"htpasswd": {"realm": realm, "path": passwords}});
        self.run(network, "registry-with-login", 5001, &login, 401)
            .await
    }

    async fn run(
        &self,
        network: &Network,
        name: &'static str,
        port: u16,
        login: &Value,
        expected: u16,
    ) -> Process {
        let storage = self.folder.join("registry");
        let configuration = json!({
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": storage}},
            "http": {"addr": format!("{HUB}:{port}")},
            "auth": login,
        });
        let file = self.folder.join(format!("{name}.json"));
        fs::write(&file, configuration.to_string()).unwrap();
        let program = debian("docker-registry");
        let command = [program.to_str().unwrap(), "serve", file.to_str().unwrap()];
        let launch = Launch {
            command: command.map(str::to_owned).to_vec(),
            ..Launch::default()
        };
        let process = network.spawn(name, network.hub(), launch).await;
        eventually(&format!("the {name} is ready"), SLOW, async || {
            let url = format!("http://{HUB}:{port}/v2/");
            (status(network.hub(), &url) == expected).then_some(())
        })
        .await;
        process
    }

    pub(crate) fn stop(&self) {
        drop(self.process.lock().unwrap().take());
    }

    /// Under this tag; URL and digest, as `istio/image/image.yaml` wants them.
    pub(crate) fn push(&self, network: &Network, image: &Image, tag: &str) -> (String, String) {
        let (layout, digest) = image;
        let reference = format!("{NAME}:5000/mtls-identity:{tag}");
        let mut command = network.hub().command(debian("skopeo"));
        command
            .args(["--insecure-policy", "copy", "--quiet", "--preserve-digests"])
            .arg("--dest-tls-verify=false")
            .arg(format!("oci:{}", layout.display()))
            .arg(format!("docker://{reference}"));
        succeed(&mut command);
        (format!("oci://{reference}"), digest.clone())
    }
}
