//! The Markdown pages of the repository: what they point at is there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::artifacts::{output, repository};

/// The sections of the guide that `envoy/GATEWAY.md` says where to find.
const GUIDE: [&str; 36] = [
    "Overview",
    "Current Status",
    "Architecture",
    "Quick Start",
    "Option 1: Docker Compose with Nginx mTLS",
    "Option 2: Caddy with mTLS",
    "Production Configuration",
    "Enterprise PKI Integration",
    "Kubernetes Deployment Options",
    "Option 1: Helm Chart with TLS Ingress",
    "Option 2: Kubernetes with Istio mTLS",
    "HAProxy with mTLS",
    "Certificate Management",
    "Certificate Generation Scripts",
    "Certificate Rotation",
    "mTLS for External MCP Plugins",
    "1. Issue Certificates for the Remote Plugin",
    "2. Protect the Remote Plugin with mTLS",
    "3. Mount Certificates into the Gateway",
    "4. Configure the Plugin Entry",
    "Security Best Practices",
    "1. Certificate Validation",
    "2. Certificate Pinning",
    "3. Audit Logging",
    "4. Rate Limiting by Certificate",
    "Monitoring & Troubleshooting",
    "Health Checks",
    "Common Issues",
    "Debug Logging",
    "Migration Path",
    "From JWT to mTLS",
    "Helm Chart Configuration",
    "Key Security Settings in values.yaml",
    "Deploying with Helm and mTLS",
    "Future Native mTLS Support",
    "Related Documentation",
];

/// Every page that git does not ignore, from the root.
fn pages() -> Vec<PathBuf> {
    let all = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let listed = output(Command::new("git").args(all).arg("*.md"));
    listed.lines().map(PathBuf::from).collect()
}

fn read(page: &Path) -> String {
    fs::read_to_string(repository().join(page)).unwrap()
}

/// The lines that are no code.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let parts = page.split("\n```").step_by(2);
    // A block ends with its fence: what is left of that line is empty.
    parts.flat_map(str::lines)
}

/// The targets of the links in a line.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let behind = line.split("](").skip(1);
    behind.filter_map(|rest| rest.split(')').next())
}

/// What a link calls this heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept
        .chars()
        .filter(|it| it.is_alphanumeric() || " -_".contains(*it));
    kept.collect::<String>().replace(' ', "-")
}

fn has_heading(page: &str, wanted: &str) -> bool {
    let headings = prose(page).filter(|line| line.starts_with('#'));
    let mut anchors = headings.map(|line| anchor(line.trim_start_matches('#').trim()));
    anchors.any(|found| found == wanted)
}

/// Whether a link of this page leads to a file or folder of the repository, and to a heading that is in it.
fn leads_somewhere(page: &Path, link: &str) -> bool {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.to_owned(),
        file => page.parent().unwrap().join(file),
    };
    let target = repository().join(target);
    target.exists()
        && (heading.is_empty() || has_heading(&fs::read_to_string(target).unwrap(), heading))
}

#[test]
fn every_link_of_every_page_leads_to_what_is_there() {
    let pages = pages();
    assert!(pages.len() >= 8, "{pages:?}");
    let mut followed = 0;
    for page in &pages {
        let text = read(page);
        let inside = |link: &&str| !link.starts_with("https://");
        for link in prose(&text).flat_map(links).filter(inside) {
            assert!(leads_somewhere(page, link), "{page:?}: {link}");
            followed += 1;
        }
    }
    assert!(followed >= 60, "{followed}");
    let readme = Path::new("README.md");
    for dead in ["envoy/none.yaml", "#none", "envoy/GATEWAY.md#none"] {
        assert!(!leads_somewhere(readme, dead), "{dead}");
    }
    assert!(leads_somewhere(readme, "envoy/GATEWAY.md#what-it-needs"));
}

/// The rows of the table: what the guide calls it, and what is here.
fn rows(page: &str) -> Vec<(&str, &str)> {
    let (_, table) = page
        .split_once("| in the guide | here |\n|---|---|\n")
        .unwrap();
    let rows = table.lines().take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split_once(" | ").unwrap())
        .map(|(guide, here)| (guide.trim(), here.trim()))
        .collect()
}

#[test]
fn every_section_of_the_guide_has_its_row_and_every_row_its_file() {
    let page = read(Path::new("envoy/GATEWAY.md"));
    let rows = rows(&page);
    let found = rows.iter().map(|(guide, _)| *guide);
    let found: Vec<_> = found.filter(|guide| !guide.starts_with('–')).collect();
    assert_eq!(found, GUIDE);
    for (guide, here) in rows {
        assert!(links(here).next().is_some(), "{guide}: {here}");
    }
}
