//! What is so: `status` and `show`.

use std::env;
use std::ffi::OsString;

use super::{Client, Exit, print_line};
use crate::config::options::{Means, OPTIONS};
use crate::messages::client::{Say, exit};
use crate::quote::QuotedList;
use crate::version;

/// The columns that a label of `show` has.
const LABEL: usize = 14;

pub(super) fn status(client: &mut Client, arguments: &[OsString]) -> Exit {
    let long = match arguments {
        [] => false,
        [only] if only == "-l" => true,
        _ => {
            client.say(&Say::BadStatusArgument);
            return exit::FAILED;
        }
    };
    let status = match client.status() {
        Ok(status) => status,
        Err(status) => return status,
    };
    let Some(status) = status else { return status_without_supervisor(client) };
    let exit = match status.program {
        Some(pid) => {
            client.say(&Say::ProgramRunning(pid));
            exit::DONE
        }
        None => {
            client.say(&Say::SupervisorWithoutProgram);
            exit::NOT_RUNNING
        }
    };
    if long {
        print_line(&status.text());
    }
    exit
}

fn status_without_supervisor(client: &Client) -> Exit {
    match client.survivor() {
        Ok(Some(pid)) => {
            client.say(&Say::Unsupervised(pid));
            exit::UNCLEAR
        }
        Ok(None) => {
            client.say(&Say::SupervisorNotRunning);
            exit::NOT_RUNNING
        }
        Err(status) => status,
    }
}

pub(super) fn show(client: &mut Client, arguments: &[OsString]) -> Exit {
    let topic = arguments.join(std::ffi::OsStr::new(" "));
    match topic.to_string_lossy().as_ref() {
        "" | "options" => print_line(&options(client)),
        "python" => print_line(&program(client)),
        "all" => print_line(&format!("{}\n\n{}", options(client), program(client))),
        other => {
            client.say(&Say::UnknownShowTopic(other));
            return exit::FAILED;
        }
    }
    exit::DONE
}

/// One line an option, in the order of the table.
fn options(client: &mut Client) -> String {
    let settings = &mut client.settings;
    let file = settings.config_file.as_ref();
    let mut lines = vec![
        "zdctl/zdrun options:".to_string(),
        line("schemafile", "None"),
        line("configfile", &file.map_or("None".into(), |file| format!("'{}'", file.display()))),
        line("interactive", if client.invocation.interactive { "True" } else { "False" }),
    ];
    for option in OPTIONS {
        if let Means::Setting(field) = option.means {
            lines.push(line(option.label, &field(settings).show()));
        }
    }
    lines.join("\n")
}

/// What the original said about its Python, for our binary.
fn program(client: &Client) -> String {
    let executable = env::current_exe().unwrap_or_default();
    let directory = env::current_dir().unwrap_or_default();
    [
        line("version", version::NUMBER),
        line("platform", version::BUILD),
        line("executable", &format!("'{}'", executable.display())),
        line("arguments", &QuotedList(&client.typed()).to_string()),
        line("directory", &format!("'{}'", directory.display())),
        line("program", &client.name),
    ]
    .join("\n")
}

fn line(label: &str, value: &str) -> String {
    let label = format!("{label}:");
    // A label that fills its column still ends in a blank.
    let blank = if label.len() < LABEL { "" } else { " " };
    format!("{label:LABEL$}{blank}{value}")
}
