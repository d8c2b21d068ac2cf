//! The shipped files of `envoy/xds`, in a folder that one Envoy watches.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::artifacts::repository;
use crate::harness::bootstrap::Bootstrap;

/// What Envoy watches: `certs` as Kubernetes mounts a secret, `xds` with the resources.
pub(crate) struct Xds {
    folder: TempDir,
    version: AtomicU32,
}

impl Xds {
    /// With these files in `certs`.
    pub(crate) fn with_certificates(files: &[(&str, String)]) -> Self {
        let xds = Self::empty();
        for (name, _) in files {
            symlink(format!("..data/{name}"), xds.path(&format!("certs/{name}"))).unwrap();
        }
        xds.rotate(files);
        xds
    }

    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["certs", "xds"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self {
            folder,
            version: AtomicU32::new(0),
        }
    }

    /// Exchanges all certificates in one move.
    pub(crate) fn rotate(&self, files: &[(&str, String)]) {
        let version = format!("certs/..{}", self.version.fetch_add(1, Ordering::Relaxed));
        fs::create_dir(self.path(&version)).unwrap();
        for (name, content) in files {
            fs::write(self.path(&format!("{version}/{name}")), content).unwrap();
        }
        symlink(self.path(&version), self.path("certs/..new")).unwrap();
        fs::rename(self.path("certs/..new"), self.path("certs/..data")).unwrap();
    }

    /// The listener takes its certificates from here, as `common_tls_context.yaml` says.
    pub(crate) fn certificates(&self, crl: Crl) -> impl FnOnce(&mut Bootstrap) + 'static {
        let clients = self.shipped("clients.yaml");
        self.put("server.yaml", &self.shipped("server.yaml"));
        self.put("clients.yaml", &crl.apply(clients));
        let replacement = yaml(&self.shipped("common_tls_context.yaml"));
        move |envoy| {
            name_it(envoy);
            let tls = envoy.downstream_tls()["common_tls_context"].as_object_mut();
            let tls = tls.unwrap();
            tls.remove("tls_certificates").unwrap();
            tls.remove("validation_context").unwrap();
            tls.extend(replacement.as_object().unwrap().clone());
        }
    }

    /// The filter as it is configured so far comes from here, as `http_filter.yaml` says.
    pub(crate) fn filter(&self) -> impl FnOnce(&mut Bootstrap) + 'static {
        let mut resource = yaml(&self.shipped("filter.yaml"));
        let replacement = yaml(&self.shipped("http_filter.yaml"));
        let path = self.path("xds/filter.yaml");
        move |envoy| {
            name_it(envoy);
            *plugin(&mut resource) = envoy.plugin().clone();
            fs::write(path, resource.to_string()).unwrap();
            let mut filters = envoy.http_filters().iter_mut();
            let filter = filters.find(|filter| filter["name"] == replacement["name"]);
            *filter.unwrap() = replacement;
        }
    }

    /// This text becomes the configuration of the filter.
    pub(crate) fn configure(&self, text: &str) {
        let file = fs::read_to_string(self.path("xds/filter.yaml")).unwrap();
        let mut resource = yaml(&file);
        plugin(&mut resource)["configuration"]["value"] = json!(text);
        self.put("filter.yaml", &resource.to_string());
    }

    /// In one move.
    pub(crate) fn put(&self, name: &str, content: &str) {
        fs::write(self.path("new"), content).unwrap();
        fs::rename(self.path("new"), self.path(&format!("xds/{name}"))).unwrap();
    }

    /// A file of `envoy/xds`, for this folder.
    pub(crate) fn shipped(&self, name: &str) -> String {
        let text = shipped(name);
        let here = self.folder.path().to_str().unwrap();
        text.replace("envoy/xds", &format!("{here}/xds"))
            .replace("envoy/certs", &format!("{here}/certs"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Whether the listener asks a CRL: a line of `clients.yaml` that is shipped as a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crl {
    None,
    Asked,
}

impl Crl {
    fn apply(self, clients: String) -> String {
        let comment = "    # crl:";
        assert_eq!(clients.matches(comment).count(), 1);
        match self {
            Self::None => clients,
            Self::Asked => clients.replace(comment, "    crl:"),
        }
    }
}

/// A file of `envoy/xds` as it is.
pub(crate) fn shipped(name: &str) -> String {
    fs::read_to_string(repository().join("envoy/xds").join(name)).unwrap()
}

pub(crate) fn yaml(text: &str) -> Value {
    serde_yaml_ng::from_str(text).unwrap()
}

/// The PluginConfig in the resource of `filter.yaml`.
pub(crate) fn plugin(resource: &mut Value) -> &mut Value {
    &mut resource["resources"][0]["typed_config"]["config"]
}

fn name_it(envoy: &mut Bootstrap) {
    envoy.value()["node"] = json!({"id": "e2e", "cluster": "e2e"});
}
