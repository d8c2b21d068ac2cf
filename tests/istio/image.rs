//! The image: what Istio's agent asks of one, and that it is the same wherever it is built and pulled.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::manifests::{output, repository};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A module that is no filter but has the form of one, larger than one block of the layer.
pub(crate) fn module(folder: &Path) -> PathBuf {
    let custom = [vec![1, b'x'], vec![7; 150_000]].concat();
    let mut bytes = b"\0asm\x01\0\0\0\0".to_vec();
    let mut size = custom.len();
    while size >= 0x80 {
        bytes.push((size % 0x80) as u8 | 0x80);
        size /= 0x80;
    }
    bytes.push(size as u8);
    bytes.extend(custom);
    let path = folder.join("module.wasm");
    fs::write(&path, bytes).unwrap();
    path
}

pub(crate) fn image_script(module: &Path, layout: &Path) -> Command {
    let mut command = Command::new(repository().join("istio/image.sh"));
    command.env("WASM", module).env("LAYOUT", layout);
    command
}

fn hash(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

/// A blob of a layout, which must be what its name says.
fn blob(layout: &Path, descriptor: &Value) -> Vec<u8> {
    let digest = descriptor["digest"].as_str().unwrap();
    let digest = digest.strip_prefix("sha256:").unwrap();
    let content = fs::read(layout.join("blobs/sha256").join(digest)).unwrap();
    assert_eq!(hash(&content), digest);
    assert_eq!(descriptor["size"], content.len());
    content
}

pub(crate) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// The manifest of the only image in a layout, and its digest.
pub(crate) fn manifest(layout: &Path) -> (String, Value) {
    let index = json(&fs::read(layout.join("index.json")).unwrap());
    let manifests = index["manifests"].as_array().unwrap();
    assert_eq!(manifests.len(), 1);
    let content = blob(layout, &manifests[0]);
    (hash(&content), json(&content))
}

/// The module as the agent takes it: from the last layer, which must have this type, the file `plugin.wasm`.
fn plugin(layout: &Path, manifest: &Value) -> Vec<u8> {
    let layers = manifest["layers"].as_array().unwrap();
    let layer = layers.last().unwrap();
    assert_eq!(layer["mediaType"], LAYER);
    let mut tar = Command::new("tar");
    tar.args([
        "--extract",
        "--gzip",
        "--to-stdout",
        "--file=-",
        "plugin.wasm",
    ]);
    piped(&mut tar, &blob(layout, layer))
}

fn piped(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let child = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "{command:?}");
    output.stdout
}

/// Debian's registry on a free port; it ends with this value.
struct Registry {
    child: Child,
    address: String,
    _folder: TempDir,
}

impl Registry {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = folder.path().join("storage");
        let configuration = serde_json::json!({
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": storage}},
            "http": {"addr": "127.0.0.1:0"},
        });
        let file = folder.path().join("registry.json");
        fs::write(&file, configuration.to_string()).unwrap();
        let script = repository().join("tests/debian.sh");
        let program = output(Command::new(script).arg("docker-registry"));
        let mut child = Command::new(program.trim())
            .arg("serve")
            .arg(file)
            .stdout(File::create(folder.path().join("access.log")).unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = log
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, address) = line.split_once("listening on ")?;
                Some(address.split(['"', ' ']).next()?.to_owned())
            })
            .expect("the registry says where it listens");
        // Until it ends: a full pipe would stop it.
        std::thread::spawn(move || log.for_each(drop));
        Self {
            child,
            address,
            _folder: folder,
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended by itself; what counts is that it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_same_module_gives_the_same_image_and_another_gives_another() {
    let folder = tempfile::tempdir().unwrap();
    let module = module(folder.path());
    let layouts = ["a", "b/c"].map(|name| folder.path().join(name));
    let printed = layouts
        .each_ref()
        .map(|layout| output(&mut image_script(&module, layout)));
    let [first, second] = layouts.each_ref().map(|layout| manifest(layout));
    assert_eq!(first, second);
    assert!(printed[0].contains(&format!("sha256:{}\n", first.0)));
    let mut bytes = fs::read(&module).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&module, bytes).unwrap();
    // In the place of the one that is there.
    output(&mut image_script(&module, &layouts[0]));
    assert_ne!(manifest(&layouts[0]).0, first.0);
}

