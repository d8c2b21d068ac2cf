//! `mtls-identity verify`: the module in an image beside the one that the source gives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::desk::Desk;

/// What has the form of a module.
const MODULE: &[u8] = b"\0asm\x01\0\0\0";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// An image of this module.
fn image(desk: &Desk, name: &str, module: &[u8]) -> PathBuf {
    let wasm = desk.write(&format!("{name}.wasm"), module);
    let layout = wasm.with_file_name(name);
    let mut script = Command::new(repository().join("istio/image.sh"));
    let output = script
        .env("WASM", &wasm)
        .env("LAYOUT", &layout)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    layout
}

/// The file of the image's only layer.
fn layer(layout: &Path) -> PathBuf {
    let blob = |digest: &Value| {
        let digest = digest
            .as_str()
            .unwrap()
            .strip_prefix("sha256:")
            .unwrap()
            .to_owned();
        layout.join("blobs/sha256").join(digest)
    };
    let json = |path: PathBuf| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap();
    let index = json(layout.join("index.json"));
    let manifest = json(blob(&index["manifests"][0]["digest"]));
    blob(&manifest["layers"][0]["digest"])
}

#[test]
fn an_image_of_the_same_module_is_ok_and_of_another_it_is_not() {
    let desk = Desk::new();
    image(&desk, "same", MODULE);
    image(&desk, "other", &[MODULE, b"\0\x02\x01x"].concat());
    let same = desk.run(&["verify", "same", "--wasm", "same.wasm"]);
    assert_eq!(same.code, 0, "{same:?}");
    assert!(same.output.starts_with("ok: "), "{same:?}");
    assert!(same.output.contains("\nrevision  "), "{same:?}");
    let other = desk.run(&["verify", "other", "--wasm", "same.wasm"]);
    assert_eq!(other.code, 1, "{other:?}");
    assert!(other.output.starts_with("DIFFERENT: "), "{other:?}");
}

#[test]
fn an_image_that_is_not_what_its_digests_say_is_none() {
    let desk = Desk::new();
    let layout = image(&desk, "image", MODULE);
    let mut bytes = fs::read(layer(&layout)).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(layer(&layout), bytes).unwrap();
    let ran = desk.run(&["verify", "image", "--wasm", "image.wasm"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.errors.contains("its SHA-256 is"), "{ran:?}");
    for (name, words) in [("image/blobs", "index.json"), ("nowhere", "nowhere")] {
        let ran = desk.run(&["verify", name, "--wasm", "image.wasm"]);
        assert_eq!(ran.code, 2);
        assert!(ran.errors.contains(words), "{ran:?}");
    }
}

#[test]
fn without_a_module_the_source_is_built() {
    let desk = Desk::new();
    image(&desk, "image", MODULE);
    // A source whose build prints where the module is, as wasm-build.sh does.
    let script = "#!/bin/sh\nprintf '\\0asm\\1\\0\\0\\0' >built.wasm\necho \"$PWD/built.wasm\"\necho '8 bytes'\n";
    let path = desk.write("wasm-build.sh", script);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&path, mode).unwrap();
    let ran = desk.run(&["verify", "image"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    desk.write("wasm-build.sh", "#!/bin/sh\necho no compiler >&2\nexit 1\n");
    let failed = desk.run(&["verify", "image"]);
    assert_eq!(failed.code, 2);
    assert!(failed.errors.contains("no compiler"), "{failed:?}");
}
