//! What changes while the clients are at work.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;

use crate::site::{LISTED, World, configuration, files};
use crate::xds;

/// Every second another configuration; every fifth one with another VM, every seventh with other CAs. From a third of the
/// requests on somebody is revoked. The limit service is stopped for a while, several times.
pub(crate) async fn until_done(world: &World) {
    let mut second = 0_u64;
    while !world.is_done.load(Ordering::Relaxed) {
        second += 1;
        let revokes = world.tally.answered() > world.requests / 3;
        configure(world, second, revokes);
        if second.is_multiple_of(7) {
            rotate(world, second, revokes);
        }
        match second % 16 {
            5 => {
                world.redis.lock().await.stop();
                world.tally.count("limit service stopped");
            }
            10 => world.redis.lock().await.start_again().await,
            _ => {}
        }
        world.tally.memory(world.site.envoy.resident_memory());
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn configure(world: &World, number: u64, revokes: bool) {
    let text = configuration(&world.proxy, number, revokes).to_string();
    let file = fs::read_to_string(world.xds.path("xds/filter.yaml")).unwrap();
    let mut resource = xds::yaml(&file);
    let plugin = xds::plugin(&mut resource);
    plugin["configuration"]["value"] = json!(text);
    if number.is_multiple_of(5) {
        plugin["vm_config"]["vm_id"] = json!(format!("soak_{number}"));
        world.tally.count("VMs replaced");
    }
    world.xds.put("filter.yaml", &resource.to_string());
    world.tally.count("configurations");
}

/// The second CA comes and goes. Who is listed is so for good.
fn rotate(world: &World, number: u64, lists: bool) {
    let both = [&world.site.authority, &world.second];
    let authorities = if number.is_multiple_of(2) {
        &both[..]
    } else {
        &both[..1]
    };
    let listed: &[&[u8]] = if lists { &[&LISTED] } else { &[] };
    world.xds.rotate(&files(&world.server, authorities, listed));
    world.tally.count("rotations");
}
