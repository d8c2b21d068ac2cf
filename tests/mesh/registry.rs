//! A registry with the filter's image.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde_json::json;

use crate::cluster::{SLOW, status};
use crate::harness::artifacts::debian;
use crate::harness::eventually;
use crate::harness::process::Process;
use crate::network::{HUB, Launch, Network, succeed};
use crate::tools::Image;

/// Its name in the world.
pub(crate) const NAME: &str = "registry.mesh.test";

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
        let storage = self.folder.join("registry");
        let configuration = json!({
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": storage}},
            "http": {"addr": format!("{HUB}:5000")},
        });
        let file = self.folder.join("registry.json");
        fs::write(&file, configuration.to_string()).unwrap();
        let program = debian("docker-registry");
        let command = [program.to_str().unwrap(), "serve", file.to_str().unwrap()];
        let launch = Launch {
            command: command.map(str::to_owned).to_vec(),
            ..Launch::default()
        };
        let process = network.spawn("registry", network.hub(), launch).await;
        *self.process.lock().unwrap() = Some(process);
        eventually("the registry is ready", SLOW, async || {
            let url = format!("http://{HUB}:5000/v2/");
            (status(network.hub(), &url) == 200).then_some(())
        })
        .await;
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
