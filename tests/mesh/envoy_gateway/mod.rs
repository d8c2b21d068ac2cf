//! `envoy/envoy-gateway` in a real Envoy Gateway.
//!
//! A world is etcd, the API server, Envoy Gateway with what its chart installs, a registry, and Envoy with the arguments and
//! the volumes that Envoy Gateway writes. Played are the Job of the chart, Deployments, the kubelet, DNS and kube-proxy; the
//! shutdown manager, the load balancer and a network plugin are not there.

mod edge;
mod failures;
mod holes;
mod lines;
mod order;
mod patches;
mod people;
mod proxy;
mod tenants;
mod world;

use edge::Edge;

#[tokio::test]
async fn the_manifests_hold() {
    let edge = Edge::with(&[]).await;
    claim!(order::a_misspelt_object_is_refused(&edge));
    claim!(order::the_lines_stand_in_order(&edge));
    claim!(holes::there_is_none_but_the_last_word(&edge).await);
    claim!(holes::an_order_of_the_filters_is_one(&edge).await);
    claim!(order::streams_may_drain_for_an_hour(&edge));
    claim!(order::the_access_log_has_the_record_and_the_refusals(&edge).await);
    claim!(order::the_network_policy_means_our_envoy(&edge));
    claim!(people::each_is_who_the_certificate_says(&edge));
    claim!(people::a_user_is_herself_over_every_protocol(&edge));
    claim!(people::a_key_of_ed25519_is_taken(&edge));
    claim!(people::what_can_be_read_in_two_ways_does_not_arrive(&edge));
    claim!(people::the_headers_of_ingress_nginx_arrive_and_cannot_be_forged(&edge).await);
    claim!(tenants::admission_refuses_what_writes_an_identity(&edge).await);
    claim!(tenants::admission_refuses_what_displaces_and_nothing_else(
        &edge
    ));
    claim!(tenants::without_admission_a_route_makes_the_administrator(&edge).await);
    claim!(tenants::a_route_of_another_namespace_leads_nobody(&edge).await);
    claim!(tenants::a_listener_of_a_tenant_is_not_taken(&edge).await);
    claim!(tenants::a_gateway_of_a_tenant_is_for_the_network_policy(&edge).await);
    claim!(lines::removal_and_guard_hold_without_the_filter(&edge).await);
    claim!(lines::the_guard_asks_for_a_certificate_as_well(&edge).await);
    claim!(lines::a_listener_that_takes_any_certificate_makes_nobody_a_user(&edge).await);
    claim!(lines::a_certificate_that_is_not_asked_for_makes_nobody_a_user(&edge).await);
    claim!(lines::a_resumed_session_is_refused(&edge).await);
    claim!(lines::a_frontend_validation_takes_the_ground_from_the_guard(&edge).await);
    claim!(lines::a_policy_for_one_listener_replaces_ours_and_refuses_everybody(&edge).await);
    claim!(failures::a_deleted_object_refuses_everybody(&edge).await);
    claim!(failures::a_wrong_digest_refuses_everybody(&edge).await);
    claim!(failures::a_refused_configuration_leaves_the_old_one_or_nothing(&edge).await);
    claim!(failures::a_missing_ca_or_crl_refuses_everybody(&edge).await);
    claim!(failures::who_is_in_a_new_crl_gets_no_connection(&edge).await);
    claim!(failures::a_new_image_changes_nobody(&edge).await);
    claim!(failures::without_the_registry_envoy_starts_and_takes_changes(&edge).await);
    claim!(failures::without_registry_and_envoy_gateway_a_change_heals(&edge).await);
}

#[tokio::test]
async fn the_components_hold() {
    let edge = Edge::with(&["last-word", "mcp", "reload"]).await;
    claim!(patches::each_patch_is_in_force(&edge).await);
    claim!(people::each_is_who_the_certificate_says(&edge));
    claim!(holes::a_patch_under_another_name_is_one(&edge).await);
    claim!(patches::the_last_word_holds_against_routes(&edge).await);
    claim!(patches::a_rule_reads_the_tool_from_the_body(&edge).await);
    claim!(patches::without_the_filter_the_guard_holds(&edge).await);
    claim!(failures::a_wrong_digest_refuses_everybody(&edge).await);
}
