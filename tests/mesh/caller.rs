//! Who asks the MCP gateway, from where and with what.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use hyper::HeaderMap;

use crate::cluster::SLOW;
use crate::harness::answer::Answer;
use crate::harness::certs::Credentials;
use crate::harness::eventually;
use crate::harness::gateway::{USER, VERIFY};
use crate::network::{Namespace, run};
use crate::overlay::Mesh;
use crate::pod::{APPLICATION, PROXY, Pod};

pub(crate) const ALICE: &str = "alice@example.com";
/// Whom everybody wants to be. No test has a certificate in this name that the users' CA signed.
pub(crate) const ADMIN: &str = "admin@example.com";
/// Who the agent of the tests is to the MCP gateway.
pub(crate) const AGENT: &str = "indexer@agents.agents.example.com";
/// The host of the shipped manifests.
pub(crate) const HOST: &str = "mcp.example.com";
/// The MCP gateway's Service.
pub(crate) const SERVICE: &str = "mcp-gateway.mcp-system.svc.cluster.local";

/// The headers by which a client would be the administrator.
pub(crate) const FORGED: [(&str, &str); 4] = [
    (USER, ADMIN),
    (VERIFY, "SUCCESS"),
    ("x-authenticated-user", ADMIN),
    ("X_SSL_Client_S_DN_CN", ADMIN),
];

/// A program that sends one request and prints what comes back.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    namespace: Namespace,
    program: Vec<String>,
    url: String,
    tool: Tool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Curl,
    /// The client of Istio's own tests, which speaks HBONE.
    Istio,
}

impl Mesh {
    /// A user at the ingress, in the shipped host's name, from outside of the mesh.
    pub(crate) fn user(&self, credentials: &Credentials) -> Caller {
        self.user_of(&self.ingress, credentials)
    }

    /// The same at another of its Pods.
    pub(crate) fn user_of(&self, ingress: &Pod, credentials: &Credentials) -> Caller {
        self.user_at(ingress, credentials, HOST, self.https())
    }

    /// The same for another host and port.
    pub(crate) fn user_at(
        &self,
        ingress: &Pod,
        credentials: &Credentials,
        host: &str,
        port: u16,
    ) -> Caller {
        let [certificate, key] = self.files(credentials);
        let to = format!("{host}:443:{}:{port}", ingress.network.address);
        let arguments = [
            "-k",
            "--cert",
            &certificate,
            "--key",
            &key,
            "--connect-to",
            &to,
        ];
        self.curl(&self.outside, &arguments, &format!("https://{host}/mcp"))
    }

    /// A certificate and its key as files.
    pub(crate) fn files(&self, credentials: &Credentials) -> [String; 2] {
        certificate_files(self.world.folder(), credentials)
    }

    /// Who speaks TLS with this certificate and key, as a program that no sidecar redirects.
    pub(crate) fn past_sidecar(
        &self,
        namespace: &Namespace,
        files: &[String; 2],
        url: &str,
    ) -> Caller {
        let [certificate, key] = files;
        let arguments = ["-k", "--cert", certificate, "--key", key];
        self.curl_as(PROXY, namespace, &arguments, url)
    }

    /// Somebody of whom the ingress gets no certificate.
    pub(crate) fn nobody(&self) -> Caller {
        self.nobody_at(HOST)
    }

    pub(crate) fn nobody_at(&self, host: &str) -> Caller {
        let to = format!(
            "{host}:443:{}:{}",
            self.ingress.network.address,
            self.https()
        );
        let arguments = ["-k", "--connect-to", &to];
        self.curl(&self.outside, &arguments, &format!("https://{host}/mcp"))
    }

    /// A workload that asks the Service, through its sidecar.
    pub(crate) fn workload(&self, pod: &Pod) -> Caller {
        self.curl(&pod.network, &[], &format!("http://{SERVICE}:4444/mcp"))
    }

    /// Who asks an address without TLS, from outside of the mesh.
    pub(crate) fn plain(&self, url: &str) -> Caller {
        self.curl(&self.outside, &[], url)
    }

    fn curl(&self, namespace: &Namespace, arguments: &[&str], url: &str) -> Caller {
        self.curl_as(APPLICATION, namespace, arguments, url)
    }

    fn curl_as(&self, user: u32, namespace: &Namespace, arguments: &[&str], url: &str) -> Caller {
        Caller::curl_as(user, namespace, arguments, url)
    }

    /// A workload that asks the Service through the tunnel of the mesh, as ztunnel would for it.
    pub(crate) fn tunnelled(&self, pod: &Pod) -> Caller {
        self.tunnelled_to(self.waypoint.as_ref().unwrap(), pod)
    }

    /// The same at another Pod of the waypoint.
    pub(crate) fn tunnelled_to(&self, waypoint: &Pod, pod: &Pod) -> Caller {
        let service = self.world.cluster.get("service mcp-gateway -n mcp-system");
        let address = service["spec"]["clusterIP"].as_str().unwrap();
        let file = |name: &str| pod.certificate().join(name).display().to_string();
        // One client for all releases: the module of 1.30 has none.
        let client: PathBuf = crate::tools::programs().join("istio-1.31/client");
        let program = [
            client.to_str().unwrap().to_owned(),
            "--count=1".to_owned(),
            "--timeout=10s".to_owned(),
            format!("--hbone={}:15008", waypoint.network.address),
            format!("--hbone-client-cert={}", file("cert-chain.pem")),
            format!("--hbone-client-key={}", file("key.pem")),
            "--hbone-insecure-skip-verify".to_owned(),
            format!("-HHost: {SERVICE}:4444"),
        ];
        Caller {
            namespace: self.outside.clone(),
            program: program.to_vec(),
            url: format!("http://{address}:4444/mcp"),
            tool: Tool::Istio,
        }
    }
}

