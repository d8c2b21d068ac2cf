//! What is released beside the image: its bill of materials (SBOM), and its signature.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::image::{image_script, json, manifest, module};
use crate::manifests::{output, repository};

/// A folder with programs that write what they were asked into `asked`, each on a line of its own.
fn stand_ins(folder: &Path) -> String {
    let programs = folder.join("bin");
    fs::create_dir(&programs).unwrap();
    let asked = folder.join("asked");
    let record = format!(
        "#!/bin/sh\necho \"$(basename \"$0\") $*\" >>'{}'\n",
        asked.display()
    );
    // The bill goes where the real one puts it: beside Cargo.toml.
    let bill = format!(
        "while [ $# -gt 1 ]; do\n\
         case $1 in --manifest-path) folder=$(dirname \"$2\") ;; --override-filename) name=$2 ;; esac\n\
         shift\n\
         done\n\
         sed \"s|FOLDER|$folder|\" '{}' >\"$folder/$name.json\"\n",
        folder.join("bill.json").display()
    );
    for (name, more) in [
        ("cosign", ""),
        ("cargo-cyclonedx", bill.as_str()),
        ("skopeo", ""),
    ] {
        let path = programs.join(name);
        fs::write(&path, format!("{record}{more}")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).unwrap();
    }
    format!("{}:{}", programs.display(), std::env::var("PATH").unwrap())
}

/// A bill of materials as cargo-cyclonedx writes it, of the packages in Cargo.lock that are wanted: it lists more than what
/// is built into the module.
fn bill(wanted: impl Fn(&str) -> bool) -> Value {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).unwrap();
    let field = |package: &str, name: &str| {
        let mut lines = package.lines();
        let line = lines.find_map(|line| line.strip_prefix(&format!("{name} = ")));
        line.unwrap().trim_matches('"').to_owned()
    };
    let packages = lock.split("[[package]]\n").skip(1);
    let (own, components): (Vec<_>, Vec<_>) = packages
        .map(|package| (field(package, "name"), field(package, "version")))
        .filter(|(name, _)| wanted(name))
        .map(|(name, version)| {
            let reference = format!("{name}@{version}");
            serde_json::json!({"bom-ref": reference, "name": name, "version": version, "scope": "required"})
        })
        .partition(|component| component["name"] == "mtls-identity");
    let mut own = own[0].clone();
    own["components"] = serde_json::json!([{"type": "library"}, {"type": "application"}]);
    let all: Vec<_> = components.iter().map(|it| &it["bom-ref"]).collect();
    let mut dependencies = vec![serde_json::json!({"ref": own["bom-ref"], "dependsOn": all})];
    dependencies.extend(all.iter().map(|it| serde_json::json!({"ref": it})));
    serde_json::json!({
        "metadata": {"component": own, "at": "file://FOLDER"},
        "components": components,
        "dependencies": dependencies,
    })
}

/// What cargo builds the module from, itself left out: names with versions.
fn built_in(edges: &str) -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(repository())
        .args(["tree", "--locked", "--prefix", "none", "--edges", edges]);
    let listed = output(tree.args(["--target", "wasm32-wasip1"]));
    let packages = listed.lines().filter_map(|line| {
        let mut words = line.split(' ');
        Some(format!(
            "{}@{}",
            words.next()?,
            words.next()?.strip_prefix('v')?
        ))
    });
    let packages = packages.filter(|it| !it.starts_with("mtls-identity@"));
    packages.collect()
}

/// Whether the file that cargo-cyclonedx was asked to write is still beside Cargo.toml.
fn is_left_in_the_source(folder: &Path) -> bool {
    let asked = fs::read_to_string(folder.join("asked")).unwrap();
    let (_, name) = asked.split_once("--override-filename ").unwrap();
    let name = name.split_whitespace().next().unwrap();
    repository().join(format!("{name}.json")).exists()
}

/// The script's end with a bill of these packages, and the bill that it wrote.
fn written_bill(folder: &Path, wanted: impl Fn(&str) -> bool) -> (Output, PathBuf) {
    let path = stand_ins(folder);
    fs::write(folder.join("bill.json"), bill(wanted).to_string()).unwrap();
    let module = module(folder);
    let mut script = image_script(&module, &folder.join("layout"));
    let ran = script.env("PATH", path).arg("--sbom").output().unwrap();
    (ran, folder.join("layout.cdx.json"))
}

