//! The keys: who writes each, and in which way.

/// How a key's value comes into the cache and how it is made void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Set and deleted, through a cache or by plain commands.
    Written,
    /// Loaded from the origin, and deleted when that has changed.
    Loaded,
    /// Loaded from the origin, and invalidated by its tag when that has changed.
    Tagged,
}

/// Who writes a key. Each key has one writer, whose versions grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writer {
    /// The cache of this process.
    Process(usize),
    /// Plain commands from outside.
    Outside,
}

#[derive(Clone, Debug)]
pub(crate) struct KeySpec {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) writer: Writer,
}

/// The namespace of all caches.
pub(crate) const NAMESPACE: &str = "staleness";

/// All keys, the same in every process. Some have a writer outside if there is to be one.
pub(crate) fn layout(processes: usize, has_outside: bool) -> Vec<KeySpec> {
    let by_process = |index: usize| Writer::Process(index % processes);
    let outside = |index| if has_outside { Writer::Outside } else { by_process(index) };
    let mut keys = Vec::new();
    let mut add = |count: usize, name: &str, kind: Kind, writer: &dyn Fn(usize) -> Writer| {
        keys.extend((0..count).map(|i| KeySpec { name: format!("{name}:{i}"), kind, writer: writer(i) }));
    };
    add(8, "cached", Kind::Written, &by_process);
    add(8, "plain", Kind::Written, &outside);
    add(4, "loaded", Kind::Loaded, &by_process);
    add(4, "plainly-deleted", Kind::Loaded, &outside);
    add(4, "tagged", Kind::Tagged, &by_process);
    keys
}

/// The tag of a tagged key.
pub(crate) fn tag(key: &str) -> String {
    format!("tag-of-{key}")
}
