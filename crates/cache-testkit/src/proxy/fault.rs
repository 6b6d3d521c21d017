//! What a proxy can do to a stream.

use std::time::Duration;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From client to server.
    ToServer,
    /// From server to client.
    ToClient,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::ToServer, Self::ToClient];

    pub(super) fn index(self) -> usize {
        match self {
            Self::ToServer => 0,
            Self::ToClient => 1,
        }
    }
}

/// What is done to the bytes of one direction of one connection.
///
/// Some go on until another is set; those that strike once give way to [`Fault::Pass`] afterwards. What is counted,
/// bytes or frames, is counted from the moment when the fault is set.
///
/// Frames are those of Redis. A fault of frames cuts the connection if the stream is not made of frames, so that no
/// test relies on a fault that never was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Bytes go through.
    #[default]
    Pass,
    /// A black hole: bytes are taken and lost. An end of the stream is told only after another fault is set.
    Swallow,
    /// Bytes are kept, and go on their way in order when another fault is set. After a few hundred kilobytes the
    /// sender has to wait.
    Hold,
    /// Bytes come late by `by` and a random part of `jitter`, in order. Another fault ends the waiting.
    Delay {
        /// By this much.
        by: Duration,
        /// And by up to this much more.
        jitter: Duration,
    },
    /// Bytes come in pieces.
    Slice {
        /// At most this many at once; 0 is taken as 1.
        size: usize,
        /// With this much time after each.
        pause: Duration,
    },
    /// After this many bytes the connection is closed in both directions, in good order.
    Close {
        /// These still go through.
        after: usize,
    },
    /// After this many bytes the connection is reset.
    Reset {
        /// These still go through.
        after: usize,
    },
    /// One bit is turned over, once.
    Flip {
        /// In this byte, the next one being 0.
        byte: usize,
        /// This bit of it, 0 to 7 from the least significant.
        bit: u8,
    },
    /// One frame is lost, once. Pushes are not counted and pass.
    DropFrame {
        /// After this many that pass.
        skip: usize,
    },
    /// Several frames in a row are lost, once: as many as a call waits for make later calls get one another's replies.
    /// Pushes are not counted and pass.
    DropFrames {
        /// After this many that pass.
        skip: usize,
        /// This many.
        frames: usize,
    },
    /// One frame comes twice, once. Pushes are not counted and pass.
    RepeatFrame {
        /// After this many that pass.
        skip: usize,
    },
    /// Two frames change places, once. Pushes are not counted and pass.
    SwapFrames {
        /// After this many that pass.
        skip: usize,
    },
    /// Everything passes but pushes, which are lost.
    DropPushes,
}
