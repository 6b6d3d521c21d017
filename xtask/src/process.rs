//! Runs other programs: in the open, or watched line by line with a time limit.

use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long a watched program may take.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// From its start to its end.
    Total(Duration),
    /// From one line of output to the next.
    Silence(Duration),
}

/// How a watched program ended, and all that it wrote.
pub(crate) struct Ran {
    /// `None` if it was killed at its limit.
    pub(crate) status: Option<ExitStatus>,
    pub(crate) output: String,
}

impl Ran {
    pub(crate) fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// Shows the command, runs it in the open and tells whether it succeeded.
pub(crate) fn shown(command: &mut Command) -> Result<bool, String> {
    println!("\n$ {}", display(command));
    let status = command.status().map_err(|error| cannot(command, &error))?;
    Ok(status.success())
}

/// Whether the command can be run and succeeds. Its output is thrown away.
pub(crate) fn silent(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|s| s.success())
}

/// Runs the command and returns what it wrote to its standard output.
pub(crate) fn read(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::piped()).output().map_err(|error| cannot(command, &error))?;
    if !output.status.success() {
        return Err(format!(
            "`{}` failed:\n{}",
            display(command),
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs the command with both outputs in one stream, hands out each line, and kills it and all that it started
/// when it takes longer than its limit.
pub(crate) fn watched(
    command: &mut Command,
    limit: Limit,
    mut on_line: impl FnMut(&str),
) -> Result<Ran, String> {
    let (reader, writer) = io::pipe().map_err(|error| cannot(command, &error))?;
    let second = writer.try_clone().map_err(|error| cannot(command, &error))?;
    command.stdin(Stdio::null()).stdout(writer).stderr(second).process_group(0);
    let mut child = command.spawn().map_err(|error| cannot(command, &error))?;
    // The command owns the writing ends. As long as they are open here, the reader would never see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
            line.clear();
        }
    });

    let mut output = String::new();
    let mut deadline = Instant::now() + duration(limit);
    let mut status = None;
    loop {
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => {
                on_line(line.trim_end());
                output.push_str(&line);
                if let Limit::Silence(silence) = limit {
                    deadline = Instant::now() + silence;
                }
            }
            // Something that the program left behind may hold the stream open: its own end is what counts.
            Err(RecvTimeoutError::Timeout) if status.is_some() => break,
            Err(RecvTimeoutError::Timeout) => {
                status = child.try_wait().map_err(|error| cannot(command, &error))?;
            }
            Err(RecvTimeoutError::Disconnected) if status.is_some() => break,
            Err(RecvTimeoutError::Disconnected) => {
                status = child.try_wait().map_err(|error| cannot(command, &error))?;
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        if status.is_none() && Instant::now() >= deadline {
            break;
        }
    }
    // Also after a regular end: nothing that a program started outlives it.
    kill_group(&mut child);
    Ok(Ran { status, output })
}

/// The command as a person would type it.
pub(crate) fn display(command: &Command) -> String {
    let mut line = String::new();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            line.push_str(&format!("{}={:?} ", name.to_string_lossy(), value.to_string_lossy()));
        }
    }
    let program = Path::new(command.get_program());
    line.push_str(&program.file_name().unwrap_or(program.as_os_str()).to_string_lossy());
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

fn duration(limit: Limit) -> Duration {
    match limit {
        Limit::Total(duration) | Limit::Silence(duration) => duration,
    }
}

/// The standard library can kill a child, but not the group that it leads.
fn kill_group(child: &mut Child) {
    silent(Command::new("sh").arg("-c").arg(format!("kill -s KILL -- -{}", child.id())));
    // Whatever became of the group, the child itself is gone afterwards, and waiting for it ends.
    drop(child.kill());
    drop(child.wait());
}

fn cannot(command: &Command, error: &io::Error) -> String {
    format!("cannot run `{}`: {error}", display(command))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script);
        command
    }

    #[test]
    fn both_outputs_come_in_one_stream_and_in_order() {
        let mut seen = Vec::new();
        let ran = watched(
            &mut shell("echo one; echo two >&2; echo three; exit 3"),
            Limit::Total(Duration::from_secs(20)),
            |line| seen.push(line.to_owned()),
        )
        .unwrap();
        assert_eq!(seen, ["one", "two", "three"]);
        assert_eq!(ran.output, "one\ntwo\nthree\n");
        assert_eq!(ran.status.unwrap().code(), Some(3));
    }

    #[test]
    fn a_hung_program_and_its_children_end_at_the_limit() {
        let start = Instant::now();
        // The child keeps the stream open: without the kill of the whole group the reader would wait for it.
        let ran = watched(
            &mut shell("sleep 600 & echo $!; sleep 600"),
            Limit::Total(Duration::from_millis(300)),
            |_| {},
        )
        .unwrap();
        assert!(ran.status.is_none() && !ran.succeeded());
        assert!(start.elapsed() < Duration::from_secs(60));
        let child = ran.output.trim();
        let gone = || silent(&mut shell(&format!("! kill -0 {child}")));
        // A killed orphan stays a zombie until the system reaps it.
        let zombie = || silent(&mut shell(&format!("grep -q '^State:.Z' /proc/{child}/status")));
        assert!(gone() || zombie());
    }

    #[test]
    fn silence_is_counted_from_the_last_line() {
        let ran = watched(
            &mut shell("for i in 1 2 3 4 5 6; do echo $i; sleep 0.2; done"),
            Limit::Silence(Duration::from_secs(1)),
            |_| {},
        )
        .unwrap();
        assert!(ran.succeeded(), "it runs longer than its limit of silence, and is never silent that long");
    }
}
