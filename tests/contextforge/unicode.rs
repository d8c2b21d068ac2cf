//! A user whose name is not ASCII: the same person for the filter and in the gateway's database.

use serde_json::json;

use crate::harness::Fixture;
use crate::world::{ALICE, World};

const ZOE: &str = "zo\u{eb}@example.com";

/// A gateway that has Zoë in its database, with the right to call tools.
async fn world(encoding: &str) -> World {
    let plugin = json!({"identity": {"charset": "utf8"}, "headers": {"encoding": encoding}});
    let world = World::start(Fixture::new().plugin(plugin), &[]).await;
    // Its API enters ASCII only; other ways into the database (an import, SQL) know no such rule.
    let refused = world.try_to_enter_user(ZOE).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    assert_eq!(refused.json(), json!({"detail": "Invalid email format"}));
    world.enter_user("zoe@example.com").await;
    world.may_call_tools("zoe@example.com").await;
    world.gateway.rename("zoe@example.com", ZOE);
    world
}

#[tokio::test]
async fn a_user_outside_ascii_is_one_user_of_the_database_with_latin1() {
    let world = world("latin1").await;
    // The certificate may write the name in capitals, as national ID cards do.
    for name in [ZOE, "ZO\u{cb}@Example.com"] {
        let zoe = world.site.authority.client(name);
        let answer = world.call_as(&zoe, "demo-add").await;
        assert_eq!(answer["text"], "42", "{answer}");
    }
    world.gateway.records(ZOE, "tools.execute", true).await;
    // ASCII users are who they were.
    let alice = world.site.authority.client(ALICE);
    assert_eq!(world.call_as(&alice, "demo-add").await["text"], "42");
}

/// In UTF-8, the default, the gateway reads two characters for one: a user that its database does not have.
#[tokio::test]
async fn a_user_outside_ascii_is_unknown_to_the_gateway_with_utf8() {
    let world = world("utf8").await;
    let zoe = world.site.authority.client(ZOE);
    let refused = world.call_as(&zoe, "demo-add").await;
    assert_eq!(refused["status"], 401, "{refused}");
    let body = refused["body"].as_str().unwrap();
    assert!(body.contains("User not found"), "{refused}");
}
