//! A shared or boxed store is a store.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    Capability, Claim, Error, FeedSink, Key, LinkId, LinkState, Mark, Marks, Namespace, Page, PutIf, Read,
    RemoveIf, Stamp, Store, Ttl, Version, Written,
};

macro_rules! forward {
    ($pointer:ident) => {
        // A method that is added to the trait and forgotten here must not compile.
        #[deny(clippy::missing_trait_methods)]
        #[async_trait]
        impl<S: Store + ?Sized> Store for $pointer<S> {
            fn capability(&self) -> Capability {
                (**self).capability()
            }

            fn link_state(&self) -> LinkState {
                (**self).link_state()
            }

            fn subscribe(&self, namespace: &Namespace, sink: Weak<dyn FeedSink>) {
                (**self).subscribe(namespace, sink);
            }

            fn suspect(&self, link: LinkId) {
                (**self).suspect(link);
            }

            async fn get(&self, key: &Key) -> Result<Read, Error> {
                (**self).get(key).await
            }

            async fn get_many(&self, keys: &[Key]) -> Vec<Result<Read, Error>> {
                (**self).get_many(keys).await
            }

            async fn put(
                &self,
                key: &Key,
                bytes: Bytes,
                ttl: Ttl,
                condition: PutIf,
            ) -> Result<Written, Error> {
                (**self).put(key, bytes, ttl, condition).await
            }

            async fn remove(&self, key: &Key, condition: RemoveIf) -> Result<bool, Error> {
                (**self).remove(key, condition).await
            }

            async fn claim(
                &self,
                key: &Key,
                lease: Bytes,
                ttl: Ttl,
                over: Option<Version>,
            ) -> Result<Claim, Error> {
                (**self).claim(key, lease, ttl, over).await
            }

            async fn read_marks(&self, namespace: &Namespace, marks: &[Mark]) -> Result<Marks, Error> {
                (**self).read_marks(namespace, marks).await
            }

            async fn bump_mark(&self, namespace: &Namespace, mark: &Mark) -> Result<Stamp, Error> {
                (**self).bump_mark(namespace, mark).await
            }

            async fn scan(&self, namespace: &Namespace, cursor: u64, count: usize) -> Result<Page, Error> {
                (**self).scan(namespace, cursor, count).await
            }
        }
    };
}

forward!(Arc);
forward!(Box);
