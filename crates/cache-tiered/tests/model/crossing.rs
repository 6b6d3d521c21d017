//! Reads and changes of one key that are under way at the same time.

use cache_testkit::{Op as ServerOp, settle};
use proptest::prelude::*;

use crate::driver::{Checked, Driver};
use crate::op::{Handle, Held, Key, Op};
use crate::real::{fresh, read};
use crate::rules::Found;

impl Driver {
    /// A read is held until a change is done; or a change is held until a read is done.
    pub(crate) async fn read_across(&mut self, h: Handle, k: Key, held: Held, change: &Op) -> Checked {
        let Some(link) = self.links.get(h) else { return Ok(()) };
        let gate = match held {
            Held::Question => link.hold(ServerOp::Get),
            Held::Reply => link.hold_reply(ServerOp::Get),
            Held::Change => return self.change_across(h, k, change).await,
        };
        let cache = self.caches[h].clone();
        let read = || tokio::spawn(read(cache.clone(), k));
        let (before, first) = (self.model.find(k), read());
        settle().await;
        if !gate.is_reached() {
            prop_assert_eq!(first.await.unwrap(), fresh(&before), "a read that tier 1 answers");
            self.model.read(h, k);
            return Ok(());
        }
        Box::pin(self.apply(change)).await?;
        settle().await;
        let second = read();
        settle().await;
        gate.release();
        let first = first.await.unwrap();
        let after = self.model.read(h, k);
        prop_assert_eq!(second.await.unwrap(), fresh(&after), "a read after the change");
        self.check_across(h, first, &before, &after)
    }

    async fn change_across(&mut self, h: Handle, k: Key, change: &Op) -> Checked {
        let (by, call) = match change {
            Op::Set(by, ..) => (by, ServerOp::Put),
            Op::Delete(by, _) => (by, ServerOp::Remove),
            Op::Expire(by, _) => (by, ServerOp::Get),
            Op::InvalidateTag(by, _) | Op::Clear(by) => (by, ServerOp::BumpMark),
            _ => return Ok(()),
        };
        let gate = self.links[self.handle(*by)].hold(call);
        let before = self.model.find(k);
        let reader = {
            let cache = self.caches[h].clone();
            tokio::spawn(async move {
                gate.reached().await;
                let value = read(cache, k).await;
                gate.release();
                value
            })
        };
        Box::pin(self.apply(change)).await?;
        settle().await;
        if !reader.is_finished() {
            // The change was skipped, so the reader waits for nothing.
            reader.abort();
            return Ok(());
        }
        let (first, after) = (reader.await.unwrap(), self.model.find(k));
        self.check_across(h, first, &before, &after)?;
        self.model.read(h, k);
        prop_assert_eq!(read(self.caches[h].clone(), k).await, fresh(&after), "a read after the change");
        Ok(())
    }

    fn check_across(&mut self, h: Handle, value: Option<u64>, before: &Found, after: &Found) -> Checked {
        self.model.count_read(h, value.is_some());
        prop_assert!([fresh(before), fresh(after)].contains(&value), "a read across a change: {:?}", value);
        Ok(())
    }
}
