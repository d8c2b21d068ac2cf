//! The module in an OCI image layout.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use mtls_identity::encoding::hex;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// An image of one module, whose parts are what their digests say.
#[derive(Debug)]
pub(super) struct Image {
    /// The SHA-256 of the manifest, in hexadecimal.
    pub(super) digest: String,
    /// The commit that the image says it was built from.
    pub(super) revision: Option<String>,
    /// The module.
    pub(super) wasm: Vec<u8>,
}

impl Image {
    /// Reads the only image of a layout.
    ///
    /// # Errors
    /// One line.
    pub(super) fn read(folder: &Path) -> Result<Self, String> {
        let index = folder.join("index.json");
        let index =
            std::fs::read(&index).map_err(|error| format!("{}: {error}", index.display()))?;
        let index = json(&index)?;
        let [manifest] = list(&index, "manifests") else {
            return Err("index.json does not have one image".to_owned());
        };
        let (digest, manifest) = blob(folder, manifest)?;
        let manifest = json(&manifest)?;
        let revision = manifest.pointer("/annotations/org.opencontainers.image.revision");
        // Istio takes the last layer.
        let layer = list(&manifest, "layers")
            .last()
            .ok_or("the image has no layer")?;
        let (_, layer) = blob(folder, layer)?;
        Ok(Self {
            digest,
            revision: revision.and_then(Value::as_str).map(str::to_owned),
            wasm: extract(layer)?,
        })
    }
}

/// The SHA-256 of bytes, in hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn json(bytes: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("this is no OCI layout: {error}"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let list = value.get(key).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

/// The blob of a descriptor, and its digest, which is checked.
fn blob(folder: &Path, descriptor: &Value) -> Result<(String, Vec<u8>), String> {
    let digest = descriptor
        .get("digest")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let digits = digest.strip_prefix("sha256:").unwrap_or_default();
    let is_hex = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex {
        return Err(format!("found the digest {digest:?}, expected sha256"));
    }
    let path = folder.join("blobs/sha256").join(digits);
    let bytes = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let found = sha256(&bytes);
    match found == digits {
        true => Ok((found, bytes)),
        false => Err(format!("{}: its SHA-256 is {found}", path.display())),
    }
}

/// `plugin.wasm` of a layer, by tar(1). Image layers are compressed with gzip.
fn extract(layer: Vec<u8>) -> Result<Vec<u8>, String> {
    let mut tar = Command::new("tar");
    tar.args([
        "--extract",
        "--gzip",
        "--to-stdout",
        "--file=-",
        "plugin.wasm",
    ]);
    tar.stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut child = tar.spawn().map_err(|error| format!("tar: {error}"))?;
    let stdin = child.stdin.take();
    let writing = std::thread::spawn(move || {
        // One that has seen enough closes the pipe.
        stdin.map(|mut stdin| stdin.write_all(&layer))
    });
    let output = child
        .wait_with_output()
        .map_err(|error| format!("tar: {error}"))?;
    let _ = writing.join();
    match output.status.success() && !output.stdout.is_empty() {
        true => Ok(output.stdout),
        false => Err("the last layer of the image has no plugin.wasm".to_owned()),
    }
}
