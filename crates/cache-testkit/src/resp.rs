//! The protocol of Redis, as far as a launcher, a proxy and a foreign client need it: where a frame ends, and what it says.

/// The longest line that a header may have. What is longer is no RESP.
const LINE: usize = 64 * 1024;
/// What a frame may begin with.
const KINDS: &[u8] = b"+-:_#,($!=*~%>|";

/// What a server answered.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// No value.
    Nil,
    /// A status line, a string, or a number that is not an integer, in its text form.
    Bytes(Vec<u8>),
    /// An integer; 0 or 1 for a boolean.
    Integer(i64),
    /// An error, with its code: `WRONGTYPE Operation against …`.
    Error(String),
    /// A list or a set; a map as keys and values in turn.
    List(Vec<Reply>),
    /// What the server says unasked.
    Push(Vec<Reply>),
}

impl Reply {
    /// The text of a string or status, or an integer in digits; empty for everything else.
    pub fn text(&self) -> String {
        match self {
            Self::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Error(text) => text.clone(),
            Self::Nil | Self::List(_) | Self::Push(_) => String::new(),
        }
    }

    /// The integer, if it is one, also one that came as text.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => self.text().parse().ok(),
        }
    }

    /// The parts of a list or push; none for everything else.
    pub fn items(&self) -> &[Reply] {
        match self {
            Self::List(items) | Self::Push(items) => items,
            _ => &[],
        }
    }
}

/// Bytes that are no RESP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotResp;

/// A command as a client sends it.
pub(crate) fn command<A: AsRef<[u8]>>(parts: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        let part = part.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        bytes.extend_from_slice(part);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Finds where the frames of a stream end, in whatever pieces it comes.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    /// Frames still to come for the current one to be complete: lists have others in them.
    frames: u64,
    /// Bytes still to come of the body of the innermost frame.
    body: usize,
    /// The part of a header that came already.
    header: Vec<u8>,
}

impl Splitter {
    /// How many of these bytes belong to the current frame, attributes before it included, and whether it ends with
    /// them. The rest is for the next call.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(usize, bool), NotResp> {
        if self.is_between() {
            self.frames = 1;
        }
        let mut at = 0;
        while self.frames > 0 || self.body > 0 {
            if self.body > 0 {
                let taken = self.body.min(bytes.len() - at);
                at += taken;
                self.body -= taken;
                if self.body > 0 {
                    return Ok((at, false));
                }
                continue;
            }
            let rest = &bytes[at..];
            let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
            self.header.extend_from_slice(&rest[..end]);
            at += end;
            if self.header.first().is_some_and(|kind| !KINDS.contains(kind)) || self.header.len() > LINE {
                return Err(NotResp);
            }
            if self.header.last() != Some(&b'\n') {
                return Ok((at, false));
            }
            let header = Header::read(&self.header)?;
            self.header.clear();
            self.body = header.body;
            self.frames = (self.frames - 1).saturating_add(header.children);
        }
        Ok((at, true))
    }

    /// Whether no frame has begun.
    pub(crate) fn is_between(&self) -> bool {
        self.frames == 0 && self.body == 0 && self.header.is_empty()
    }
}

/// Whether these bytes begin what the server says unasked.
pub(crate) fn is_push(frame: &[u8]) -> bool {
    frame.first() == Some(&b'>')
}

/// What a complete frame says.
pub(crate) fn parse(frame: &[u8]) -> Result<Reply, NotResp> {
    parse_at(frame, &mut 0, 0)
}

/// No server nests deeper, and a stack is finite.
const DEPTH: usize = 64;

fn parse_at(bytes: &[u8], at: &mut usize, depth: usize) -> Result<Reply, NotResp> {
    if depth > DEPTH {
        return Err(NotResp);
    }
    let rest = bytes.get(*at..).ok_or(NotResp)?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n").ok_or(NotResp)?;
    let header = Header::read(&rest[..end + 2])?;
    let line = String::from_utf8_lossy(&rest[1..end]).into_owned();
    let body_end = (end + 2).checked_add(header.body).ok_or(NotResp)?;
    let body = rest.get(end + 2..body_end).ok_or(NotResp)?;
    *at += body_end;
    let text = || body.strip_suffix(b"\r\n").unwrap_or(body).to_vec();
    let kind = rest[0];
    Ok(match kind {
        b'-' => Reply::Error(line),
        b'!' => Reply::Error(String::from_utf8_lossy(&text()).into_owned()),
        b':' => Reply::Integer(line.parse().map_err(|_| NotResp)?),
        b'#' => Reply::Integer(i64::from(line == "t")),
        b'_' => Reply::Nil,
        b'$' | b'*' if line == "-1" => Reply::Nil,
        b'$' => Reply::Bytes(text()),
        // The first four bytes name the format.
        b'=' => Reply::Bytes(text().split_off(4.min(text().len()))),
        b'*' | b'~' | b'%' | b'>' | b'|' => {
            let children = if kind == b'|' { header.children - 1 } else { header.children };
            let mut items = Vec::new();
            for _ in 0..children {
                items.push(parse_at(bytes, at, depth + 1)?);
            }
            match kind {
                b'>' => Reply::Push(items),
                // An attribute stands before what it describes.
                b'|' => parse_at(bytes, at, depth + 1)?,
                _ => Reply::List(items),
            }
        }
        _ => Reply::Bytes(line.into_bytes()),
    })
}

