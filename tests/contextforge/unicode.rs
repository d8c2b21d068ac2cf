//! A user whose name is not ASCII: the same person for the filter and in the gateway's database.

use serde_json::json;

use crate::harness::Fixture;
use crate::world::World;

const ZOE: &str = "zo\u{eb}@example.com";

fn fixture(encoding: &str) -> Fixture {
    Fixture::new().plugin(json!({
        "identity": {"charset": "utf8"},
        "headers": {"encoding": encoding},
    }))
}

#[tokio::test]
async fn a_user_outside_ascii_is_one_user_of_the_database_with_latin1() {
    let world = World::start(fixture("latin1"), &[]).await;
    world.enter_user(ZOE).await;
    // The certificate may write the name in capitals, as national ID cards do.
    for name in [ZOE, "ZO\u{cb}@Example.com"] {
        let zoe = world.site.authority.client(name);
        let refused = world.call_as(&zoe, "demo-add").await;
        // The gateway knows the user, lists the tools, and refuses the call: it asks for a role first.
        assert_eq!(refused["text"], "Access denied", "{refused}");
    }
    world.gateway.records(ZOE, "tools.execute", false).await;

    world.may_call_tools(ZOE).await;
    let zoe = world.site.authority.client(ZOE);
    let answer = world.call_as(&zoe, "demo-add").await;
    assert_eq!(answer["text"], "42", "{answer}");
    world.gateway.records(ZOE, "tools.execute", true).await;
    // ASCII users are who they were.
    let alice = world.site.authority.client(crate::world::ALICE);
    assert_eq!(world.call_as(&alice, "demo-add").await["text"], "42");
}

/// In UTF-8, the default, the gateway reads two characters for one: a user that its database does not have.
#[tokio::test]
async fn a_user_outside_ascii_is_nobody_in_the_database_with_utf8() {
    let world = World::start(fixture("utf8"), &[]).await;
    world.enter_user(ZOE).await;
    let zoe = world.site.authority.client(ZOE);
    let refused = world.call_as(&zoe, "demo-add").await;
    assert_eq!(refused["status"], 401, "{refused}");
    let body = refused["body"].as_str().unwrap();
    assert!(body.contains("User not found"), "{refused}");
}
