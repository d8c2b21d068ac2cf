//! Each line holds where the others are gone, and without it the attack succeeds that it is for.

use serde_json::{Value, json};

use crate::caller::{ADMIN, AGENT, ALICE, Caller, FORGED, assert_refused};
use crate::cluster::SLOW;
use crate::harness::answer::Answer;
use crate::harness::eventually;
use crate::overlay::Mesh;

/// A policy of somebody else that allows, beside ours.
pub(crate) fn second_policy() -> Value {
    json!({
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": {"name": "somebody-elses", "namespace": "mcp-system"},
        "spec": {"action": "ALLOW", "rules": [{"to": [{"operation": {"paths": ["/mcp"]}}]}]},
    })
}

/// Policies that ALLOW add up. The agent stands for whoever the second one lets in.
pub(crate) async fn a_second_policy_that_allows_opens_nothing(mesh: &Mesh) {
    if mesh.has_second_filter() {
        return;
    }
    let second = second_policy();
    mesh.put_back(&second);
    let line = mesh.object(
        "AuthorizationPolicy",
        "mcp-system",
        "mcp-gateway-callers-only",
    );
    mesh.take_out(line);
    until(&mesh.agent(), "is the administrator", |answer| {
        answer.status == 200 && answer.gateway().user() == [ADMIN]
    })
    .await;
    mesh.put_back(line);
    until(&mesh.agent(), "is refused", |answer| answer.status == 403).await;
    assert_refused(&mesh.intruder().get_with(&FORGED));
    mesh.take_out(&second);
    mesh.alice().is(ALICE).await;
}

/// What kubectl leaves that stops before the policies: in an order in which Pods run before them. So the Deployments are
/// last.
pub(crate) async fn an_apply_that_stopped_before_the_policies_would_let_everybody_in(mesh: &Mesh) {
    if mesh.has_second_filter() {
        return;
    }
    let is_policy = |object: &&Value| {
        object["kind"] == "AuthorizationPolicy" && object["metadata"]["namespace"] == "mcp-system"
    };
    let policies: Vec<_> = mesh.objects.iter().filter(is_policy).collect();
    policies.iter().for_each(|policy| mesh.take_out(policy));
    until(&mesh.intruder(), "is the administrator", |answer| {
        answer.status == 200 && answer.gateway().user() == [ADMIN]
    })
    .await;
    policies.iter().for_each(|policy| mesh.put_back(policy));
    until(&mesh.intruder(), "is refused", |answer| {
        answer.status == 403
    })
    .await;
}

/// Waits for an answer to a forged request.
async fn until(caller: &Caller, what: &str, is: impl Fn(&Answer) -> bool) {
    let what = format!("who forges {what}");
    eventually(&what, SLOW, async || {
        is(&caller.get_with(&FORGED)).then_some(())
    })
    .await;
}

/// A proxy of the mesh that has lost the filter, and who asks it.
struct Bare<'a> {
    mesh: &'a Mesh,
    namespace: &'static str,
    caller: Caller,
    user: &'static str,
}

/// The filter is deleted at each proxy, and comes back, under a loop of forged requests.
pub(crate) async fn without_the_filter_the_removal_and_the_guard_hold(mesh: &Mesh) {
    for namespace in mesh.plugin_namespaces() {
        let (caller, user) = match namespace {
            "mcp-ingress" => (mesh.alice(), ALICE),
            _ => (mesh.agent(), AGENT),
        };
        let bare = Bare {
            mesh,
            namespace,
            caller,
            user,
        };
        bare.holds().await;
    }
}

impl Bare<'_> {
    async fn holds(&self) {
        let plugin = self.mesh.plugin(self.namespace);
        let forger = self.caller.forging();
        self.mesh.take_out(plugin);
        self.refuses("RBAC").await;
        forger.was_always(self.user);

        let second = self.second_guard();
        second.iter().for_each(|guard| self.mesh.take_out(guard));
        self.without_the_removal_the_mark_is_believed().await;
        self.without_removal_and_last_word_it_is_an_identity().await;
        self.without_the_guard_all_pass().await;
        second.iter().for_each(|guard| self.mesh.put_back(guard));

        let forger = self.caller.forging();
        self.mesh.put_back(plugin);
        self.caller.is(self.user).await;
        forger.was_always(self.user);
    }

    /// Without a filter in the sidecar its guard asks for the ingress's mark once more, and would hide what passes.
    fn second_guard(&self) -> Option<&Value> {
        let guard = || {
            self.mesh
                .object("AuthorizationPolicy", "mcp-system", "mtls-identity-guard")
        };
        (!self.mesh.has_second_filter()).then(guard)
    }

    /// Waits until plain and forged requests are refused here.
    async fn refuses(&self, by: &str) {
        self.caller.gets(403).await;
        until(&self.caller, "is refused", |answer| {
            answer.status == 403 && String::from_utf8_lossy(&answer.body).contains(by)
        })
        .await;
    }

    async fn without_the_removal_the_mark_is_believed(&self) {
        let (line, without) = self.removal();
        self.change(line, &without);
        until(&self.caller, "passes", passes).await;
        self.mesh.put_back(line);
        self.refuses("RBAC").await;
    }

    /// In the overlay of the sidecar another filter stands behind the ingress, which decides for itself.
    async fn without_removal_and_last_word_it_is_an_identity(&self) {
        if self.mesh.overlay.ends_with("sidecar") && self.namespace == "mcp-ingress" {
            return;
        }
        let line = self.removal().0;
        self.mesh.take_out(line);
        let last_word = self.separate_last_word();
        last_word.iter().for_each(|line| self.mesh.take_out(line));
        until(&self.caller, "is the administrator", |answer| {
            answer.status == 200 && answer.gateway().user() == [ADMIN]
        })
        .await;
        last_word.iter().for_each(|line| self.mesh.put_back(line));
        self.mesh.put_back(line);
        self.refuses("RBAC").await;
    }

    async fn without_the_guard_all_pass(&self) {
        let guard = self
            .mesh
            .object("AuthorizationPolicy", self.namespace, "mtls-identity-guard");
        self.mesh.take_out(guard);
        until(&self.caller, "passes", passes).await;
        self.mesh.put_back(guard);
        self.refuses("RBAC").await;
    }

    /// The EnvoyFilter with the removal, and what is left of it without: none, but for the waypoint's last word.
    fn removal(&self) -> (&Value, Option<Value>) {
        let line = self
            .mesh
            .object("EnvoyFilter", self.namespace, "identity-headers");
        if self.namespace == "mcp-ingress" || self.mesh.waypoint.is_none() {
            return (line, None);
        }
        let mut without = line.clone();
        let manager = &mut without["spec"]["configPatches"][0]["patch"]["value"]["typed_config"];
        let removed = manager.as_object_mut().unwrap();
        removed.remove("early_header_mutation_extensions").unwrap();
        (line, Some(without))
    }

    fn separate_last_word(&self) -> Option<&Value> {
        let in_waypoint = self.namespace == "mcp-system" && self.mesh.waypoint.is_some();
        let object = || self.mesh.object("EnvoyFilter", self.namespace, "last-word");
        (!in_waypoint).then(object)
    }

    fn change(&self, line: &Value, without: &Option<Value>) {
        match without {
            Some(without) => self.mesh.put_back(without),
            None => self.mesh.take_out(line),
        }
    }
}

/// It went on: to the application, or to the next filter.
fn passes(answer: &Answer) -> bool {
    let body = String::from_utf8_lossy(&answer.body);
    answer.status == 200 || body.contains("no_certificate")
}
