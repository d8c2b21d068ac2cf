//! What a test needs besides itself: an Envoy, the filter, other programs. Each is made ready once per test process.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use serde_json::Value;

/// The root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Envoy of this version, or of the one that `envoy/fetch.sh` takes by itself; fetched if need be.
pub(crate) fn envoy(version: Option<&'static str>) -> PathBuf {
    static FETCHED: Mutex<Option<HashMap<Option<&str>, PathBuf>>> = Mutex::new(None);
    // Held while fetching, so that one test fetches and the others wait. A failure in one is none in another.
    let mut fetched = FETCHED.lock().unwrap_or_else(PoisonError::into_inner);
    let fetched = fetched.get_or_insert_default();
    let path = fetched.entry(version).or_insert_with(|| {
        let mut fetch = Command::new(repository().join("envoy/fetch.sh"));
        PathBuf::from(output(fetch.args(version)).trim())
    });
    path.clone()
}

/// A program of Debian's; fetched if need be.
pub(crate) fn debian(name: &str) -> PathBuf {
    // One at a time, so that no two tests fetch the same.
    static FETCHING: Mutex<()> = Mutex::new(());
    let _fetching = FETCHING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut fetch = Command::new(repository().join("tests/debian.sh"));
    PathBuf::from(output(fetch.arg(name)).trim())
}

/// The filter, built from the sources as they are now.
pub(crate) fn wasm() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let mut build = Command::new(repository().join("wasm-build.sh"));
        let printed = output(&mut build);
        // It also prints size and SHA-256.
        repository().join(printed.lines().next().unwrap())
    })
}

/// The program `mtls-identity`, built from the sources as they are now: the tests are built without the feature that
/// has it.
pub(crate) fn commands() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let arguments =
            "build --quiet --locked --features cli --bin mtls-identity --message-format json";
        let messages = output(Command::new(env!("CARGO")).args(arguments.split(' ')));
        let executable = messages.lines().find_map(|line| {
            let message: Value = serde_json::from_str(line).unwrap();
            message["executable"].as_str().map(PathBuf::from)
        });
        executable.expect("cargo says where it put the program")
    })
}

/// The rate limit service, built into a folder of its own: see its `Cargo.toml`.
pub(crate) fn limit_service() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = repository().join("target/limit-service");
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--quiet", "--locked"])
            .args(["--manifest-path", "tests/limit-service/Cargo.toml"])
            .arg("--target-dir")
            .arg(&folder);
        output(&mut build);
        folder.join("debug/limit-service")
    })
}

/// What a script of the repository prints; it must succeed.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command
        .current_dir(repository())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}
