//! Network namespaces on one bridge, and the programs that run in them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::harness::process::Process;

/// Where the cluster's own programs listen.
pub(crate) const HUB: &str = "10.77.0.1";

/// All namespaces of one world. They and all that runs in them end with this value.
pub(crate) struct Network {
    prefix: String,
    folder: PathBuf,
    hub: Namespace,
    count: AtomicU32,
    names: Mutex<BTreeMap<String, String>>,
}

/// One of them, with its address.
#[derive(Clone, Debug)]
pub(crate) struct Namespace {
    pub(crate) name: String,
    pub(crate) address: String,
}

/// A program that runs until its value is dropped.
#[derive(Default)]
pub(crate) struct Launch {
    pub(crate) command: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) folder: Option<PathBuf>,
    /// In place of root.
    pub(crate) user: Option<u32>,
    /// A folder, and the path at which the program sees it.
    pub(crate) mounts: Vec<(PathBuf, PathBuf)>,
    /// A folder that becomes the program's root: this machine's folders, but for /var, and the mounts. So a mount needs no
    /// folder on the machine's own root.
    pub(crate) root: Option<PathBuf>,
}

impl Network {
    /// The hub alone; logs are written into this folder.
    pub(crate) fn new(folder: &Path) -> Self {
        static WORLDS: AtomicU32 = AtomicU32::new(0);
        remove_orphans();
        let world = WORLDS.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("mesh-{}-{world}", std::process::id());
        let hub = Namespace {
            name: format!("{prefix}-hub"),
            address: HUB.to_owned(),
        };
        let network = Self {
            prefix,
            folder: folder.to_owned(),
            hub,
            count: AtomicU32::new(1),
            names: Mutex::default(),
        };
        let hub = &network.hub.name;
        ip(&format!("netns add {hub}"));
        for command in [
            "link add br0 type bridge",
            "addr add 10.77.0.1/24 dev br0",
            "link set br0 up",
            "link set lo up",
        ] {
            ip(&format!("-n {hub} {command}"));
        }
        network.write_hosts(hub);
        network
    }

    pub(crate) fn hub(&self) -> &Namespace {
        &self.hub
    }

    /// A new namespace on the bridge. Nothing leads out of it.
    pub(crate) fn add(&self, name: &str) -> Namespace {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let (hub, address) = (&self.hub.name, format!("10.77.0.{number}"));
        let name = format!("{}-{name}", self.prefix);
        self.write_hosts(&name);
        ip(&format!("netns add {name}"));
        ip(&format!(
            "-n {hub} link add v{number} type veth peer name eth0 netns {name}"
        ));
        ip(&format!("-n {hub} link set v{number} master br0 up"));
        for command in [
            "link set lo up".to_owned(),
            format!("addr add {address}/24 dev eth0"),
            "link set eth0 up".to_owned(),
            format!("route add default via {HUB}"),
        ] {
            ip(&format!("-n {name} {command}"));
        }
        Namespace { name, address }
    }

    /// Each of these names is this address, for every namespace.
    pub(crate) fn resolve(&self, address: &str, names: &[String]) {
        {
            let mut known = self.names.lock().unwrap();
            known.extend(names.iter().map(|name| (name.clone(), address.to_owned())));
        }
        for name in self.namespaces() {
            self.write_hosts(&name);
        }
    }

    fn namespaces(&self) -> Vec<String> {
        namespaces(|name| name.starts_with(&format!("{}-", self.prefix)))
    }

    /// In place: what runs sees the file through a mount.
    fn write_hosts(&self, namespace: &str) {
        let folder = Path::new("/etc/netns").join(namespace);
        fs::create_dir_all(&folder).unwrap();
        let mut hosts = "127.0.0.1 localhost\n".to_owned();
        for (name, address) in self.names.lock().unwrap().iter() {
            writeln!(hosts, "{address} {name}").unwrap();
        }
        fs::write(folder.join("hosts"), hosts).unwrap();
        fs::write(folder.join("resolv.conf"), "nameserver 127.0.0.9\n").unwrap();
    }

    /// Its output is FOLDER/NAMESPACE-WHAT.log.
    pub(crate) async fn spawn(
        &self,
        what: &'static str,
        namespace: &Namespace,
        launch: Launch,
    ) -> Process {
        let log = self.folder.join(format!("{}-{what}.log", namespace.name));
        let command = launch.command_in(namespace, &log);
        Process::spawn(what, command, log).await
    }