#[test]
fn an_image_is_what_istios_agent_takes() {
    let folder = tempfile::tempdir().unwrap();
    let module = module(folder.path());
    let layout = folder.path().join("layout");
    let source = "https://git.example.com/mtls-identity";
    output(image_script(&module, &layout).env("SOURCE", source));
    let (_, manifest) = manifest(&layout);
    assert_eq!(manifest["mediaType"], MANIFEST);
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 1);
    assert_eq!(
        manifest["annotations"]["module.wasm.image/variant"],
        "compat"
    );
    // What it says of itself (the image specification's annotations).
    let says = |name: &str| &manifest["annotations"][format!("org.opencontainers.image.{name}")];
    assert_eq!(says("version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(says("licenses"), "Apache-2.0");
    assert_eq!(says("source"), "https://git.example.com/mtls-identity");
    if repository().join(".git").exists() {
        let revision = says("revision").as_str().unwrap();
        assert!(
            revision.trim_end_matches("-dirty").len() == 40,
            "{revision}"
        );
    }
    assert_eq!(plugin(&layout, &manifest), fs::read(&module).unwrap());
    // The image's configuration names the layer as it is without its compression.
    let configuration = json(&blob(&layout, &manifest["config"]));
    let layer = blob(&layout, &manifest["layers"][0]);
    let tar = piped(
        Command::new("gzip").args(["--decompress", "--stdout"]),
        &layer,
    );
    let named = &configuration["rootfs"]["diff_ids"];
    assert_eq!(
        *named,
        serde_json::json!([format!("sha256:{}", hash(&tar))])
    );
}

#[test]
fn an_image_comes_out_of_a_registry_as_it_went_in() {
    let folder = tempfile::tempdir().unwrap();
    let module = module(folder.path());
    let [pushed, pulled] = ["pushed", "pulled"].map(|name| folder.path().join(name));
    let registry = Registry::start();
    let reference = format!("{}/mtls-identity:0.2.0", registry.address);
    let script = repository().join("tests/debian.sh");
    let skopeo = output(Command::new(script).arg("skopeo"));
    let programs = Path::new(skopeo.trim()).parent().unwrap();
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    let mut push = image_script(&module, &pushed);
    let push = push.env("PATH", path);
    let printed = output(push.args(["--plain-http", &reference]));
    let (digest, before) = manifest(&pushed);
    // As they go into `istio/image/image.yaml`.
    let expected = format!("  url: oci://{reference}\n  sha256: \"{digest}\"\n");
    assert_eq!(printed, expected);

    let source = format!(
        "docker://{}/mtls-identity@sha256:{digest}",
        registry.address
    );
    let destination = format!("oci:{}", pulled.display());
    let mut pull = Command::new(skopeo.trim());
    pull.args([
        "--insecure-policy",
        "copy",
        "--quiet",
        "--src-tls-verify=false",
    ]);
    output(pull.args([&source, &destination]));
    let (pulled_digest, after) = manifest(&pulled);
    assert_eq!((pulled_digest, &after), (digest.clone(), &before));
    assert_eq!(plugin(&pulled, &after), fs::read(&module).unwrap());

    // By its tag as well, and with the type that the agent looks at first.
    let mut inspect = Command::new(skopeo.trim());
    inspect.args([
        "--insecure-policy",
        "inspect",
        "--raw",
        "--tls-verify=false",
    ]);
    let raw = output(inspect.arg(format!("docker://{reference}")));
    assert_eq!(hash(raw.as_bytes()), digest);
}

#[test]
fn what_is_no_module_or_no_reference_makes_no_image() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("layout");
    let text = folder.path().join("module.wasm");
    fs::write(&text, "(module)").unwrap();
    let module_folder = tempfile::tempdir().unwrap();
    let module = module(module_folder.path());
    let refused = |command: &mut Command| {
        let output = command.output().unwrap();
        assert!(!output.status.success(), "{command:?}");
        assert!(!layout.exists());
        String::from_utf8(output.stderr).unwrap()
    };
    let said = refused(&mut image_script(&text, &layout));
    assert!(said.contains("is no WebAssembly module"), "{said}");
    for reference in [
        "name",
        "registry/name",
        "registry/Name:1",
        "--help",
        "a/b:c;d",
    ] {
        let said = refused(image_script(&module, &layout).arg(reference));
        assert!(said.contains("REGISTRY/NAME:TAG"), "{said}");
    }
    // A folder that is something else is not taken for one to be replaced.
    let mut elsewhere = image_script(&module, folder.path());
    let said = refused(&mut elsewhere);
    assert!(said.contains("is no OCI layout"), "{said}");
    // What is left over of an attempt is taken away.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
