//! A child process that ends with its value.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{LazyLock, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;

const TAIL: usize = 40;

/// A child whose standard error is a log.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// The end of the log is printed, under this name, when a test fails.
    pub(crate) async fn spawn(name: &'static str, mut command: Command, log: PathBuf) -> Self {
        command.stderr(File::create(&log).unwrap());
        match spawn_from_lasting_thread(command).await {
            Ok(child) => Self { name, child, log },
            Err(error) => panic!("{name} does not start: {error}"),
        }
    }

    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Where its log is.
    pub(crate) fn log_path(&self) -> &Path {
        &self.log
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.log).unwrap()).into_owned()
    }

    /// Sends it a signal of signal(7), named without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.unwrap().success(), "{kill}");
    }

    /// `VmRSS` of proc(5), in bytes.
    pub(crate) fn resident_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.unwrap().trim().strip_suffix(" kB").unwrap();
        kib.parse::<u64>().unwrap() * 1024
    }

    /// Its mappings as in proc(5): where from, where to, and which permissions.
    pub(crate) fn mappings(&self) -> Vec<(u64, u64, String)> {
        let maps = fs::read_to_string(format!("/proc/{}/maps", self.child.id())).unwrap();
        let mapping = |line: &str| {
            let mut fields = line.split(' ');
            let (from, to) = fields.next()?.split_once('-')?;
            let address = |text| u64::from_str_radix(text, 16).ok();
            Some((address(from)?, address(to)?, fields.next()?.to_owned()))
        };
        maps.lines().map(|line| mapping(line).unwrap()).collect()
    }

    fn print_tail(&self) {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let tail = &lines[lines.len().saturating_sub(TAIL)..];
        eprintln!(
            "--- the end of {}'s log\n{}\n---",
            self.name,
            tail.join("\n")
        );
    }

    /// The CPU time of all threads so far.
    pub(crate) fn cpu_time(&self) -> Duration {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).unwrap();
        let of_thread = |thread: io::Result<fs::DirEntry>| {
            let statistics = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            statistics.split(' ').next()?.parse::<u64>().ok()
        };
        Duration::from_nanos(threads.filter_map(of_thread).sum())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.print_tail();
        }
        // It may have ended by itself; what counts is that it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

type Order = (Command, oneshot::Sender<io::Result<Child>>);

/// Envoy asks the kernel to end it with the thread that started it, and a test's thread may end early.
async fn spawn_from_lasting_thread(command: Command) -> io::Result<Child> {
    static LAUNCHER: LazyLock<mpsc::Sender<Order>> = LazyLock::new(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, started) in orders {
                // A test that no longer waits has no use for the child.
                if let Err(Ok(mut child)) = started.send(command.spawn()) {
                    let _ = child.kill();
                    let _ = child.wait();
                }
            }
        });
        sender
    });
    let (started, child) = oneshot::channel();
    LAUNCHER.send((command, started)).unwrap();
    child.await.unwrap()
}