#[test]
fn the_bill_lists_what_is_built_into_the_module_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (ran, file) = written_bill(folder.path(), |_| true);
    assert!(ran.status.success(), "{ran:?}");
    let bill = json(&fs::read(file).unwrap());
    let texts = |list: &Value, key: &str| -> Vec<String> {
        let items = list.as_array().unwrap().iter();
        items
            .map(|it| it[key].as_str().unwrap().to_owned())
            .collect()
    };
    let listed = texts(&bill["components"], "bom-ref");
    let listed: BTreeSet<_> = listed.into_iter().collect();
    assert_eq!(listed, built_in("normal"));
    for (name, is_in) in [
        ("proxy-wasm@", true),
        ("x509-parser@", true),
        ("ring@", false),
        ("clap@", false),
        ("rcgen@", false),
    ] {
        assert_eq!(
            listed.iter().any(|it| it.starts_with(name)),
            is_in,
            "{name}"
        );
    }
    // What runs in the compiler alone is told apart.
    let linked = built_in("normal,no-proc-macro");
    for component in bill["components"].as_array().unwrap() {
        let is_linked = linked.contains(component["bom-ref"].as_str().unwrap());
        let scope = if is_linked { "required" } else { "excluded" };
        assert_eq!(component["scope"], scope, "{component}");
    }
    let program = &bill["metadata"]["component"];
    assert_eq!(
        program["components"],
        serde_json::json!([{"type": "library"}])
    );
    // The graph has no other package, either.
    let own = bill["metadata"]["component"]["bom-ref"].as_str().unwrap();
    let nodes = texts(&bill["dependencies"], "ref");
    assert!(nodes.iter().all(|it| it == own || listed.contains(it)));
    let of_own: Vec<String> =
        serde_json::from_value(bill["dependencies"][0]["dependsOn"].clone()).unwrap();
    assert_eq!(of_own.into_iter().collect::<BTreeSet<_>>(), listed);
}

#[test]
fn a_bill_that_lacks_what_is_built_in_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (ran, file) = written_bill(folder.path(), |name| name != "x509-parser");
    assert!(!ran.status.success());
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains("does not list x509-parser v"), "{said}");
    assert!(!file.exists());
    assert!(!is_left_in_the_source(folder.path()));
}

#[test]
fn what_is_pushed_is_signed_by_its_digest_and_its_bill_attested() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("bill.json"), bill(|_| true).to_string()).unwrap();
    let module = module(folder.path());
    let layout = folder.path().join("layout");
    let path = stand_ins(folder.path());
    let reference = "registry.example.com:5000/mtls-identity:0.2.0";
    let mut script = image_script(&module, &layout);
    let script = script.env("PATH", &path).env("COSIGN_KEY", "release.key");
    let script = script.env("COSIGN_OPTIONS", "--tlog-upload=false -a from=here");
    output(script.args(["--sbom", "--sign", reference]));
    let (digest, _) = manifest(&layout);
    let bill = folder.path().join("layout.cdx.json");
    let image = format!("registry.example.com:5000/mtls-identity@sha256:{digest}");
    let asked = fs::read_to_string(folder.path().join("asked")).unwrap();
    let options = "--yes --key release.key --tlog-upload=false -a from=here";
    let signed = format!("cosign sign {options} {image}\n");
    let bill_path = bill.display();
    let attested =
        format!("cosign attest {options} --type cyclonedx --predicate {bill_path} {image}\n");
    assert!(asked.ends_with(&format!("{signed}{attested}")), "{asked}");
    // No path of this machine is in it, and nothing stays in the source.
    let bill = json(&fs::read(bill).unwrap());
    assert_eq!(bill["metadata"]["at"], "file://.");
    assert!(!is_left_in_the_source(folder.path()));

    let mut unpushed = image_script(&module, &layout);
    let refused = unpushed.env("PATH", &path).arg("--sign").output().unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--sign needs REGISTRY/NAME:TAG"));
}
