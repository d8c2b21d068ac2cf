//! ContextForge, started as the demonstration starts it, and its own record of who asked for what.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use crate::harness::artifacts::output;
use crate::harness::server::Server;
use crate::harness::{PATIENCE, eventually};
use crate::python::{fetched, program, python};
use crate::settings;

/// Every decision about a permission, as the gateway entered it in its database.
const DECISIONS: &str = "
import json, sqlite3, sys
database = sqlite3.connect(f'file:{sys.argv[1]}?mode=ro', uri=True)
rows = database.execute('select user_email, permission, granted from permission_audit_log order by id')
print(json.dumps([[user, permission, bool(granted)] for user, permission, granted in rows]))
";

/// One user gets another name, wherever the database has it.
const RENAME: &str = r#"
import sqlite3, sys
path, former, name = sys.argv[1:]
with sqlite3.connect(path, timeout=10) as database:
    tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
    for table in tables:
        for column in [row[1] for row in database.execute(f'pragma table_info("{table}")')]:
            rename = f'update "{table}" set "{column}" = ? where "{column}" = ?'
            database.execute(rename, (name, former))
"#;

/// The gateway with an empty database of its own; it ends when dropped.
pub(crate) struct ContextForge {
    server: Server,
}

/// Who asked for what, and whether they may.
pub(crate) type Decision = (Option<String>, String, bool);

impl ContextForge {
    /// On a free port, with the shipped settings and these laid over them (`NAME=VALUE`).
    pub(crate) async fn start(settings: &[&str]) -> Self {
        // First, so that the time it takes does not count as time to start.
        fetched();
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new(program("start.sh"));
        command.arg("0").arg(directory.path()).args(settings);
        Self {
            server: Server::start("ContextForge", command, directory).await,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// One of the secrets that `start.sh` made for it.
    pub(crate) fn secret(&self, name: &str) -> String {
        let file = self.server.directory().join("secrets.env");
        settings::parsed(&fs::read_to_string(file).unwrap())[name].clone()
    }

    /// Its record so far, in order.
    pub(crate) fn decisions(&self) -> Vec<Decision> {
        let database = self.server.directory().join("mcp.db");
        let printed = output(python().args(["-c", DECISIONS]).arg(database));
        let rows: Value = serde_json::from_str(&printed).unwrap();
        serde_json::from_value(rows).unwrap()
    }

    /// Gives a user another name in its database.
    pub(crate) fn rename(&self, former: &str, name: &str) {
        let database = self.server.directory().join("mcp.db");
        output(
            python()
                .args(["-c", RENAME])
                .arg(database)
                .args([former, name]),
        );
    }

    /// Waits until its record has this.
    pub(crate) async fn records(&self, user: &str, permission: &str, granted: bool) {
        let wanted = (Some(user.to_owned()), permission.to_owned(), granted);
        let what = format!("the gateway has recorded {wanted:?}");
        eventually(&what, PATIENCE, async || {
            self.decisions().contains(&wanted).then_some(())
        })
        .await;
    }
}
