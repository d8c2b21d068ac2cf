//! The house of rooms: the folders of `src/`, as the README describes them under "Structure".

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// More files than this in one folder are two rooms.
const MAXIMUM_FILES: usize = 9;

const MAXIMUM_LINES: usize = 400;

/// The source by file, and the file of each module.
struct House {
    files: BTreeMap<String, String>,
    modules: BTreeMap<Vec<String>, String>,
}

impl House {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut files = BTreeMap::new();
        add_files(root, "src", &mut files);
        let mut modules = BTreeMap::new();
        for file in files.keys().filter(|file| *file != "src/main.rs") {
            modules.insert(module_of(file), file.clone());
        }
        Self { files, modules }
    }

    /// The files that a file imports: by `crate::`, `super::` and, in a front door, by the name of a room or file in it.
    fn imports(&self, file: &str) -> BTreeSet<&str> {
        let code = code_of(&self.files[file]);
        let module = module_of(file);
        let parent = &module[..module.len().saturating_sub(1)];
        let mut bases = vec![
            ("crate", vec![]),
            ("mtls_identity", vec![]),
            ("super", parent.to_vec()),
        ];
        if !self.modules.contains_key(&module) || is_front_door(file) {
            let children = self.modules.keys().filter(|it| !it.is_empty());
            let children = children.filter(|it| it[..it.len() - 1] == module);
            bases.extend(children.map(|it| (it.last().unwrap().as_str(), it.clone())));
        }
        let mut imported = BTreeSet::new();
        for (name, base) in bases {
            for path in paths_behind(&code, name) {
                let mut whole = base.clone();
                for name in path {
                    match name.as_str() {
                        "super" => drop(whole.pop()),
                        _ => whole.push(name),
                    }
                }
                imported.insert(self.file_of(&whole));
            }
        }
        imported.remove(file);
        imported
    }

    /// The file in which a path is first looked for.
    fn file_of(&self, path: &[String]) -> &str {
        let prefixes = (0..=path.len()).rev().map(|length| &path[..length]);
        let mut files = prefixes.filter_map(|prefix| self.modules.get(prefix));
        files.next().expect("src/lib.rs")
    }
}

fn add_files(root: &Path, folder: &str, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            add_files(root, &name, files);
        } else if name.ends_with(".rs") {
            files.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
}

fn is_front_door(file: &str) -> bool {
    file.ends_with("/mod.rs") || file == "src/main.rs"
}

fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_start_matches("src/").trim_end_matches(".rs");
    let names = path.split('/').map(str::to_owned);
    names
        .filter(|name| !["mod", "lib", "main"].contains(&name.as_str()))
        .collect()
}

/// The folder directly in `src/` that a file is in.
fn room_of(file: &str) -> Option<&str> {
    let (room, _) = file.strip_prefix("src/")?.split_once('/')?;
    Some(room)
}

/// The source without comments, and without the tests, which may ask whom they like.
fn code_of(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod tests").next().unwrap();
    let lines = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    // The scope of `pub(in crate::…)` is no import.
    lines
        .collect::<Vec<_>>()
        .join("\n")
        .replace("(in crate", "(")
}

/// The paths that stand behind `name::`, of a list in braces one for each entry.
fn paths_behind(code: &str, name: &str) -> Vec<Vec<String>> {
    let begins = format!("{name}::");
    let is_of_a_name = |it: char| it.is_alphanumeric() || it == '_' || it == ':';
    let places = code.match_indices(&begins);
    let places = places.filter(|(place, _)| !code[..*place].ends_with(is_of_a_name));
    places
        .flat_map(|(place, _)| paths(&code[place + begins.len()..]))
        .collect()
}

fn paths(text: &str) -> Vec<Vec<String>> {
    if let Some(list) = text.strip_prefix('{') {
        let (list, _) = list.split_once('}').unwrap();
        assert!(!list.contains('{'), "a list in a list: {list}");
        return list.split(',').flat_map(|it| paths(it.trim())).collect();
    }
    let end = text.find(|it: char| !it.is_alphanumeric() && it != '_');
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let behind = rest.strip_prefix("::").map_or(vec![vec![]], paths);
    let with_name = |path: Vec<String>| [vec![name.to_owned()], path].concat();
    behind.into_iter().map(with_name).collect()
}

#[test]
fn a_room_has_a_front_door_that_says_what_it_is_for_and_few_files_behind_it() {
    let mut rooms: BTreeMap<String, usize> = BTreeMap::new();
    let house = House::read();
    for file in house.files.keys() {
        let (folder, _) = file.rsplit_once('/').unwrap();
        *rooms.entry(folder.to_owned()).or_default() += usize::from(!is_front_door(file));
    }
    assert!(rooms.len() > 10, "{rooms:?}");
    for (folder, files) in rooms {
        assert!(files <= MAXIMUM_FILES, "{folder} has {files} files");
        let door = if folder == "src" { "lib.rs" } else { "mod.rs" };
        let door = house.files.get(&format!("{folder}/{door}"));
        let says = door.is_some_and(|it| it.starts_with("//! "));
        assert!(says, "{folder}: no line at the front door");
    }
}

#[test]
fn no_file_is_too_long_to_be_read() {
    for (file, source) in House::read().files {
        let lines = source.lines().count();
        assert!(lines <= MAXIMUM_LINES, "{file} has {lines} lines");
    }
}

#[test]
fn no_files_import_each_other() {
    let house = House::read();
    let files = house.files.keys();
    let mut imports: BTreeMap<_, _> = files
        .map(|file| (file.as_str(), house.imports(file)))
        .collect();
    let count: usize = imports.values().map(BTreeSet::len).sum();
    assert!(count > house.files.len(), "{count} imports were found");
    // A file that imports none of the others is in no circle, and neither is one that none of the others imports.
    loop {
        let left: BTreeSet<_> = imports.keys().copied().collect();
        let imported: BTreeSet<_> = imports.values().flatten().copied().collect();
        for of_file in imports.values_mut() {
            of_file.retain(|it| left.contains(it));
        }
        imports.retain(|file, of_file| !of_file.is_empty() && imported.contains(file));
        if imports.len() == left.len() {
            break;
        }
    }
    assert!(imports.is_empty(), "circles: {imports:#?}");
}

#[test]
fn a_room_imports_only_from_rooms_above_it_in_the_readme() {
    let readme = include_str!("../../README.md");
    let rows = readme.lines().filter_map(|line| {
        let (room, _) = line.strip_prefix("| [`")?.split_once("/`](src/")?;
        Some(room)
    });
    let rooms: Vec<_> = rows.collect();
    let house = House::read();
    let place = |file: &str| {
        let room = room_of(file)?;
        let place = rooms.iter().position(|it| *it == room);
        Some(place.unwrap_or_else(|| panic!("{room} is not in the README")))
    };
    for file in house.files.keys() {
        for imported in house.imports(file) {
            if let (Some(own), Some(other)) = (place(file), place(imported)) {
                assert!(other <= own, "{file} imports {imported}");
            }
        }
    }
}
