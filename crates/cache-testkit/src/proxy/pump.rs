//! Moves the bytes of one direction of one connection, and does to them what the fault says.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::Fault;
use super::frames::Frames;
use super::slot::{Slot, settle};

/// Chunks that are on their way. Then the sender has to wait, as it would for a full window.
const CHUNKS: usize = 32;
const CHUNK: usize = 16 * 1024;

/// How a connection ends before its peers end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Close,
    Reset,
}

/// What is counted of one direction, over all connections.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) bytes: AtomicU64,
    pub(super) struck: AtomicU64,
}

enum Piece {
    Bytes(Instant, Vec<u8>),
    /// The sender closed its side.
    Closed,
    /// The sender reset the connection.
    Broken,
}

/// One direction of one connection.
pub(super) struct Pump<'a> {
    slot: Arc<watch::Sender<Slot>>,
    changes: watch::Receiver<Slot>,
    tally: &'a Tally,
    random: u64,
    frames: Frames,
    /// The fault that bytes were counted for.
    generation: u64,
    count: usize,
}

impl<'a> Pump<'a> {
    pub(super) fn new(slot: Arc<watch::Sender<Slot>>, tally: &'a Tally, random: u64) -> Self {
        let changes = slot.subscribe();
        Self { slot, changes, tally, random, frames: Frames::default(), generation: 0, count: 0 }
    }

