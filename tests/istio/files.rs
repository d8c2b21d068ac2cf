//! The files of `istio/` and what names them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use mtls_identity::config::Configuration;
use serde_json::Value;

use crate::manifests::{Manifests, OVERLAYS, documents, order, repository, strings};

/// What an operator may add to each overlay.
const COMPONENTS: [&str; 4] = ["admission", "before-1.31", "image-volume", "leaf-crl"];

/// What fits the overlay `gateway` alone.
const OF_GATEWAY: [&str; 1] = ["mcp"];

fn istio() -> PathBuf {
    repository().join("istio")
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => files(&path),
            false => vec![path],
        })
        .collect()
}

/// The manifests and the kustomizations.
pub(crate) fn yaml() -> Vec<PathBuf> {
    let mut all = files(&istio());
    all.retain(|path| path.extension().is_some_and(|kind| kind == "yaml"));
    all
}

/// The files that a kustomization takes, and those of the kustomizations it names, itself among them.
pub(crate) fn reached(folder: &Path) -> BTreeSet<PathBuf> {
    let file = folder.join("kustomization.yaml").canonicalize().unwrap();
    let kustomization = &documents(&fs::read_to_string(&file).unwrap())[0];
    let mut named = strings(&kustomization["resources"]);
    named.extend(strings(&kustomization["components"]));
    let patches = kustomization["patches"].as_array().into_iter().flatten();
    named.extend(patches.filter_map(|patch| patch["path"].as_str()));
    let mut all = BTreeSet::from([file]);
    for name in named {
        let path = folder.join(name).canonicalize();
        let path = path.unwrap_or_else(|error| panic!("{name} in {folder:?}: {error}"));
        match path.is_dir() {
            true => all.extend(reached(&path)),
            false => all.extend([path]),
        }
    }
    all
}

#[test]
fn every_manifest_is_part_of_an_overlay_or_of_a_component() {
    let reached: BTreeSet<_> = OVERLAYS
        .iter()
        .chain(&COMPONENTS)
        .chain(&OF_GATEWAY)
        .chain(&["gateway-api"])
        .flat_map(|overlay| reached(&istio().join(overlay)))
        .collect();
    let manifests: BTreeSet<_> = yaml().into_iter().collect();
    assert_eq!(reached, manifests);
}

#[test]
fn every_component_fits_every_overlay_and_changes_it() {
    let added: [&'static [&'static str]; 4] = [
        &["admission"],
        &["before-1.31"],
        &["image-volume"],
        &["leaf-crl"],
    ];
    assert_eq!(added.concat(), COMPONENTS);
    for overlay in OVERLAYS {
        for component in added {
            let with = Manifests::with(overlay, component);
            assert_ne!(with.all(), Manifests::of(overlay).all(), "{component:?}");
        }
        let validation = |manifests: &Manifests| {
            let ingress = manifests.plugin(&manifests.workload("mcp-ingress"));
            ingress.unwrap().configuration()["certificate"]["validation"].clone()
        };
        assert_eq!(validation(&Manifests::of(overlay)), "required");
        let older = Manifests::with(overlay, &["before-1.31"]);
        assert_eq!(validation(&older), "listener");
    }
}

#[test]
fn rules_for_tools_take_the_place_of_the_plugin_and_its_image() {
    let with = Manifests::with("gateway", &OF_GATEWAY);
    assert_eq!(with.plugins().len(), 0);
    let filter = with.object("EnvoyFilter", "mcp-ingress", "mtls-identity");
    let plugin = filter
        .unwrap()
        .pointer("/spec/configPatches/1/patch/value/typed_config/config");
    let plugin = plugin.unwrap();
    assert_eq!(plugin["allow_on_headers_stop_iteration"], true);
    assert_eq!(plugin["failure_policy"], "FAIL_RELOAD");
    let code = &plugin["vm_config"]["code"]["remote"];
    let of_gateway = Manifests::of("gateway");
    let replaced = of_gateway.plugins().remove(0);
    assert_eq!(code["http_uri"]["uri"], replaced.wasm()["url"]);
    assert_eq!(code["sha256"], replaced.wasm()["sha256"]);
    let text = plugin["configuration"]["value"].as_str().unwrap();
    let configuration = Configuration::parse(text.as_bytes()).unwrap();
    assert!(!configuration.filter.mcp.paths.is_empty());
    // But for its rules it is the configuration of the plugin.
    let text: Value = serde_json::from_str(text).unwrap();
    for key in ["certificate", "headers"] {
        assert_eq!(text[key], replaced.configuration()[key], "{key}");
    }
}

