//! What became of a visitor.

use serde_json::Value;

use crate::harness::answer::Answer;
use crate::harness::gateway::{Received, USER};
use crate::visitor::{ADMIN, FORGED};

pub(crate) enum Outcome {
    /// No handshake, or no answer.
    Refused,
    /// An answer, and not the gateway's.
    Answered {
        status: u16,
        reason: Option<String>,
    },
    Arrived(Received),
}

impl Outcome {
    pub(crate) fn of(answer: &Answer, received: Option<&Received>) -> Self {
        if let Some(received) = received {
            return Self::Arrived(received.clone());
        }
        let problem: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let reason = problem.and_then(|problem| Some(problem["reason"].as_str()?.to_owned()));
        Self::Answered {
            status: answer.status,
            reason,
        }
    }

    /// In Markdown; bold where the gateway heard what it should not.
    pub(crate) fn cell(&self, anybody_is_wrong: bool) -> String {
        match self {
            Self::Refused => "refused".to_owned(),
            Self::Answered { status, reason } => match reason {
                Some(reason) => format!("{status} `{reason}`"),
                None => status.to_string(),
            },
            Self::Arrived(received) => arrived(received, anybody_is_wrong),
        }
    }
}

fn arrived(received: &Received, anybody_is_wrong: bool) -> String {
    let users = received.values(USER);
    let forged = forged_elsewhere(received);
    let wrong = |user: &&str| anybody_is_wrong || *user == ADMIN || user.contains(FORGED);
    let is_wrong = users.iter().any(wrong) || !forged.is_empty();
    let mut said: Vec<_> = users.iter().map(|user| code(user)).collect();
    if said.is_empty() {
        said.push("nobody".to_owned());
    }
    said.extend(forged);
    let said = said.join(", ");
    if is_wrong {
        format!("**{said}**")
    } else {
        said
    }
}

/// A forged value under another name than the user's.
fn forged_elsewhere(received: &Received) -> Vec<String> {
    let headers = received.headers.iter().map(|header| ("", header));
    let trailers = received
        .trailers
        .iter()
        .map(|trailer| ("trailer ", trailer));
    let all = headers.chain(trailers);
    let forged = all.filter(|(place, (name, value))| {
        value.contains(FORGED) && (!place.is_empty() || name != USER)
    });
    forged
        .map(|(place, (name, value))| format!("{place}`{name}: {value}`"))
        .collect()
}

/// Whatever it contains, on one line.
fn code(value: &str) -> String {
    match value {
        "" => "an empty name".to_owned(),
        value => format!("`{}`", value.replace(char::is_control, "\u{fffd}")),
    }
}