    /// Runs until this direction has ended. An [`End`] is for the whole connection.
    pub(super) async fn run(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Option<End> {
        let (sender, mut pieces) = mpsc::channel(CHUNKS);
        let read = async move {
            let mut buffer = vec![0; CHUNK];
            loop {
                let piece = match from.read(&mut buffer).await {
                    Ok(0) => Piece::Closed,
                    Ok(read) => Piece::Bytes(Instant::now(), buffer[..read].to_vec()),
                    Err(_) => Piece::Broken,
                };
                let is_last = !matches!(piece, Piece::Bytes(..));
                if sender.send(piece).await.is_err() || is_last {
                    return;
                }
            }
        };
        let write = async move {
            while let Some(piece) = pieces.recv().await {
                let done = match piece {
                    Piece::Bytes(came, bytes) => self.bytes(&mut to, came, &bytes).await,
                    Piece::Closed => return self.closed(&mut to).await,
                    Piece::Broken => {
                        self.opened().await;
                        return Some(End::Reset);
                    }
                };
                match done {
                    Ok(None) => {}
                    Ok(end) => return end,
                    // The receiver is gone. The other direction tells the sender.
                    Err(_) => return None,
                }
            }
            None
        };
        // The reader never ends a connection, and its wait is over when the writer's work is.
        tokio::pin!(read, write);
        tokio::select! {
            end = &mut write => end,
            () = &mut read => write.await,
        }
    }

    /// Does to these bytes what the fault says, and looks again each time another one is set.
    async fn bytes(
        &mut self,
        to: &mut WriteHalf<'_>,
        came: Instant,
        mut bytes: &[u8],
    ) -> io::Result<Option<End>> {
        let mut late_by = None;
        while !bytes.is_empty() {
            let slot = self.current(to).await?;
            match slot.fault {
                Fault::Pass => {
                    self.send(to, bytes).await?;
                    return Ok(None);
                }
                Fault::Swallow => {
                    self.frames.pass(bytes);
                    self.strike();
                    return Ok(None);
                }
                Fault::Hold => {
                    self.strike();
                    self.change().await;
                }
                Fault::Delay { by, jitter } => {
                    let late_by = *late_by.get_or_insert_with(|| by + self.random_part(jitter));
                    tokio::select! {
                        () = sleep_until(came + late_by) => {
                            self.strike();
                            self.send(to, bytes).await?;
                            return Ok(None);
                        }
                        _ = self.changes.changed() => {}
                    }
                }
                Fault::Slice { size, pause } => {
                    let (piece, rest) = bytes.split_at(size.max(1).min(bytes.len()));
                    self.strike();
                    self.send(to, piece).await?;
                    bytes = rest;
                    if pause.is_zero() {
                        tokio::task::yield_now().await;
                    } else {
                        sleep(pause).await;
                    }
                }
                Fault::Close { after } | Fault::Reset { after } => {
                    let left = after.saturating_sub(self.count);
                    let (piece, rest) = bytes.split_at(left.min(bytes.len()));
                    self.count += piece.len();
                    bytes = rest;
                    if self.count >= after {
                        self.strike();
                    }
                    self.send(to, piece).await?;
                    if self.count >= after {
                        let is_close = matches!(slot.fault, Fault::Close { .. });
                        return Ok(Some(if is_close { End::Close } else { End::Reset }));
                    }
                }
                Fault::Flip { byte, bit } => {
                    let mut bytes = bytes.to_vec();
                    let hit = byte.checked_sub(self.count).and_then(|at| bytes.get_mut(at));
                    let is_hit = hit.map(|byte| *byte ^= 1 << (bit % 8)).is_some();
                    self.count += bytes.len();
                    if is_hit {
                        self.strike();
                        settle(&self.slot, slot.generation);
                    }
                    self.send(to, &bytes).await?;
                    return Ok(None);
                }
                Fault::DropFrame { .. }
                | Fault::DropFrames { .. }
                | Fault::RepeatFrame { .. }
                | Fault::SwapFrames { .. }
                | Fault::DropPushes => {
                    let Ok(out) = self.frames.strike(slot.fault, bytes) else { return Ok(Some(End::Close)) };
                    bytes = &bytes[out.taken..];
                    if out.struck {
                        self.strike();
                    }
                    if out.over {
                        settle(&self.slot, slot.generation);
                    }
                    self.write(to, &out.bytes).await?;
                }
            }
        }
        Ok(None)
    }

    /// The fault of this moment. What an earlier one kept back goes out first.
    async fn current(&mut self, to: &mut WriteHalf<'_>) -> io::Result<Slot> {
        let slot = *self.changes.borrow_and_update();
        if slot.generation != self.generation {
            self.generation = slot.generation;
            self.count = 0;
            let kept = self.frames.release();
            if slot.fault != Fault::Swallow {
                self.write(to, &kept).await?;
            }
        }
        Ok(slot)
    }

    async fn send(&mut self, to: &mut WriteHalf<'_>, bytes: &[u8]) -> io::Result<()> {
        self.frames.pass(bytes);
        self.write(to, bytes).await
    }

    async fn write(&self, to: &mut WriteHalf<'_>, bytes: &[u8]) -> io::Result<()> {
        // Counted first: whoever has the bytes finds them counted.
        self.tally.bytes.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        to.write_all(bytes).await
    }

    fn strike(&self) {
        self.tally.struck.fetch_add(1, Ordering::Relaxed);
    }

    /// The connection holds the sender for as long as it lives, so this waits for a change and nothing else.
    async fn change(&mut self) {
        drop(self.changes.changed().await);
    }

    /// Waits until an end of the stream may be told.
    async fn opened(&mut self) {
        while matches!(self.changes.borrow_and_update().fault, Fault::Swallow | Fault::Hold) {
            self.change().await;
        }
    }

    async fn closed(&mut self, to: &mut WriteHalf<'_>) -> Option<End> {
        self.opened().await;
        // What waits for a frame that never comes.
        let kept = self.frames.release();
        drop(self.write(to, &kept).await);
        drop(to.shutdown().await);
        None
    }

    /// A random part of a span, by the splitmix64 generator.
    fn random_part(&mut self, span: Duration) -> Duration {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // 53 bits are what a float holds.
        let part = (mixed >> 11) as f64 / (1u64 << 53) as f64;
        span.mul_f64(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_delays_are_within_their_span_and_the_same_for_the_same_seed() {
        let tally = Tally::default();
        let span = Duration::from_millis(100);
        let delays = |seed| {
            let mut pump = Pump::new(Arc::default(), &tally, seed);
            (0..100).map(|_| pump.random_part(span)).collect::<Vec<_>>()
        };
        let (one, again, other) = (delays(1), delays(1), delays(2));
        assert!(one == again && one != other);
        assert!(one.iter().all(|delay| *delay < span));
        let mean = one.iter().sum::<Duration>() / 100;
        assert!((span * 3 / 10..span * 7 / 10).contains(&mean), "{mean:?}");
    }
}
