//! What the pages of `istio/` tell the reader to write.

use std::fs;
use std::process::Command;

use mtls_identity::config::Configuration;
use serde_json::json;

use crate::manifests::{Manifests, documents, output, repository};

fn page(name: &str) -> String {
    fs::read_to_string(repository().join("istio").join(name)).unwrap()
}

/// The code of the first block of this language that contains this.
fn block(page: &str, language: &str, part: &str) -> String {
    let fence = format!("```{language}\n");
    let blocks = page.split(&fence).skip(1);
    let mut blocks = blocks.filter_map(|rest| rest.split("```").next());
    let found = blocks.find(|block| block.contains(part));
    found.unwrap_or_else(|| panic!("no {part}")).to_owned()
}

#[test]
fn the_overlay_that_observes_is_rendered_and_loaded() {
    let text = block(&page("FROM-LUA.md"), "yaml", "observe");
    fs::create_dir_all(repository().join("target")).unwrap();
    // Beside the folder that it names.
    let folder = tempfile::tempdir_in(repository().join("target")).unwrap();
    let text = text.replace("../mtls-identity/istio", "../../istio");
    fs::write(folder.path().join("kustomization.yaml"), text).unwrap();
    let kubectl = output(&mut Command::new(
        repository().join("tests/istio/kubectl.sh"),
    ));
    let rendered = output(
        Command::new(kubectl.trim())
            .arg("kustomize")
            .arg(folder.path()),
    );
    let plugins = Manifests::from(documents(&rendered)).plugins();
    assert_eq!(plugins.len(), 2);
    for plugin in plugins {
        let configuration = plugin.configuration();
        assert_eq!(configuration["audit"], json!({"log": "all"}));
        let text = configuration.to_string();
        let loaded = Configuration::parse(text.as_bytes()).unwrap();
        // The shipped rules stay in force: they say who is nobody's user.
        let observed = &configuration["observe"];
        assert_eq!(*observed, json!(["pins", "rate_limit"]));
        assert_eq!(loaded.filter.policy.observe.len(), 2);
    }
}

#[test]
fn every_folder_that_a_page_applies_is_an_overlay() {
    for name in ["README.md", "FROM-LUA.md"] {
        let page = page(name);
        let applied = page.split("kubectl apply -k ").skip(1);
        for folder in applied.filter_map(|rest| rest.split(['`', ' ', '\n']).next()) {
            let file = repository().join(folder).join("kustomization.yaml");
            assert!(file.exists(), "{folder}");
        }
    }
}

/// The page's own command, and the names that nobody can keep.
#[test]
fn every_file_with_a_name_to_change_is_found_by_one_word() {
    assert!(page("README.md").contains("grep -rni 'change:' istio --include='*.yaml'"));
    let names = [
        "mcp.example.com",
        "ns/agents/",
        "agents.example.com",
        "name: agents }",
    ];
    let mut found = 0;
    for file in crate::files::yaml() {
        let text = fs::read_to_string(&file).unwrap();
        if names.iter().any(|name| text.contains(name)) {
            let marked = text.to_ascii_lowercase().contains("change:");
            assert!(marked, "{file:?}");
            found += 1;
        }
    }
    assert!(found >= 8, "{found}");
}

/// Whoever looks for what to change finds it by this word.
#[test]
fn what_is_to_be_changed_is_marked_where_it_stands() {
    for (file, part) in [
        ("ingress/gateway.yaml", "the host"),
        ("ingress/virtual-service.yaml", "the host"),
        ("sidecar/callers.yaml", "the namespace of the agents"),
        ("sidecar/network-policy.yaml", "namespace"),
        ("sidecar/wasm-plugin.yaml", "the trust domain"),
        ("waypoint/wasm-plugin.yaml", "the domain"),
        ("mcp-gateway/deployment.yaml", "the database"),
        ("image/image.yaml", "both"),
    ] {
        let text = page(file).to_ascii_lowercase();
        let mut marks = text.lines().filter(|line| line.contains("change"));
        assert!(marks.any(|line| line.contains(part)), "{file}: {part}");
    }
}
