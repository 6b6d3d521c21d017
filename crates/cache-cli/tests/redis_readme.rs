//! The examples of the README run, and print what stands there.
#![allow(clippy::unwrap_used, reason = "tests")]

use cache_testkit::redis::{Options, RedisServer};

#[test]
fn the_examples_of_the_readme_print_what_stands_there() {
    let server = RedisServer::launch(&Options::new()).unwrap();
    trycmd::TestCases::new()
        .register_bin("cachectl", trycmd::cargo::cargo_bin!("cachectl"))
        .env("CACHE_REDIS_URL", server.url())
        .env("CACHE_NAMESPACE", "shop")
        .case("README.md")
        .run();
}
