//! Requests that go on while something is changed.

use std::cell::Cell;
use std::rc::Rc;

use tokio::task::JoinHandle;

use crate::harness::answer::Answer;
use crate::harness::client::Client;
use crate::harness::{PATIENCE, eventually};

/// How long a client keeps a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeping {
    /// As long as Envoy does.
    Open,
    /// For one request.
    Closing,
}

/// Clients at work, until [`Load::end`].
pub(crate) struct Load {
    ended: Rc<Cell<bool>>,
    clients: Vec<Working>,
}

struct Working {
    answered: Rc<Cell<u64>>,
    task: JoinHandle<Vec<(&'static str, Answer)>>,
}

impl Load {
    /// Each client asks for these paths, one after the other, again and again. A request without an answer fails
    /// the test. Must run inside a `LocalSet`.
    pub(crate) fn of(clients: Vec<(Client, Keeping)>, paths: &'static [&'static str]) -> Self {
        let ended = Rc::new(Cell::new(false));
        let start = |(client, keeping)| {
            let (answered, ended) = (Rc::new(Cell::new(0)), ended.clone());
            let progress = answered.clone();
            let task = async move { work(&client, keeping, paths, &progress, &ended).await };
            Working {
                answered,
                task: tokio::task::spawn_local(task),
            }
        };
        Self {
            clients: clients.into_iter().map(start).collect(),
            ended: ended.clone(),
        }
    }

    /// Returns when every client has had this many answers more.
    pub(crate) async fn goes_on(&self, answers: u64) {
        for client in &self.clients {
            let goal = client.answered.get() + answers;
            eventually("the load goes on", PATIENCE, async || {
                let is_over = client.task.is_finished();
                (is_over || client.answered.get() >= goal).then_some(())
            })
            .await;
        }
    }

    /// Path and answer of every request, client by client.
    pub(crate) async fn end(self) -> Vec<Vec<(&'static str, Answer)>> {
        self.ended.set(true);
        let mut answers = Vec::new();
        for client in self.clients {
            answers.push(client.task.await.unwrap());
        }
        answers
    }
}

async fn work(
    client: &Client,
    keeping: Keeping,
    paths: &'static [&'static str],
    answered: &Cell<u64>,
    ended: &Cell<bool>,
) -> Vec<(&'static str, Answer)> {
    let mut answers = Vec::new();
    let mut connection = client.connect().await.unwrap();
    while !ended.get() {
        for path in paths {
            let answer = match connection.get(path).await {
                // Envoy has ended the connection between two requests, as it may: this one was not sent.
                Err(refused) if format!("{refused:?}").contains("channel closed") => {
                    connection = client.connect().await.unwrap();
                    connection.get(path).await.unwrap()
                }
                outcome => outcome.unwrap(),
            };
            let closing = answer.header("connection") == ["close"];
            answers.push((*path, answer));
            answered.set(answered.get() + 1);
            if closing || keeping == Keeping::Closing {
                connection = client.connect().await.unwrap();
            }
        }
    }
    answers
}
