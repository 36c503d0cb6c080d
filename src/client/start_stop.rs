//! `start`, `stop`, `restart`, `wait` and `kill`: each returns when the thing
//! has happened, and says so.

use std::ffi::OsString;
use std::time::Duration;

use super::ask::program_of;
use super::hold::{Held, WAIT, Wait};
use super::{Client, Exit, print_line};
use crate::instance::Survivor;
use crate::launch::Purpose;
use crate::messages::client::{Complain, Say, exit};
use crate::messages::supervisor::{LaunchError, Stray};
use crate::protocol::{Outcome, Status};
use crate::quote::quoted;
use crate::sys::{process, signal};
use crate::vocabulary::{Pid, Signal};

/// What a client waits beyond the supervisor's own limits, so that the truth
/// comes from there if it comes at all.
const MARGIN: Duration = Duration::from_secs(15);
const STOP: &str = "stop wait\n";
const RESTART: &str = "restart wait\n";
/// How many supervisors may vanish under one `restart`.
const RESTARTS: usize = 5;

pub(super) fn start(client: &mut Client, arguments: &[OsString]) -> Exit {
    settle(start_program(client, arguments))
}

/// An error that has been printed is a status like any other.
fn settle(result: Result<Exit, Exit>) -> Exit {
    result.unwrap_or_else(|status| status)
}

fn start_program(client: &Client, arguments: &[OsString]) -> Result<Exit, Exit> {
    let status = client.status()?;
    match &status {
        Some(status) if is_stopping(status) => start_here(client, arguments),
        Some(Status { program: Some(pid), .. }) => {
            client.say(&Say::AlreadyRunning(*pid));
            Ok(exit::DONE)
        }
        Some(_) => start_here(client, arguments),
        None => start_anew(client, arguments),
    }
}

/// Asks a supervisor that is there to start its program. If that one is ending,
/// another takes its place.
fn start_here(client: &Client, arguments: &[OsString]) -> Result<Exit, Exit> {
    let wait = match client.hold("start wait\n", Some(client.start_limit()))? {
        None | Some(Wait { held: Held::Refused, .. }) => return start_anew(client, arguments),
        Some(wait) if wait.held == Held::Closed => poll_for_start(client, None)?,
        Some(wait) => wait,
    };
    Ok(client.started(&wait, Say::Started))
}

fn start_anew(client: &Client, arguments: &[OsString]) -> Result<Exit, Exit> {
    let words = client.program_words(arguments)?;
    if !client.settings.daemon.0 {
        return client.supervise_here(&words);
    }
    let survivor = client.survivor().map_err(|_| exit::FAILED)?;
    let wait = client.launch(&words, client.start_limit(), Purpose::Run)?;
    match (wait.held, survivor) {
        (Held::Outcome(Outcome::Up(pid)), Some(before)) if pid == before => {
            client.say(&Say::AlreadyRunning(pid));
            Ok(exit::DONE)
        }
        _ => Ok(client.started(&wait, Say::Started)),
    }
}

/// A program that is there only because its end is awaited.
fn is_stopping(status: &Status) -> bool {
    status.program.is_some() && (!status.should_be_up || status.stopping)
}

fn poll_for_start(client: &Client, old: Option<Pid>) -> Result<Wait, Exit> {
    client.poll_until(Some(client.start_limit()), |status| match status {
        None => Some(Held::Closed),
        Some(Status { program: Some(pid), testing: false, .. }) if Some(*pid) != old => {
            Some(Held::Outcome(Outcome::Up(*pid)))
        }
        Some(_) => None,
    })
}

/// As `zdrun`: silent when all is well, and done as soon as the program is up.
pub(super) fn supervise(client: &Client) -> Exit {
    let words = &client.settings.program.0;
    match client.status() {
        Ok(Some(status)) => {
            let (socket, text) = (&client.paths.socket, status.text());
            let rival = LaunchError::Rival { socket, status: text.trim_end() };
            client.complain(&Complain::Error(&rival));
            return exit::FAILED;
        }
        Ok(None) => {}
        Err(status) => return status,
    }
    if !client.settings.daemon.0 {
        return settle(client.supervise_here(words));
    }
    settle(client.launch(words, client.start_limit(), Purpose::Run).map(|wait| match wait.held {
        Held::Outcome(Outcome::Up(_)) => exit::DONE,
        Held::Outcome(_) | Held::Closed | Held::Refused | Held::Interrupted | Held::TimedOut => {
            exit::FAILED
        }
    }))
}

pub(super) fn stop(client: &mut Client, _arguments: &[OsString]) -> Exit {
    settle(stop_program(client))
}

