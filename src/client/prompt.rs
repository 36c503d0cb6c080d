//! The prompt: commands one a line, from a terminal or from a script. Basic on
//! purpose: line editing is the terminal's own.

use std::ffi::{OsStr, OsString};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use super::ask::program_of;
use super::hold::Held;
use super::{Client, Exit, print_line, show};
use crate::cli::{self, Parsed};
use crate::config::Error;
use crate::config::merge;
use crate::instance::Paths;
use crate::messages::client::{Say, exit};
use crate::messages::options::CommandLine;
use crate::quote::joined;
use crate::sys::descriptor::{self, StandardStream};
use crate::sys::poll::{Watch, poll};
use crate::sys::process::{self, Reaped};
use crate::sys::signal::SelfPipe;
use crate::vocabulary::Signal;

/// How long `quit` waits for a daemon manager without a program to end.
const QUIT_LIMIT: Duration = Duration::from_secs(10);

/// Lines from standard input.
struct Input {
    received: Vec<u8>,
    /// Whether somebody sits there to be prompted.
    prompted: bool,
}

enum Read {
    Line(OsString),
    /// ^C: the line so far is dropped.
    Cancelled,
    End,
}

impl Client {
    /// Reads and runs commands to the end of the input.
    pub(super) fn prompt(&mut self) -> Exit {
        self.at_prompt = true;
        let prompted = io::stdin().is_terminal();
        let mut input = Input { received: Vec::new(), prompted };
        if prompted {
            self.say(&Say::Program(&joined(&self.settings.program.0)));
            show::status(self, &[]);
        }
        let mut last = OsString::from("status");
        loop {
            while matches!(process::reap(), Reaped::Child(..)) {}
            // Whoever sees the prompt may interrupt it.
            let signals = SelfPipe::catch(&[Signal::INT]);
            self.print_prompt(&input);
            let line = match signals.and_then(|signals| input.read(&signals)) {
                Ok(Read::Line(line)) => line,
                Ok(Read::Cancelled) => continue,
                Ok(Read::End) | Err(_) => {
                    if prompted {
                        print_line(&"");
                    }
                    return exit::DONE;
                }
            };
            let line = if is_blank(&line) { last.clone() } else { line };
            last.clone_from(&line);
            if self.run_line(&line) {
                return exit::DONE;
            }
        }
    }

    fn print_prompt(&self, input: &Input) {
        if !input.prompted {
            return;
        }
        let prompt = match &self.settings.prompt.0 {
            Some(prompt) => prompt.clone(),
            None => format!("{}>", base_name(&self.name)),
        };
        let mut out = io::stdout().lock();
        let _ = write!(out, "{prompt} ").and_then(|()| out.flush());
    }

    /// Runs one line; true if it ends the prompt.
    fn run_line(&mut self, line: &OsStr) -> bool {
        let text = line.as_bytes().trim_ascii();
        let shell = text.strip_prefix(b"!");
        let words = match shell {
            Some(command) => vec!["shell".into(), OsStr::from_bytes(command.trim_ascii()).into()],
            None => split(text),
        };
        let ends = words.first().is_some_and(|word| word == "quit" || word == "EOF");
        self.one_command(&words);
        ends
    }
}

/// At the prompt, words are split on blanks; `shell` gets the rest as it is.
fn split(text: &[u8]) -> Vec<OsString> {
    let word_end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    let (command, rest) = text.split_at(word_end);
    if command == b"shell" {
        let rest = rest.trim_ascii();
        let rest = (!rest.is_empty()).then(|| OsStr::from_bytes(rest).to_os_string());
        return ["shell".into()].into_iter().chain(rest).collect();
    }
    let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.map(|word| OsStr::from_bytes(word).to_os_string()).collect()
}

fn is_blank(line: &OsStr) -> bool {
    line.as_bytes().trim_ascii().is_empty()
}

/// The name that the program was called by, without its directory and `.py`.
fn base_name(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.strip_suffix(".py").unwrap_or(name)
}

