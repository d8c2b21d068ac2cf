//! What a caller does for a while: a loop of forged requests, and an answer that does not end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::caller::{Caller, FORGED, assert_is, assert_refused};
use crate::harness::answer::Answer;

impl Caller {
    /// Begins a request whose answer is written into this file, as far as it has come.
    pub(crate) fn begin(&self, into: &Path) -> Answering {
        let mut command = self.curls();
        // These count in the place of the former ones.
        command.args(["-N", "-m", "600", self.url()]);
        command.stdout(File::create(into).unwrap());
        Answering {
            program: command.spawn().unwrap(),
            into: into.to_owned(),
        }
    }

    /// Asks with forged headers until it is told to stop.
    pub(crate) fn forging(&self) -> Forger {
        let stop = Arc::new(AtomicBool::new(false));
        let (caller, stopped) = (self.clone(), Arc::clone(&stop));
        let asking = std::thread::spawn(move || {
            let mut answers = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                answers.push(caller.get_with(&FORGED));
            }
            answers
        });
        Forger {
            stop,
            asking: Some(asking),
        }
    }
}

/// An answer that is still to end.
pub(crate) struct Answering {
    program: Child,
    into: PathBuf,
}

impl Answering {
    /// The bytes that have come.
    pub(crate) fn size(&self) -> u64 {
        fs::metadata(&self.into).map_or(0, |file| file.len())
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.program.try_wait().unwrap().is_some()
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// A loop of forged requests.
pub(crate) struct Forger {
    stop: Arc<AtomicBool>,
    asking: Option<JoinHandle<Vec<Answer>>>,
}

/// Also when the test has failed in the meantime.
impl Drop for Forger {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

impl Forger {
    /// Ends the loop. Each request was refused, or its client was who it is; how many there were.
    pub(crate) fn was_always(self, user: &str) -> usize {
        let answers = self.answers();
        for answer in &answers {
            if answer.status == 200 {
                assert_is(answer, user);
            }
        }
        answers.len()
    }

    /// Ends the loop. No request reached the MCP gateway.
    pub(crate) fn was_refused(self) {
        self.answers().iter().for_each(assert_refused);
    }

    fn answers(mut self) -> Vec<Answer> {
        self.stop.store(true, Ordering::Relaxed);
        let answers = self.asking.take().unwrap().join().unwrap();
        assert!(!answers.is_empty());
        answers
    }
}