#[test]
fn every_patch_changes_or_deletes_something() {
    for overlay in ["sidecar", "waypoint"] {
        let folder = istio().join(overlay);
        let text = fs::read_to_string(folder.join("kustomization.yaml")).unwrap();
        let kustomization = &documents(&text)[0];
        let rendered = Manifests::of(overlay);
        let before = Manifests::of("gateway");
        for patch in kustomization["patches"].as_array().unwrap() {
            let text = match patch["path"].as_str() {
                Some(path) => fs::read_to_string(folder.join(path)).unwrap(),
                None => patch["patch"].as_str().unwrap().to_owned(),
            };
            for target in documents(&text) {
                let of = |manifests: &Manifests| find(manifests, &target).cloned();
                assert!(of(&before).is_some(), "nothing to patch: {target}");
                assert_ne!(of(&before), of(&rendered), "{target}");
            }
        }
    }
}

/// kubectl applies them one after another, and may stop halfway.
#[test]
fn no_proxy_is_there_before_the_lines_around_its_filter() {
    for overlay in OVERLAYS {
        let text = fs::read_to_string(istio().join(overlay).join("kustomization.yaml")).unwrap();
        assert_eq!(documents(&text)[0]["sortOptions"], order(), "{overlay}");
        let manifests = Manifests::of(overlay);
        let objects = manifests.all().iter();
        let kinds: Vec<_> = objects
            .map(|object| object["kind"].as_str().unwrap())
            .collect();
        let starts = |kind: &&str| ["Gateway", "Deployment"].contains(kind);
        let first = kinds.iter().position(starts).unwrap();
        assert!(kinds[first..].iter().all(starts), "{overlay}: {kinds:?}");
    }
    // An overlay of somebody's own has this order only if it says so.
    let page = fs::read_to_string(istio().join("README.md")).unwrap();
    let block = page
        .split("```yaml\n")
        .find(|block| block.contains("sortOptions"));
    let block = block.unwrap().split("```").next().unwrap();
    assert_eq!(documents(block)[0]["sortOptions"], order());
}

fn find<'a>(manifests: &'a Manifests, wanted: &Value) -> Option<&'a Value> {
    let same =
        |object: &&Value, field: &str| object["metadata"][field] == wanted["metadata"][field];
    let mut objects = manifests.of_kind(wanted["kind"].as_str().unwrap());
    objects.find(|object| same(object, "name") && same(object, "namespace"))
}

#[test]
fn the_image_is_named_in_one_place() {
    let image = fs::read_to_string(istio().join("image/image.yaml")).unwrap();
    let image = &documents(&image)[0]["data"];
    for overlay in OVERLAYS {
        for plugin in Manifests::of(overlay).plugins() {
            assert_eq!(plugin.wasm()["url"], image["url"]);
            assert_eq!(plugin.wasm()["sha256"], image["sha256"]);
        }
        // It is for kustomize alone.
        assert_eq!(Manifests::of(overlay).of_kind("ConfigMap").count(), 0);
    }
}

/// Whoever makes the secrets by the commands in the comments makes what is asked for.
#[test]
fn the_secrets_that_are_asked_for_are_those_of_the_commands() {
    for overlay in OVERLAYS {
        let manifests = Manifests::of(overlay);
        let gateway = manifests.object("Gateway", "mcp-ingress", "mcp-gateway");
        let secret = &gateway.unwrap()["spec"]["servers"][0]["tls"]["credentialName"];
        let secret = secret.as_str().unwrap();
        let text = fs::read_to_string(istio().join("ingress/gateway.yaml")).unwrap();
        assert!(text.contains(&format!(
            "#   kubectl -n mcp-ingress create secret generic {secret} "
        )));
        for key in ["tls.crt", "tls.key", "ca.crt"] {
            assert!(text.contains(&format!("--from-file={key}=")), "{key}");
        }
        let text = fs::read_to_string(istio().join("mcp-gateway/deployment.yaml")).unwrap();
        let deployment = manifests.workload("mcp-gateway").pod;
        let sources = deployment["spec"]["containers"][0]["envFrom"].as_array();
        let [source] = &sources.unwrap()[..] else {
            panic!("{overlay}: {sources:?}");
        };
        let name = source["secretRef"]["name"].as_str().unwrap();
        assert!(text.contains(&format!(
            "#   kubectl -n mcp-system create secret generic {name} --from-env-file=secrets.env"
        )));
        assert!(text.contains("envoy/contextforge/secrets.sh >secrets.env"));
    }
}
