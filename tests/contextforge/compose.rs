//! `envoy/compose.yaml`, read by Docker Compose: what it names exists, and nothing reaches the gateway around Envoy.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::artifacts::{debian, envoy, output, repository, wasm};
use crate::settings;

/// A copy of what the compose file names, prepared as its head says, and the file as Compose understands it.
struct Composed {
    root: TempDir,
    services: Value,
}

fn composed() -> Composed {
    let root = tempfile::tempdir().unwrap();
    let put = |from: &Path, to: &str| {
        let to = root.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    };
    for file in [
        "envoy/compose.yaml",
        "envoy/envoy.yaml",
        "envoy/contextforge/settings.env",
    ] {
        put(&repository().join(file), file);
    }
    put(wasm(), "target/wasm32-wasip1/release/mtls_identity.wasm");
    let mut certificates = Command::new(repository().join("envoy/certs.sh"));
    output(certificates.arg(root.path().join("envoy/certs")));
    let secrets = settings::secrets().into_iter();
    let secrets: String = secrets
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    fs::write(root.path().join("envoy/contextforge/secrets.env"), secrets).unwrap();

    let mut compose = Command::new(debian("docker-compose"));
    let file = root.path().join("envoy/compose.yaml");
    let printed = output(compose.arg("--file").arg(file).arg("config"));
    let value: Value = serde_yaml_ng::from_str(&printed).unwrap();
    Composed {
        root,
        services: value["services"].clone(),
    }
}

impl Composed {
    /// Host and container path of each mounted file.
    fn mounts(&self, service: &str) -> Vec<(PathBuf, PathBuf)> {
        let mounts = self.services[service]["volumes"].as_array().unwrap();
        let paths = mounts.iter().map(|mount| match mount.as_str() {
            // Compose 1 writes `host:container:mode`, Compose 2 an object.
            Some(text) => {
                let mut parts = text.split(':');
                (parts.next().unwrap().into(), parts.next().unwrap().into())
            }
            None => (
                mount["source"].as_str().unwrap().into(),
                mount["target"].as_str().unwrap().into(),
            ),
        });
        paths.collect()
    }

    /// The container's working directory with all that is mounted into it.
    fn working_directory(&self) -> PathBuf {
        let container = self.root.path().join("container");
        for (host, inside) in self.mounts("envoy") {
            assert!(host.is_file(), "{host:?} is not there");
            let inside = container.join(inside.strip_prefix("/").unwrap());
            fs::create_dir_all(inside.parent().unwrap()).unwrap();
            symlink(host, inside).unwrap();
        }
        let directory = self.services["envoy"]["working_dir"].as_str().unwrap();
        container.join(directory.strip_prefix('/').unwrap())
    }
}

#[test]
fn envoy_accepts_what_its_container_runs() {
    let composed = composed();
    let entrypoint = composed.services["envoy"]["entrypoint"].as_array().unwrap();
    let [shell, flag, script] = entrypoint.as_slice() else {
        panic!("not a shell and its script: {entrypoint:?}")
    };
    // The container's /tmp and its program are others here; and a port of this machine is not needed.
    let temporary = composed.root.path().to_str().unwrap();
    let script = script
        .as_str()
        .unwrap()
        .replace("/tmp/", &format!("{temporary}/"));
    assert_eq!(script.matches("exec envoy ").count(), 1);
    let script = script.replace(
        "exec envoy ",
        r#"exec "$ENVOY" --mode validate --disable-hot-restart "#,
    );
    let validated = Command::new(shell.as_str().unwrap())
        .args([flag.as_str().unwrap(), &script])
        .current_dir(composed.working_directory())
        .env("ENVOY", envoy(None))
        .output()
        .unwrap();
    assert!(validated.status.success(), "{validated:?}");

    // And that is envoy.yaml but for the address of the listener.
    let ran = fs::read_to_string(composed.root.path().join("envoy.yaml")).unwrap();
    let shipped = fs::read_to_string(repository().join("envoy/envoy.yaml")).unwrap();
    let differ = ran.lines().zip(shipped.lines()).filter(|(a, b)| a != b);
    let differ: Vec<_> = differ.map(|(ran, _)| ran.trim()).collect();
    assert_eq!(
        differ,
        ["socket_address: { address: 0.0.0.0, port_value: 8443 }"]
    );
}

#[test]
fn the_gateway_is_on_envoys_loopback_and_publishes_no_port() {
    let services = composed().services;
    let gateway = &services["gateway"];
    assert_eq!(gateway["network_mode"], "service:envoy");
    assert!(gateway["ports"].is_null() && gateway["expose"].is_null());
    assert_eq!(gateway["environment"]["HOST"], "127.0.0.1");
    let shipped = fs::read_to_string(repository().join("envoy/envoy.yaml")).unwrap();
    let cluster = "socket_address: { address: 127.0.0.1, port_value: 4444 }";
    assert_eq!(shipped.matches(cluster).count(), 1);
    assert_eq!(gateway["environment"]["PORT"], "4444");
    let published = services["envoy"]["ports"].as_array().unwrap();
    assert_eq!(published.len(), 1, "{published:?}");
}

#[test]
fn the_gateway_gets_the_shipped_settings_and_secrets_and_knows_them_all() {
    let services = composed().services;
    let environment = services["gateway"]["environment"].as_object().unwrap();
    let known = settings::known();
    for name in environment.keys() {
        assert!(known.contains(name), "{name}");
    }
    for (name, value) in settings::shipped() {
        assert_eq!(environment[&name], value.as_str(), "{name}");
    }
    for name in settings::secrets().keys() {
        assert!(environment.contains_key(name), "{name}");
    }
}

#[test]
fn no_secret_is_in_the_file_and_none_is_committed() {
    let file = fs::read_to_string(repository().join("envoy/compose.yaml")).unwrap();
    for name in settings::secrets().keys() {
        assert!(!file.contains(name), "{name}");
        assert!(!settings::shipped().contains_key(name), "{name}");
    }
    let ignored = fs::read_to_string(repository().join(".gitignore")).unwrap();
    for path in ["/envoy/contextforge/secrets.env", "/envoy/certs"] {
        assert!(ignored.lines().any(|line| line == path), "{path}");
    }
}