/// A certificate and its key as files of this folder.
pub(crate) fn certificate_files(folder: &Path, credentials: &Credentials) -> [String; 2] {
    let file = |kind: &str, text: String| {
        let path = folder.join(format!("{}.{kind}", credentials.sha256()));
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    [
        file("crt", credentials.pem()),
        file("key", credentials.key_pem()),
    ]
}

impl Caller {
    /// curl in this namespace, with these options.
    pub(crate) fn curl(namespace: &Namespace, options: &[&str], url: &str) -> Self {
        Self::curl_as(APPLICATION, namespace, options, url)
    }

    fn curl_as(user: u32, namespace: &Namespace, options: &[&str], url: &str) -> Self {
        let user = user.to_string();
        let program = [
            "setpriv",
            "--reuid",
            &user,
            "--regid",
            &user,
            "--clear-groups",
        ];
        let curl = ["curl", "-s", "-m", "10", "-w", "\n%{http_code}"];
        let program = program.iter().chain(&curl).chain(options);
        Self {
            namespace: namespace.clone(),
            program: program.map(|&argument| argument.to_owned()).collect(),
            url: url.to_owned(),
            tool: Tool::Curl,
        }
    }

    pub(crate) fn get(&self) -> Answer {
        self.get_with(&[])
    }

    pub(crate) fn get_with(&self, headers: &[(&str, &str)]) -> Answer {
        let mut command = self.command();
        for (name, value) in headers {
            let line = format!("{name}: {value}");
            command.arg(match self.tool {
                Tool::Curl => format!("-H{line}"),
                // A line of CSV.
                Tool::Istio => format!("-H\"{}\"", line.replace('"', "\"\"")),
            });
        }
        command.arg(&self.url);
        let output = run(&mut command);
        let printed = String::from_utf8_lossy(&output.stdout);
        match self.tool {
            Tool::Curl => {
                let (body, status) = printed.rsplit_once('\n').unwrap_or(("", "0"));
                answer(status.trim().parse().unwrap_or(0), body.to_owned())
            }
            Tool::Istio => of_istios_client(&printed),
        }
    }

    fn command(&self) -> Command {
        let mut command: Command = self.namespace.command(&self.program[0]);
        command.args(&self.program[1..]);
        command
    }

    /// curl with its options, to which the URL is to be added.
    pub(crate) fn curls(&self) -> Command {
        assert_eq!(self.tool, Tool::Curl);
        self.command()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// With another path.
    pub(crate) fn at(mut self, path: &str) -> Self {
        let base = self.url.strip_suffix("/mcp").unwrap().to_owned();
        self.url = base + path;
        self
    }

    /// With more options of curl.
    pub(crate) fn with(mut self, options: &[&str]) -> Self {
        assert_eq!(self.tool, Tool::Curl);
        let options = options.iter().map(|&option| option.to_owned());
        self.program.extend(options);
        self
    }

    /// Waits until a plain request is answered so.
    pub(crate) async fn gets(&self, status: u16) -> Answer {
        let what = format!("{} is answered {status}", self.url);
        eventually(&what, SLOW, async || {
            let answer = self.get();
            (answer.status == status).then_some(answer)
        })
        .await
    }

    /// Waits until the MCP gateway hears this user from it.
    pub(crate) async fn is(&self, user: &str) {
        let what = format!("{} is heard as {user}", self.url);
        eventually(&what, SLOW, async || {
            let answer = self.get();
            (answer.status == 200 && answer.gateway().user() == [user]).then_some(())
        })
        .await;
    }
}

fn answer(status: u16, body: String) -> Answer {
    Answer {
        status,
        headers: HeaderMap::new(),
        body: body.into(),
        trailers: HeaderMap::new(),
    }
}

/// It prints `[0] StatusCode=200`, and each line of the body behind `[0 body] `.
fn of_istios_client(printed: &str) -> Answer {
    let mut lines = printed.lines();
    let status = lines.find_map(|line| line.strip_prefix("[0] StatusCode="));
    let body = printed
        .lines()
        .filter_map(|line| line.strip_prefix("[0 body] "));
    let status = status.and_then(|status| status.parse().ok());
    answer(status.unwrap_or(0), body.collect::<Vec<_>>().join("\n"))
}

/// The MCP gateway heard this user, the mark, and nothing else that could be an identity.
#[track_caller]
pub(crate) fn assert_is(answer: &Answer, user: &str) {
    let received = answer.gateway();
    assert_eq!(received.owned(), [(USER, user), (VERIFY, "SUCCESS")]);
    assert_eq!(received.values("x-forwarded-client-cert"), [""; 0]);
    let forged = received
        .headers
        .iter()
        .find(|(_, value)| value.contains(ADMIN));
    assert_eq!(forged, None);
}

/// The MCP gateway heard nothing.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer) {
    assert_ne!(answer.status, 200, "{answer:?}");
}

impl Answer {
    /// Refused by the filter for this reason; without the headers, which these callers do not read.
    #[track_caller]
    pub(crate) fn assert_reason(&self, reason: &str) {
        assert_eq!(self.json()["reason"], reason, "{self:?}");
    }
}
