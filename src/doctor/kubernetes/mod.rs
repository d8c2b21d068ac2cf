//! What Kubernetes is told: the objects of Istio, of the Gateway API and of Envoy Gateway.

mod envoy_gateway;
mod filter_order;
mod istio;
mod mesh_lines;
mod objects;
mod patch_policy;
mod plugin;
mod routes;
mod tenants;

use crate::doctor::finding::Report;
use crate::doctor::node::Document;

use objects::Objects;
use plugin::Plugin;

/// Examines all objects of these documents, together.
pub(super) fn examine(documents: &[&Document], report: &mut Report) {
    let objects = Objects::of(documents);
    report.objects += objects.all().len();
    let plugins = Plugin::of(&objects, report);
    istio::check(&objects, &plugins, report);
    mesh_lines::check(&objects, &plugins, report);
    tenants::check(&objects, &plugins, report);
    routes::check(&objects, &plugins, report);
    envoy_gateway::check(&objects, &plugins, report);
    filter_order::check(&objects, &plugins, report);
    patch_policy::check(&objects, report);
}