/// The line that starts each frame, and what it announces.
struct Header {
    /// Bytes of its body, with their line end.
    body: usize,
    /// Frames that belong to it.
    children: u64,
}

impl Header {
    /// Reads a line with its end.
    fn read(line: &[u8]) -> Result<Self, NotResp> {
        let (kind, count) = line.strip_suffix(b"\r\n").and_then(<[u8]>::split_first).ok_or(NotResp)?;
        let mut header = Self { body: 0, children: 0 };
        let count =
            || std::str::from_utf8(count).ok().and_then(|count| count.parse::<i64>().ok()).ok_or(NotResp);
        match kind {
            // -1 stands for no value, and has no body.
            b'$' | b'!' | b'=' => {
                if let Ok(length) = usize::try_from(count()?) {
                    header.body = length.checked_add(2).ok_or(NotResp)?;
                }
            }
            b'*' | b'~' | b'>' => header.children = u64::try_from(count()?).unwrap_or(0),
            b'%' | b'|' => {
                let pairs = u64::try_from(count()?).map_err(|_| NotResp)?;
                // What an attribute describes follows it, and belongs to the same answer.
                header.children = pairs.saturating_mul(2).saturating_add(u64::from(*kind == b'|'));
            }
            _ => {}
        }
        Ok(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAMES: &[&str] = &[
        "+OK\r\n",
        "-ERR no\r\n",
        ":-7\r\n",
        "_\r\n",
        "#t\r\n",
        ",1.5\r\n",
        "$-1\r\n",
        "$0\r\n\r\n",
        "$4\r\na\r\nb\r\n",
        "*-1\r\n",
        "*0\r\n",
        "*2\r\n$1\r\na\r\n*1\r\n:1\r\n",
        "%1\r\n+k\r\n+v\r\n",
        ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n",
        "|1\r\n+ttl\r\n:1\r\n+v\r\n",
        "=7\r\ntxt:abc\r\n",
    ];

    /// The length of the first frame, if it is complete.
    fn frame_len(bytes: &[u8]) -> Result<Option<usize>, NotResp> {
        Splitter::default().take(bytes).map(|(taken, complete)| complete.then_some(taken))
    }

    #[test]
    fn a_frame_ends_where_it_ends_and_no_earlier() {
        for frame in FRAMES {
            let stream = format!("{frame}+NEXT\r\n");
            assert_eq!(frame_len(stream.as_bytes()), Ok(Some(frame.len())), "{frame:?}");
            for cut in 0..frame.len() {
                assert_eq!(frame_len(&frame.as_bytes()[..cut]), Ok(None), "{frame:?} cut at {cut}");
            }
        }
    }

    #[test]
    fn frames_are_found_in_whatever_pieces_they_come() {
        let stream = FRAMES.concat();
        for size in 1..=stream.len() {
            let (mut splitter, mut lengths, mut length) = (Splitter::default(), Vec::new(), 0);
            for piece in stream.as_bytes().chunks(size) {
                let mut rest = piece;
                while !rest.is_empty() {
                    let (taken, complete) = splitter.take(rest).unwrap();
                    length += taken;
                    rest = &rest[taken..];
                    if complete {
                        lengths.push(std::mem::take(&mut length));
                    }
                    assert_eq!(splitter.is_between(), complete);
                }
            }
            assert_eq!(lengths, FRAMES.iter().map(|frame| frame.len()).collect::<Vec<_>>(), "by {size}");
        }
    }

    #[test]
    fn every_kind_of_frame_is_read() {
        let bytes = |text: &str| Reply::Bytes(text.into());
        let read: Vec<Reply> = FRAMES.iter().map(|frame| parse(frame.as_bytes()).unwrap()).collect();
        let wanted = [
            bytes("OK"),
            Reply::Error("ERR no".into()),
            Reply::Integer(-7),
            Reply::Nil,
            Reply::Integer(1),
            bytes("1.5"),
            Reply::Nil,
            bytes(""),
            bytes("a\r\nb"),
            Reply::Nil,
            Reply::List(vec![]),
            Reply::List(vec![bytes("a"), Reply::List(vec![Reply::Integer(1)])]),
            Reply::List(vec![bytes("k"), bytes("v")]),
            Reply::Push(vec![bytes("invalidate"), Reply::List(vec![bytes("k")])]),
            bytes("v"),
            bytes("abc"),
        ];
        assert_eq!(read, wanted);
        assert!(is_push(FRAMES[13].as_bytes()) && !is_push(FRAMES[11].as_bytes()));
    }

    #[test]
    fn what_is_no_frame_is_said_to_be_none() {
        for bytes in ["GET / HTTP/1.1\r\n", "$x\r\n", "*9999999999999999999\r\n", "%-1\r\n"] {
            assert_eq!(frame_len(bytes.as_bytes()), Err(NotResp), "{bytes:?}");
        }
        let deep = "*1\r\n".repeat(1000) + ":1\r\n";
        assert_eq!(parse(deep.as_bytes()), Err(NotResp));
    }

    #[test]
    fn a_command_is_a_list_of_strings() {
        assert_eq!(command(&["GET", "k"]), b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
        assert_eq!(frame_len(&command(&["SET", "k", "\r\n"])), Ok(Some(28)));
    }
}