fn stop_program(client: &Client) -> Result<Exit, Exit> {
    let Some((status, wait)) = client.hold_reported(STOP, client.stop_limit())? else {
        return stop_without_supervisor(client);
    };
    let old = status.program;
    if old.is_none() && !status.should_be_up {
        client.say(&Say::ProgramNotRunning);
        return Ok(exit::DONE);
    }
    let wait = match client.hold_unless(wait, STOP, client.stop_limit())? {
        Some(wait) if wait.held == Held::Closed => {
            client.poll_until(client.stop_limit(), |status| {
                let gone = program_of(status).is_none() || program_of(status) != old;
                gone.then_some(Held::Closed)
            })?
        }
        Some(wait) => wait,
        None => Wait::NOBODY,
    };
    if client.remains_after(&wait)? != Survivor::None {
        return stop_without_supervisor(client);
    }
    Ok(client.stopped(&wait))
}

/// What a killed supervisor left running gets a new one that stops it.
fn stop_without_supervisor(client: &Client) -> Result<Exit, Exit> {
    if client.remains()? == Survivor::None {
        client.say(&Say::SupervisorNotRunning);
        return Ok(exit::DONE);
    }
    let words = client.program_words(&[])?;
    client.launch(&words, client.start_limit(), Purpose::Stop)?;
    let wait = client.hold(STOP, client.stop_limit())?;
    let wait = wait.unwrap_or(Wait::NOBODY);
    match client.remains_after(&wait)? {
        Survivor::Program(pid) => {
            client.say_after_wait(wait.dots, &Say::Unsupervised(pid));
            Ok(exit::FAILED)
        }
        Survivor::Strays(_) => {
            client.complain(&Complain::Error(&Stray::Left));
            Ok(exit::FAILED)
        }
        Survivor::None | Survivor::Doubtful(_) => Ok(client.stopped(&wait)),
    }
}

pub(super) fn restart(client: &mut Client, arguments: &[OsString]) -> Exit {
    settle(restart_program(client, arguments))
}

/// A supervisor that ends or is killed while it is asked is looked for anew:
/// what it leaves running is restarted too, and is not taken for the new program.
fn restart_program(client: &Client, arguments: &[OsString]) -> Result<Exit, Exit> {
    for _ in 0..RESTARTS {
        let limit = client.stop_limit().map(|limit| limit.saturating_add(client.start_limit()));
        let (old, wait) = match client.hold_reported(RESTART, limit)? {
            Some((status, wait)) => (status.program, wait),
            None if client.settings.daemon.0 => match client.take_over()? {
                Ok(survivor) => (survivor, None),
                Err(wait) => return Ok(client.started(&wait, Say::Restarted)),
            },
            None => (None, None),
        };
        if old.is_none() && wait.is_none() {
            break;
        }
        let wait = match client.hold_unless(wait, RESTART, limit)? {
            None | Some(Wait { held: Held::Refused, .. }) => continue,
            Some(wait) if wait.held == Held::Closed => poll_for_start(client, old)?,
            Some(wait) => wait,
        };
        // Where nothing ran, to restart is to start.
        return Ok(client.started(&wait, old.map_or(Say::Started, |_| Say::Restarted)));
    }
    start_program(client, arguments)
}

pub(super) fn wait(client: &mut Client, _arguments: &[OsString]) -> Exit {
    settle(wait_for_end(client))
}

fn wait_for_end(client: &mut Client) -> Result<Exit, Exit> {
    let mut waited = Wait::NOBODY;
    let old = program_of(client.status()?.as_ref());
    if old.is_some() {
        waited = client.hold(WAIT, None)?.unwrap_or(waited);
        if waited.held == Held::Closed {
            waited = client
                .poll_until(None, |status| (program_of(status) != old).then_some(Held::Closed))?;
        }
    }
    if let Survivor::Program(pid) = client.remains_after(&waited)? {
        client.say_after_wait(waited.dots, &Say::Unsupervised(pid));
        return Ok(exit::UNCLEAR);
    }
    let status = client.stopped(&waited);
    if status == exit::DONE {
        super::show::status(client, &[]);
    }
    Ok(status)
}

pub(super) fn kill(client: &mut Client, arguments: &[OsString]) -> Exit {
    let text = arguments.join(std::ffi::OsStr::new(" "));
    let text = text.to_string_lossy();
    let wanted = if text.is_empty() { "TERM" } else { &text };
    let Some((signal, name)) = signal::parse(wanted) else {
        client.say(&Say::InvalidSignal(&text));
        return exit::DONE;
    };
    settle(send(client, signal, &name))
}

