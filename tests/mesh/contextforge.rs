//! The real gateway in its Pod, with the environment of its Deployment.

use std::collections::BTreeMap;
use std::fs;

use data_encoding::BASE64;
use serde_json::{Value, json};

use crate::caller::{ADMIN, ALICE, Caller, FORGED};
use crate::cluster::SLOW;
use crate::harness::answer::Answer;
use crate::harness::eventually;
use crate::network::Launch;
use crate::overlay::Mesh;
use crate::pod::resolved_environment;
use crate::python::{fetched, python};
use crate::release::ISTIO_1_31;

/// Who may not see them does not get them.
const USERS: &str = "/v1/auth/email/admin/users";
const SERVERS: &str = "/v1/gateways";

impl Mesh {
    /// In place of the application, with these settings laid over those of the Deployment.
    async fn run_contextforge(&self, settings: &[(&str, &str)]) {
        let folder = self.world.folder().join("contextforge");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        fs::copy(fetched().join("empty.db"), folder.join("mcp.db")).unwrap();
        let deployment = self.object("Deployment", "mcp-system", "mcp-gateway");
        let pod = &deployment["spec"]["template"];
        let address = self.gateway.network.address.as_str();
        let known = BTreeMap::from([("status.podIP", address)]);
        let container = &pod["spec"]["containers"][0];
        let mut environment = self.secrets_of(container);
        environment.extend(resolved_environment(container, pod, &known));
        let database = format!("sqlite:///{}", folder.join("mcp.db").display());
        let own = [
            ("DATABASE_URL", database.as_str()),
            ("HOME", folder.to_str().unwrap()),
            ("PYTHONPATH", fetched().join("site").to_str().unwrap()),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        environment.extend(own);
        for (name, value) in settings {
            environment.insert((*name).to_owned(), (*value).to_owned());
        }
        let python = python().get_program().to_str().unwrap().to_owned();
        let arguments = "-m uvicorn mcpgateway.main:app --host 0.0.0.0 --port 4444";
        let arguments = arguments.split(' ').map(str::to_owned);
        let launch = Launch {
            command: [python].into_iter().chain(arguments).collect(),
            environment,
            folder: Some(folder),
            ..Launch::default()
        };
        self.gateway.end_application();
        let network = &self.gateway.network;
        let process = self.world.network.spawn("contextforge", network, launch);
        self.gateway.runs(process.await);
        let admin = self.contextforge(ADMIN, USERS);
        eventually("ContextForge serves", SLOW, async || {
            (admin.get().status == 200).then_some(())
        })
        .await;
    }

    /// What the container's `envFrom` takes from Secrets.
    fn secrets_of(&self, container: &Value) -> BTreeMap<String, String> {
        let sources = container["envFrom"].as_array().unwrap().iter();
        let names = sources.map(|source| source["secretRef"]["name"].as_str().unwrap());
        let secrets = names.map(|name| {
            let secret = format!("secret {name} -n mcp-system");
            self.world.cluster.get(&secret)["data"].clone()
        });
        let data = secrets.map(|data| serde_json::from_value(data).unwrap());
        let data = data.flat_map(|data: BTreeMap<String, String>| data);
        data.map(|(name, base64)| {
            let value = BASE64.decode(base64.as_bytes()).unwrap();
            (name, String::from_utf8(value).unwrap())
        })
        .collect()
    }

    /// A user with a certificate in this name, at this path.
    fn contextforge(&self, user: &str, path: &str) -> Caller {
        self.user(&self.users.client(user)).at(path)
    }

    /// What the administrator is told who registers an MCP server with a user header of its own.
    fn register(&self, name: &str, url: &str) -> Answer {
        let server = json!({
            "name": name,
            "url": url,
            "transport": "STREAMABLEHTTP",
            "auth_type": "authheaders",
            "auth_headers": [{"key": "X-SSL-Client-S-DN-CN", "value": ADMIN}],
        });
        let admin = self.contextforge(ADMIN, SERVERS);
        let admin = admin.with(&["--data", &server.to_string()]);
        // A header that no page of another site can send, so that it asks for no CSRF token.
        admin.get_with(&[
            ("content-type", "application/json"),
            ("authorization", "Bearer none"),
        ])
    }
}

/// It was not even tried: an address that it may not call is to it what a misspelt one is.
fn is_forbidden(answer: &Answer) -> bool {
    answer.status == 422
}

fn list(entries: &[&str]) -> String {
    Value::from(entries.to_vec()).to_string()
}

#[tokio::test]
async fn contextforge_in_the_mesh_knows_its_users_and_never_calls_itself() {
    let mesh = Mesh::of("sidecar", ISTIO_1_31).await;
    // The MCP servers of this cluster are in the network of its Pods: that is what an operator would allow.
    let allowed = list(&["10.77.0.0/24", "10.96.0.0/16"]);
    mesh.run_contextforge(&[("SSRF_ALLOWED_NETWORKS", &allowed)])
        .await;
    let alice = mesh.contextforge(ALICE, USERS);
    for headers in [&[][..], &FORGED] {
        let refused = alice.get_with(headers).status;
        assert!(matches!(refused, 401 | 403), "{refused}");
        assert_eq!(mesh.agent().at(USERS).get_with(headers).status, refused);
    }

    let own = format!("http://{}:4444/mcp", mesh.gateway.network.address);
    for url in [
        own.as_str(),
        "http://127.0.0.1:4444/mcp",
        "http://localhost:4444/mcp",
        "http://mcp-gateway.mcp-system:4444/mcp",
        "http://mcp-gateway.mcp-system.svc.cluster.local:4444/mcp",
        "http://169.254.169.254/mcp",
    ] {
        let answer = mesh.register("itself", url);
        assert!(is_forbidden(&answer), "{url}: {answer:?}");
    }
    // Another Pod is tried; nobody is there.
    let other = format!("http://{}:4444/mcp", mesh.agent.network.address);
    let answer = mesh.register("other", &other);
    assert!(matches!(answer.status, 502 | 503), "{answer:?}");

    // The line: without its own address in the list it calls itself, as whoever the header says.
    let blocked = list(&["169.254.0.0/16"]);
    mesh.run_contextforge(&[
        ("SSRF_ALLOWED_NETWORKS", &allowed),
        ("SSRF_BLOCKED_NETWORKS", &blocked),
    ])
    .await;
    let answer = mesh.register("itself", &own);
    assert!(matches!(answer.status, 200 | 201), "{answer:?}");
}
