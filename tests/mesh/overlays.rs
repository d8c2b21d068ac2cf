//! Every overlay on every release: one world each, and all claims in it, one after another.

use crate::overlay::Mesh;
use crate::release::{ISTIO_1_30, ISTIO_1_31, Release};
use crate::{
    admission, attack, changes, doctor, failures, lines, login, order, people, played, rows,
    tenants,
};

async fn holds(overlay: &'static str, release: Release) {
    let mesh = Mesh::of(overlay, release).await;
    claim!(admission::nothing_else_is_in_the_mesh(&mesh));
    claim!(admission::a_misspelt_object_is_refused(&mesh));
    claim!(people::each_is_who_the_certificate_says(&mesh));
    claim!(people::a_user_is_herself_over_every_protocol(&mesh));
    claim!(order::each_connection_manager_has_its_lines_in_order(&mesh));
    claim!(played::it_shapes_each_proxy_as_the_real_istiod(&mesh));
    claim!(order::the_ingress_resumes_no_session(&mesh));
    claim!(doctor::it_finds_no_hole_in_what_runs(&mesh));
    claim!(doctor::it_names_what_others_write(&mesh));
    claim!(rows::a_header_name_with_an_underscore_is_dropped_and_the_request_served(&mesh));
    claim!(rows::a_client_that_tls_refuses_leaves_a_line(&mesh).await);
    claim!(rows::a_key_of_ed25519_is_taken(&mesh));
    claim!(rows::the_probe_of_the_agent_hands_over_no_header(&mesh));
    claim!(rows::an_ingress_that_takes_any_certificate_makes_nobody_a_user(&mesh).await);
    claim!(rows::a_fallback_for_insecure_clients_makes_nobody_a_user(&mesh).await);
    claim!(rows::a_forgotten_trust_domain_makes_nobody_a_user(&mesh).await);
    claim!(tenants::a_route_of_a_tenant_makes_nobody_somebody_else(&mesh).await);
    claim!(tenants::a_route_beside_the_service_makes_no_agent_somebody_else(&mesh).await);
    claim!(tenants::other_objects_of_a_tenant_lead_nowhere(&mesh).await);
    claim!(attack::no_object_of_a_tenant_gets_into_a_proxy_of_ours(&mesh).await);
    claim!(attack::istiod_takes_no_object_that_claims_to_be_its_own(
        &mesh
    ));
    claim!(attack::a_workload_entry_with_our_pods_address_makes_nobody_anybody(&mesh).await);
    claim!(attack::a_certificate_is_worth_what_its_own_authority_signed(&mesh));
    claim!(attack::a_tenants_rewrite_passes_the_rules_of_the_ingress_alone(&mesh).await);
    claim!(attack::an_agent_past_its_own_sidecar_is_still_itself(&mesh));
    claim!(lines::a_second_policy_that_allows_opens_nothing(&mesh).await);
    claim!(lines::an_apply_that_stopped_before_the_policies_would_let_everybody_in(&mesh).await);
    claim!(lines::without_the_filter_the_removal_and_the_guard_hold(&mesh).await);
    claim!(changes::a_new_server_certificate_changes_no_user(&mesh).await);
    claim!(changes::who_is_in_the_crl_gets_no_connection(&mesh).await);
    claim!(changes::who_is_revoked_loses_the_open_stream(&mesh).await);
    claim!(changes::a_secret_for_the_authority_alone_decides_alone(&mesh).await);
    claim!(
        changes::a_missing_list_locks_everybody_out_unless_leaves_alone_are_asked_about(&mesh)
            .await
    );
    claim!(changes::a_new_image_changes_nobody(&mesh).await);
    claim!(changes::a_restart_of_istiod_changes_nobody(&mesh).await);
    claim!(failures::a_wrong_digest_refuses_everybody(&mesh).await);
    claim!(failures::a_refused_configuration_leaves_the_old_one(&mesh).await);
    claim!(admission::admission_refuses_a_gateway_that_takes_our_pods(&mesh).await);
    claim!(failures::a_registry_that_was_away_is_healed_by_a_touch_of_the_plugin(&mesh).await);
    claim!(login::a_registry_that_asks_for_a_login_needs_a_realm_that_is_a_url(&mesh).await);
    claim!(failures::a_module_in_an_image_volume_needs_no_registry(&mesh).await);
    claim!(changes::a_new_ingress_that_may_not_read_its_secret_lets_nobody_in(&mesh).await);
}

macro_rules! overlays {
    ($($name:ident: $overlay:literal,)*) => {
        mod on_1_31 {
            $(#[tokio::test]
            async fn $name() {
                super::holds($overlay, super::ISTIO_1_31).await;
            })*
        }
        mod on_1_30 {
            $(#[tokio::test]
            async fn $name() {
                super::holds($overlay, super::ISTIO_1_30).await;
            })*
        }
    };
}

overlays! {
    the_gateway_overlay_holds: "gateway",
    the_sidecar_overlay_holds: "sidecar",
    the_waypoint_overlay_holds: "waypoint",
    the_gateway_overlay_of_traffic_extensions_holds: "traffic-extension/gateway",
    the_sidecar_overlay_of_traffic_extensions_holds: "traffic-extension/sidecar",
    the_waypoint_overlay_of_traffic_extensions_holds: "traffic-extension/waypoint",
}
