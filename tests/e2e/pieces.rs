//! `envoy/PIECES.md`: its pieces are those of `envoy.yaml`, so that nobody copies what is not tested.

use std::fs;

use crate::harness::artifacts::repository;

/// Text without indentation and comments.
fn bare(text: &str) -> Vec<String> {
    let lines = text
        .lines()
        .map(|line| line.split(" #").next().unwrap_or_default().trim());
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

#[test]
fn each_piece_stands_in_envoy_yaml_as_it_is() {
    let read = |name: &str| fs::read_to_string(repository().join(name)).unwrap();
    let shipped = bare(&read("envoy/envoy.yaml"));
    let page = read("envoy/PIECES.md");
    let pieces: Vec<_> = page.split("```yaml\n").skip(1).collect();
    assert!(pieces.len() >= 6, "{}", pieces.len());
    for piece in pieces {
        let piece = bare(piece.split("```").next().unwrap());
        let found = shipped.windows(piece.len()).any(|window| window == piece);
        assert!(found, "{}", piece.join("\n"));
    }
}