impl Input {
    /// Not through a buffered reader: what a command reads from the same input
    /// is its own.
    fn read(&mut self, signals: &SelfPipe) -> io::Result<Read> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.received) {
                let mut line: Vec<u8> = self.received.drain(..=end).collect();
                line.truncate(end);
                return Ok(Read::Line(OsString::from_vec(line)));
            }
            let input = StandardStream::Input.fd();
            let mut watches = [Watch::readable(input.as_fd()), Watch::readable(signals.fd())];
            poll(&mut watches, None)?;
            if watches.iter().skip(1).any(Watch::is_ready) {
                signals.empty();
                let _ = signals.take().count();
                self.received.clear();
                print_line(&"");
                return Ok(Read::Cancelled);
            }
            if !watches.iter().take(1).any(Watch::is_ready) {
                continue;
            }
            let mut chunk = [0; 1];
            if descriptor::read(input, &mut chunk)? == 0 {
                return Ok(match std::mem::take(&mut self.received) {
                    rest if rest.is_empty() => Read::End,
                    rest => Read::Line(OsString::from_vec(rest)),
                });
            }
            self.received.extend_from_slice(&chunk);
        }
    }
}

pub(super) fn end_of_file(_client: &mut Client, _arguments: &[OsString]) -> Exit {
    print_line(&"");
    exit::DONE
}

pub(super) fn quit(client: &mut Client, _arguments: &[OsString]) -> Exit {
    let status = match client.status() {
        Ok(status) => status,
        Err(status) => return status,
    };
    match (&status, program_of(status.as_ref())) {
        (None, _) => client.say(&Say::SupervisorNotRunning),
        (Some(_), Some(_)) => client.say(&Say::BothRunning),
        (Some(_), None) => {
            client.say(&Say::StoppingSupervisor);
            let gone = match client.hold("exit wait\n", Some(QUIT_LIMIT)) {
                Ok(wait) => {
                    let is_end =
                        |held| matches!(held, Held::Outcome(_) | Held::Closed | Held::Refused);
                    wait.is_none_or(|wait| is_end(wait.held))
                }
                Err(status) => return status,
            };
            if gone {
                client.say(&Say::SupervisorStopped);
            }
        }
    }
    exit::DONE
}

pub(super) fn reload(client: &mut Client, arguments: &[OsString]) -> Exit {
    match reloaded(client, arguments) {
        Ok(()) => {
            client.say(&Say::Reloaded(client.settings.config_file.as_deref()));
            client.warn_of_settings();
            exit::DONE
        }
        Err(why) => {
            client.usage(&why);
            client.say(&Say::NotReloaded);
            exit::USAGE
        }
    }
}

fn reloaded(client: &mut Client, arguments: &[OsString]) -> Result<(), Error> {
    let mut given = client.invocation.given.clone();
    if !arguments.is_empty() {
        let file = given.config_file.take();
        let Parsed::Run(invocation) = cli::parse(arguments, &client.base)? else {
            return Err(Error::new(CommandLine::NoActionWithReload));
        };
        if !invocation.words.is_empty() {
            return Err(Error::new(CommandLine::NoActionWithReload));
        }
        // Who shares the file with other programs goes on doing so.
        let foreign_sections = given.foreign_sections;
        given = invocation.given;
        given.config_file = given.config_file.or(file);
        given.foreign_sections |= foreign_sections;
    }
    client.settings = merge::load(&given, &client.base)?;
    client.invocation.given = given;
    let socket = client.settings.socket_name.0.clone().unwrap_or_default();
    client.paths = Paths::new(&socket);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_is_the_name_without_directory_and_python_suffix() {
        assert_eq!(base_name("/usr/bin/zdctl.py"), "zdctl");
        assert_eq!(base_name("zdaemon"), "zdaemon");
    }

    #[test]
    fn a_shell_command_keeps_its_blanks() {
        assert_eq!(split(b"shell  echo 'a  b'"), ["shell", "echo 'a  b'"]);
        assert_eq!(split(b" status   -l ".trim_ascii()), ["status", "-l"]);
    }
}
