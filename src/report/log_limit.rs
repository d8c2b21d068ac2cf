//! What keeps a flood of denials from becoming a flood of log lines.

use crate::certificate::Timestamp;

/// How many lines one worker writes in a second.
pub const LINES_A_SECOND: u32 = 5;

/// Lines of one worker in the current second, and what was not written.
#[derive(Clone, Copy, Debug)]
pub struct LogLimit {
    second: Timestamp,
    lines: u32,
    suppressed: u64,
}

impl Default for LogLimit {
    fn default() -> Self {
        Self {
            second: Timestamp::from_unix(0),
            lines: 0,
            suppressed: 0,
        }
    }
}

impl LogLimit {
    /// Whether one more line may be written now; if not, it is counted.
    pub fn admits(&mut self, now: Timestamp) -> bool {
        if self.second != now {
            self.second = now;
            self.lines = 0;
        }
        if self.lines < LINES_A_SECOND {
            self.lines += 1;
            return true;
        }
        self.suppressed += 1;
        false
    }

    /// How many lines were not written since the last time this was asked.
    pub fn take_suppressed(&mut self) -> u64 {
        std::mem::take(&mut self.suppressed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_to_a_few_lines_a_second_and_counted() {
        let mut gate = LogLimit::default();
        let mut written = 0;
        for second in [100, 101, 101, 103] {
            let now = Timestamp::from_unix(second);
            written += (0..1000).filter(|_| gate.admits(now)).count();
        }
        assert_eq!(written, 3 * LINES_A_SECOND as usize);
        assert_eq!(gate.take_suppressed(), 4000 - 15);
        assert_eq!(gate.take_suppressed(), 0);
    }
}