fn send(client: &Client, signal: Signal, name: &str) -> Result<Exit, Exit> {
    let answer = client.status_and_trust()?;
    if answer.is_none() {
        // Only a record knows it, which is too little to signal it for.
        if let Some(pid) = client.survivor()? {
            client.say(&Say::Unsupervised(pid));
            return Ok(exit::UNCLEAR);
        }
    }
    let Some((Status { program: Some(pid), .. }, trusted)) = answer else {
        client.say(&Say::ProgramNotRunning);
        return Ok(exit::DONE);
    };
    client.say(&Say::Killing { pid, signal });
    if !trusted {
        // Whoever answers signals with its own rights, not with ours.
        let reply = client.request(&format!("kill {}\n", signal.0))?.unwrap_or_default();
        if !reply.starts_with("Signal ") {
            let line = reply.lines().next().unwrap_or_default();
            client.complain(&Complain::Error(&quoted(line)));
            return Ok(exit::UNCLEAR);
        }
        client.say(&Say::SignalSent { name, pid });
        return Ok(exit::DONE);
    }
    match process::kill(pid, signal) {
        Ok(()) => client.say(&Say::SignalSent { name, pid }),
        Err(error) => client.say(&Say::KillFailed(&error)),
    }
    Ok(exit::DONE)
}

impl Client {
    /// Gives a program whose supervisor was killed a new one; none where there
    /// is no such program. An inner error where that went another way.
    fn take_over(&self) -> Result<Result<Option<Pid>, Wait>, Exit> {
        let Some(survivor) = self.survivor().map_err(|_| exit::FAILED)? else {
            return Ok(Ok(None));
        };
        let words = self.program_words(&[])?;
        let wait = self.launch(&words, self.start_limit(), Purpose::Run)?;
        let taken_over = wait.held == Held::Outcome(Outcome::Up(survivor));
        Ok(if taken_over { Ok(Some(survivor)) } else { Err(wait) })
    }

    /// What runs although no supervisor is there: whoever ended the wait
    /// without an outcome may have been killed, and not stopped.
    fn remains_after(&self, wait: &Wait) -> Result<Survivor, Exit> {
        if wait.held != Held::Closed || self.status()?.is_some() {
            return Ok(Survivor::None);
        }
        self.remains()
    }

    /// How long a start may take before we doubt the supervisor itself.
    fn start_limit(&self) -> Duration {
        self.settings.start_timeout.0.saturating_add(MARGIN)
    }

    /// None where SIGKILL is never sent: then a stop may take for ever.
    fn stop_limit(&self) -> Option<Duration> {
        let timeout = self.settings.stop_timeout.0;
        (!timeout.is_zero()).then(|| timeout.saturating_add(MARGIN))
    }

    /// After a wait the message stands on a line of its own; scripts expect
    /// that line even when nothing was waited for.
    fn say_after_wait(&self, dots: u32, what: &Say<'_>) {
        if !self.at_prompt || dots > 0 {
            print_line(&"");
        }
        self.say(what);
    }

    fn started(&self, wait: &Wait, up: fn(Pid) -> Say<'static>) -> Exit {
        let (what, status) = match wait.held {
            Held::Outcome(Outcome::Up(pid)) => (up(pid), exit::DONE),
            Held::Outcome(Outcome::Late) => (Say::TooLong, exit::FAILED),
            Held::Outcome(Outcome::Down) => (Say::ProgramNotRunning, exit::FAILED),
            Held::Outcome(Outcome::Gone(_) | Outcome::Rival) | Held::Closed | Held::Refused => {
                (Say::SupervisorNotRunning, exit::FAILED)
            }
            Held::Interrupted => return self.interrupted(),
            Held::TimedOut => return self.timed_out("the start", Some(self.start_limit())),
        };
        self.say_after_wait(wait.dots, &what);
        status
    }

    fn stopped(&self, wait: &Wait) -> Exit {
        match wait.held {
            Held::Outcome(_) | Held::Closed | Held::Refused => {
                self.say_after_wait(wait.dots, &Say::Stopped);
                exit::DONE
            }
            Held::Interrupted => self.interrupted(),
            Held::TimedOut => self.timed_out("the stop", self.stop_limit()),
        }
    }

    pub(super) fn interrupted(&self) -> Exit {
        print_line(&"^C");
        exit::INTERRUPTED
    }

    fn timed_out(&self, what: &str, limit: Option<Duration>) -> Exit {
        print_line(&"");
        let seconds = limit.map_or(0, |limit| limit.as_secs());
        self.complain(&Complain::StillWaiting { what, seconds });
        exit::FAILED
    }
}