    /// The log of a program that was spawned so.
    pub(crate) fn log(&self, what: &str, namespace: &Namespace) -> String {
        let log = self.folder.join(format!("{}-{what}.log", namespace.name));
        fs::read_to_string(log).unwrap_or_default()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.namespaces().iter().for_each(|name| remove(name));
    }
}

/// Ends what runs there, by its own id, and removes the namespace.
fn remove(name: &str) {
    end_all(name);
    // It may be gone already; what counts is that it is.
    let _ = run(Command::new("ip").args(["netns", "del", name]));
    let _ = fs::remove_dir_all(Path::new("/etc/netns").join(name));
}

fn end_all(name: &str) {
    let pids = run(Command::new("ip").args(["netns", "pids", name]));
    for pid in String::from_utf8_lossy(&pids.stdout).lines() {
        // It may end by itself in the meantime.
        let _ = run(Command::new("kill").args(["-s", "KILL", pid]));
    }
}

/// What test processes have left that were killed.
fn remove_orphans() {
    let is_orphan = |name: &str| {
        let owner = name
            .strip_prefix("mesh-")
            .and_then(|rest| rest.split('-').next());
        owner
            .is_some_and(|pid| pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists())
    };
    namespaces(is_orphan).iter().for_each(|name| remove(name));
}

fn namespaces(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let listed = run(Command::new("ip").args(["netns", "list"]));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let names = listed.lines().filter_map(|line| line.split(' ').next());
    names
        .filter(|name| wanted(name))
        .map(str::to_owned)
        .collect()
}

impl Namespace {
    /// This program in this namespace.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Ends everything that runs here.
    pub(crate) fn end_all(&self) {
        end_all(&self.name);
    }
}

impl Launch {
    /// `ip netns exec` gives each program mounts of its own, so that each can have its folder at a path that is fixed in
    /// it. It ends with the thread of the tests that starts processes, also when nobody drops its value.
    fn command_in(self, namespace: &Namespace, log: &Path) -> Command {
        let mut script = "set -e\n".to_owned();
        let root = self.root.as_deref().map(Path::to_str).map(Option::unwrap);
        if let Some(root) = root {
            script.push_str(&ROOT.replace("ROOT", root));
        }
        for (folder, path) in &self.mounts {
            let [folder, path] = [folder, path].map(|path| path.to_str().unwrap());
            let at = format!("{}{path}", root.unwrap_or_default());
            writeln!(script, "mkdir -p {at}\nmount --bind {folder} {at}").unwrap();
        }
        let log = log.to_str().unwrap();
        if let Some(user) = self.user {
            // Envoy opens /dev/stdout once more, for its access log.
            writeln!(script, "chown {user} {log}").unwrap();
        }
        let inside = root.map_or_else(String::new, |root| format!("chroot {root} "));
        write!(
            script,
            "exec {inside}setpriv --pdeathsig KILL \"$@\" >>{log} 2>&1"
        )
        .unwrap();
        let mut command = namespace.command("sh");
        command.args(["-c", &script, "sh"]);
        if let Some(user) = self.user {
            let [user, group] = ["reuid", "regid"].map(|id| format!("--{id}={user}"));
            command.args([&user, &group, "--clear-groups"]);
        }
        command.args(&self.command).envs(&self.environment);
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        command
    }
}

/// Makes ROOT a root.
const ROOT: &str = "mkdir -p ROOT
mount -t tmpfs none ROOT
for entry in /*; do
  if [ -L \"$entry\" ]; then cp -P \"$entry\" ROOT/
  elif [ -d \"$entry\" ] && [ \"$entry\" != /var ]; then mkdir \"ROOT$entry\"; mount --rbind \"$entry\" \"ROOT$entry\"
  fi
done
";

/// ip(8), which must succeed.
fn ip(arguments: &str) {
    succeed(Command::new("ip").args(arguments.split(' ')));
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// What it prints; it must succeed.
pub(crate) fn succeed(command: &mut Command) -> String {
    match outcome(command) {
        Ok(printed) => printed,
        Err(error) => panic!("{command:?}: {error}"),
    }
}

/// What it prints, or what it prints of its failure.
pub(crate) fn outcome(command: &mut Command) -> Result<String, String> {
    let output = run(command);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(format!("{}{}", text(&output.stdout), text(&output.stderr))),
    }
}
