//! Faults of whole frames: which frames go out in place of those that come in.

use super::Fault;
use crate::resp::{NotResp, Splitter, is_push};

/// What is known of the frames of one stream.
#[derive(Debug, Default)]
pub(super) struct Frames {
    splitter: Splitter,
    /// The stream is not made of frames.
    foreign: bool,
    /// The frame that is being collected.
    frame: Vec<u8>,
    /// A frame that waits to go out after the next.
    behind: Option<Vec<u8>>,
    /// Frames since the fault was set.
    count: usize,
}

/// What becomes of bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Out {
    /// These go out now.
    pub(super) bytes: Vec<u8>,
    /// How many of the bytes were taken.
    pub(super) taken: usize,
    /// The fault has struck.
    pub(super) struck: bool,
    /// It strikes only once, and that is over.
    pub(super) over: bool,
}

impl Frames {
    /// Notes bytes that go their way without regard to frames.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !self.foreign && !bytes.is_empty() {
            match self.splitter.take(bytes) {
                Ok((taken, _)) => bytes = &bytes[taken..],
                Err(NotResp) => self.foreign = true,
            }
        }
    }

    /// What was kept back for a fault that is no longer set. Counting starts again.
    pub(super) fn release(&mut self) -> Vec<u8> {
        self.count = 0;
        let mut bytes = self.behind.take().unwrap_or_default();
        bytes.append(&mut self.frame);
        bytes
    }

    /// Takes bytes up to the end of the current frame, at most.
    pub(super) fn strike(&mut self, fault: Fault, bytes: &[u8]) -> Result<Out, NotResp> {
        if self.foreign {
            return Err(NotResp);
        }
        // The beginning of this frame went out before the fault was set, so the rest follows.
        let is_late = self.frame.is_empty() && !self.splitter.is_between();
        let (taken, complete) = self.splitter.take(bytes).inspect_err(|_| self.foreign = true)?;
        if is_late {
            return Ok(Out { bytes: bytes[..taken].to_vec(), taken, ..Out::default() });
        }
        self.frame.extend_from_slice(&bytes[..taken]);
        if !complete {
            return Ok(Out { taken, ..Out::default() });
        }
        let frame = std::mem::take(&mut self.frame);
        Ok(Out { taken, ..self.whole(fault, frame) })
    }

    fn whole(&mut self, fault: Fault, frame: Vec<u8>) -> Out {
        let passes = |bytes| Out { bytes, ..Out::default() };
        let strikes = |bytes, over| Out { bytes, struck: true, over, ..Out::default() };
        if is_push(&frame) {
            return if fault == Fault::DropPushes { strikes(Vec::new(), false) } else { passes(frame) };
        }
        let at = self.count;
        self.count += 1;
        match fault {
            Fault::DropFrame { skip } if at >= skip => strikes(Vec::new(), true),
            Fault::DropFrames { skip, frames } if at >= skip => strikes(Vec::new(), at + 1 >= skip + frames),
            Fault::RepeatFrame { skip } if at >= skip => strikes([frame.clone(), frame].concat(), true),
            Fault::SwapFrames { skip } if at >= skip => match self.behind.take() {
                Some(first) => strikes([frame, first].concat(), true),
                None => {
                    self.behind = Some(frame);
                    Out::default()
                }
            },
            _ => passes(frame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out of a stream that comes in one piece, and how often the fault struck.
    fn through(fault: Fault, stream: &str) -> (String, usize) {
        let (mut frames, mut out, mut fault, mut struck) = (Frames::default(), Vec::new(), fault, 0);
        let mut rest = stream.as_bytes();
        while !rest.is_empty() {
            if fault == Fault::Pass {
                out.extend(frames.release());
                out.extend_from_slice(rest);
                break;
            }
            let step = frames.strike(fault, rest).unwrap();
            rest = &rest[step.taken..];
            out.extend(step.bytes);
            struck += usize::from(step.struck);
            if step.over {
                fault = Fault::Pass;
            }
        }
        (String::from_utf8(out).unwrap(), struck)
    }

    #[test]
    fn each_fault_of_frames_does_what_it_says() {
        let stream = "+1\r\n>1\r\n+p\r\n$1\r\n2\r\n:3\r\n+4\r\n";
        for (fault, out, struck) in [
            (Fault::DropFrame { skip: 0 }, ">1\r\n+p\r\n$1\r\n2\r\n:3\r\n+4\r\n", 1),
            (Fault::DropFrame { skip: 1 }, "+1\r\n>1\r\n+p\r\n:3\r\n+4\r\n", 1),
            (Fault::DropFrame { skip: 9 }, stream, 0),
            (Fault::DropFrames { skip: 1, frames: 2 }, "+1\r\n>1\r\n+p\r\n+4\r\n", 2),
            (Fault::RepeatFrame { skip: 2 }, "+1\r\n>1\r\n+p\r\n$1\r\n2\r\n:3\r\n:3\r\n+4\r\n", 1),
            (Fault::SwapFrames { skip: 1 }, "+1\r\n>1\r\n+p\r\n:3\r\n$1\r\n2\r\n+4\r\n", 1),
            (Fault::SwapFrames { skip: 0 }, ">1\r\n+p\r\n$1\r\n2\r\n+1\r\n:3\r\n+4\r\n", 1),
            (Fault::DropPushes, "+1\r\n$1\r\n2\r\n:3\r\n+4\r\n", 1),
        ] {
            assert_eq!(through(fault, stream), (out.to_owned(), struck), "{fault:?}");
        }
    }

    #[test]
    fn a_frame_that_has_begun_when_the_fault_is_set_ends_as_it_began() {
        let mut frames = Frames::default();
        frames.pass(b"$5\r\nab");
        let out = frames.strike(Fault::DropFrame { skip: 0 }, b"cde\r\n+next\r\n").unwrap();
        assert_eq!((out.bytes.as_slice(), out.over), (b"cde\r\n".as_slice(), false));
        let out = frames.strike(Fault::DropFrame { skip: 0 }, b"+next\r\n").unwrap();
        assert_eq!((out.bytes.len(), out.over), (0, true));
    }

    #[test]
    fn what_was_kept_back_comes_out_when_the_fault_is_taken_back() {
        let mut frames = Frames::default();
        frames.strike(Fault::SwapFrames { skip: 0 }, b"+1\r\n").unwrap();
        frames.strike(Fault::SwapFrames { skip: 0 }, b"$5\r\na").unwrap();
        assert_eq!(frames.release(), b"+1\r\n$5\r\na");
        assert_eq!(frames.release(), b"");
    }

    #[test]
    fn a_stream_of_something_else_has_no_frames() {
        let mut frames = Frames::default();
        frames.pass(b"GET / HTTP/1.1\r\n");
        assert_eq!(frames.strike(Fault::DropPushes, b"+1\r\n"), Err(NotResp));
    }
}
