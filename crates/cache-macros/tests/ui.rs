//! What the compiler says of mistakes. After a change of the messages: `TRYBUILD=overwrite cargo test -p cache-macros --test ui`.

#[test]
fn mistakes_are_explained_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
