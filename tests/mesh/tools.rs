//! The programs of the mesh, and what of this machine they need.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;

use crate::harness::artifacts::{self, output, repository};

/// The folder that `build.sh` fills.
pub(crate) fn programs() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut build = Command::new(repository().join("tests/mesh/build.sh"));
        PathBuf::from(output(&mut build).trim())
    })
}

/// A kubectl.
pub(crate) fn kubectl() -> &'static str {
    static FOUND: OnceLock<String> = OnceLock::new();
    FOUND.get_or_init(|| {
        let script = repository().join("tests/istio/kubectl.sh");
        output(&mut Command::new(script)).trim().to_owned()
    })
}

/// The application behind the mesh: the gateway of the demonstration.
pub(crate) fn application() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let arguments = "build --quiet --locked --example gateway --message-format json";
        let messages = output(Command::new(env!("CARGO")).args(arguments.split(' ')));
        let executable = messages.lines().find_map(|line| {
            let message: Value = serde_json::from_str(line).unwrap();
            message["executable"].as_str().map(PathBuf::from)
        });
        executable.expect("cargo says where it put the program")
    })
}

/// An OCI layout, and the digest of its manifest.
pub(crate) type Image = (PathBuf, String);

/// The filter.
pub(crate) fn image() -> &'static Image {
    static MADE: OnceLock<Image> = OnceLock::new();
    MADE.get_or_init(|| packed(artifacts::wasm(), "image"))
}

/// The filter of a later day: the same with a custom section of one byte more.
pub(crate) fn later_image() -> &'static Image {
    static MADE: OnceLock<Image> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut module = fs::read(artifacts::wasm()).unwrap();
        module.extend([0, 3, 1, b'x', 7]);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("later.wasm");
        fs::write(&file, module).unwrap();
        packed(&file, "later-image")
    })
}

/// For a program that must be told its port.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn packed(module: &Path, name: &str) -> Image {
    let layout = repository().join("target/mesh").join(name);
    let mut script = Command::new(repository().join("istio/image.sh"));
    script.env("WASM", module).env("LAYOUT", &layout);
    let printed = output(&mut script);
    let digest = printed.trim().rsplit("sha256:").next().unwrap();
    (layout, digest.to_owned())
}

/// A folder with programs under the names that Istio's agent calls to redirect a Pod's connections.
pub(crate) fn iptables(folder: &Path) {
    let found = |name: &str| {
        let script = repository().join("tests/debian.sh");
        output(Command::new(script).args(["iptables", name]))
    };
    let program = found("xtables-nft-multi");
    fs::create_dir_all(folder).unwrap();
    for family in ["iptables", "ip6tables"] {
        for does in ["", "-save", "-restore"] {
            let name = format!("{family}{does}");
            let text = format!("#!/bin/sh\nexec {} {name} \"$@\"\n", program.trim());
            for called in [name.clone(), name.replacen("tables", "tables-nft", 1)] {
                let file = folder.join(called);
                fs::write(&file, &text).unwrap();
                executable(&file);
            }
        }
    }
}

fn executable(file: &Path) {
    let status = Command::new("chmod").arg("755").arg(file).status();
    assert!(status.unwrap().success());
}
