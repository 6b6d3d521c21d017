//! Typed views, and answers with a default.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

mod common;

use std::collections::HashMap;
use std::sync::Arc;

use cache_core::KeySpace;
use cache_testkit::{FakeClock, Op, ReferenceServer};
use cache_tiered::{LoadOptions, Loaded, OnStoreError, SetOptions, Settings, Status, TypedCache};
use common::{MINUTE, Runs, SECOND, private, process_with};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
}

fn user(name: &str) -> User {
    User { name: name.into() }
}

#[tokio::test]
async fn a_view_has_its_keys_and_its_ttl_and_a_call_may_say_otherwise() {
    let cache = private(&FakeClock::new());
    let users: TypedCache<User> = cache.typed("user:profile").options(MINUTE);
    users.set(1, &user("ann"), ()).await.unwrap();
    users.set("a:b", &user("bob"), SECOND).await.unwrap();

    assert_eq!(users.key("a:b"), "user:profile:a%3Ab");
    assert_eq!(*cache.get::<User>("user:profile:1").await.unwrap().unwrap(), user("ann"));
    assert_eq!(*users.get("a:b").await.unwrap().unwrap(), user("bob"));
    assert_eq!((users.ttl(1).await.unwrap(), users.ttl("a:b").await.unwrap()), (Some(MINUTE), Some(SECOND)));
    assert_eq!(cache.keys(KeySpace::new("user:profile").pattern()).await.unwrap().len(), 2);

    assert!(users.exists(1).await.unwrap());
    users.delete(1).await.unwrap();
    let (gone, receipt) = users.get_with_receipt(1).await.unwrap();
    assert_eq!((gone, receipt.status), (None, Status::Absent));
}

#[tokio::test]
async fn views_of_other_schemas_and_of_none_do_not_meet() {
    let cache = private(&FakeClock::new());
    let plain: TypedCache<User> = cache.typed("user");
    let (first, second) = (plain.clone().schema("user", 1), plain.clone().schema("user", 2));
    first.set(1, &user("old"), ()).await.unwrap();
    assert_eq!((plain.get(1).await.unwrap(), second.get(1).await.unwrap()), (None, None));
    second.set(1, &user("new"), ()).await.unwrap();
    assert_eq!(*first.get(1).await.unwrap().unwrap(), user("old"));
    // No id names what a view with a schema has.
    assert_ne!(plain.key("~user.1:1"), first.key(1));
    assert_ne!(cache.typed::<User>(KeySpace::new("user").join("~user.1")).key(1), first.key(1));
}

#[tokio::test]
async fn a_view_loads_with_its_options_and_tags_of_both() {
    let clock = FakeClock::new();
    let cache = private(&clock);
    let runs = Runs::default();
    let users: TypedCache<User> = cache.typed("user").options(LoadOptions::ttl(MINUTE).tag("users"));
    let own = SetOptions::default().tag("user:1");
    assert_eq!(*users.get_or_load(1, own, runs.loader(user("ann"))).await.unwrap(), user("ann"));
    assert_eq!(users.ttl(1).await.unwrap(), Some(MINUTE));
    assert_eq!(*users.get_or_load(1, (), runs.loader(user("bob"))).await.unwrap(), user("ann"));
    cache.invalidate_tag("users").await.unwrap();
    assert_eq!(*users.get_or_load(1, (), runs.loader(user("cyd"))).await.unwrap(), user("cyd"));
    assert_eq!(*users.reload(1, (), runs.loader(user("dee"))).await.unwrap(), user("dee"));
    users.expire(1).await.unwrap();
    assert_eq!(*users.get_or_default(1, user("nobody")).await, user("nobody"));
    assert_eq!(runs.count(), 3);
}

#[tokio::test]
async fn many_are_named_by_their_ids() {
    let cache = private(&FakeClock::new());
    let users: TypedCache<User> = cache.typed("user").options(MINUTE);
    let failed = users.set_many(&[(1, user("ann")), (2, user("bob"))], ()).await.unwrap().failed;
    assert!(failed.is_empty());
    let names = |found: Vec<Option<Arc<User>>>| -> Vec<Option<String>> {
        found.into_iter().map(|user| user.map(|user| user.name.clone())).collect()
    };
    let load = |missing: Vec<u32>| async move {
        assert_eq!(missing, [3, 4], "what is there is not asked for");
        Loaded::Ok(HashMap::from([(4, user("dee"))]))
    };
    let found = users.get_many_or_load(&[1, 3, 4, 2], (), load).await.unwrap();
    assert_eq!(names(found), [Some("ann".into()), None, Some("dee".into()), Some("bob".into())]);
    let _ = users.delete_many(&[1, 2]).await.unwrap();
    assert_eq!(names(users.get_many(&[1, 2, 4]).await.unwrap()), [None, None, Some("dee".into())]);
    assert!(users.warm([(7, user("gil"))], ()).await.unwrap().failed.is_empty());
    let load = |id: u32| async move { Loaded::Ok(user(&format!("user {id}"))) };
    assert!(users.preload(&[7, 8], (), load).await.unwrap().failed.is_empty());
    assert_eq!(names(users.get_many(&[7, 8]).await.unwrap()), [Some("gil".into()), Some("user 8".into())]);
    assert_eq!(users.ttl(8).await.unwrap(), Some(MINUTE));
}

#[tokio::test]
async fn a_default_answers_for_a_miss_and_for_every_failure_and_is_not_kept() {
    let (clock, mut settings) = (FakeClock::new(), Settings::default());
    settings.on_store_error = OnStoreError::Fail;
    let server = ReferenceServer::new(clock.clone());
    let process = process_with(&clock, &server, settings);
    let cache = &process.cache;
    assert_eq!(*cache.get_or_default("limit", 100_u32).await, 100);
    assert!(!cache.exists("limit").await.unwrap());
    cache.set("limit", &7_u32, MINUTE).await.unwrap();
    assert_eq!(*cache.get_or_default("limit", 100_u32).await, 7);
    process.link.fail_next(Op::Get, 1, cache_core::ErrorKind::Unavailable);
    assert!(cache.get::<u32>("other").await.is_err());
    process.link.fail_next(Op::Get, 1, cache_core::ErrorKind::Unavailable);
    assert_eq!(*cache.get_or_default("other", 5_u32).await, 5);
    assert_eq!(*cache.get_or_default("", 6_u32).await, 6);
    cache.close();
    assert_eq!(*cache.get_or_default("limit", 8_u32).await, 8);
}
