//! Is every sentence that a user can see still the same? One example of every
//! variant of every message is rendered and compared with
//! `tests/golden/messages.txt`, so that a change of wording is a visible
//! difference. With `ZDAEMON_WRITE_GOLDEN` set, the test writes that file anew.

mod command_line;
mod configuration;
mod log;
mod supervisor;

use std::io;

const GOLDEN: &str = include_str!("../../../tests/golden/messages.txt");
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/messages.txt");

/// A heading and a line for each example. The patterns are a match without a
/// wildcard: a variant without an example does not compile.
macro_rules! examples {
    ($title:literal, $type:ty, $show:expr, $($pattern:pat => $example:expr,)+) => {{
        #[deny(unreachable_patterns)]
        fn name(message: &$type) -> &'static str {
            match message {
                $($pattern => stringify!($pattern),)+
            }
        }
        let mut text = format!("== {} ==\n", $title);
        $({
            let example: $type = $example;
            assert_eq!(name(&example), stringify!($pattern), "an example of another variant");
            let show: fn(&$type) -> String = $show;
            text.push_str(&show(&example));
            text.push('\n');
        })+
        text
    }};
}
use examples;

/// `No such file or directory`, the same on every system.
fn missing() -> io::Error {
    io::Error::from_raw_os_error(2)
}

fn all() -> String {
    let parts = [
        command_line::say(),
        command_line::complain(),
        command_line::errors(),
        configuration::values(),
        configuration::layout(),
        configuration::user(),
        configuration::structure(),
        configuration::directives(),
        configuration::dollars(),
        configuration::quoting(),
        log::problems(),
        log::notices(),
        supervisor::records(),
        supervisor::launch_errors(),
        supervisor::notes(),
        supervisor::replies(),
        command_line::instances(),
        command_line::instance_complaints(),
    ];
    parts.join("\n")
}

#[test]
fn every_sentence_that_a_user_can_see_is_the_one_in_the_golden_file() {
    let text = all();
    if std::env::var_os("ZDAEMON_WRITE_GOLDEN").is_some() {
        std::fs::write(PATH, &text).expect("a golden file to write");
        return;
    }
    for (number, (now, golden)) in text.lines().zip(GOLDEN.lines()).enumerate() {
        assert_eq!(now, golden, "line {} of tests/golden/messages.txt", number + 1);
    }
    assert_eq!(text.lines().count(), GOLDEN.lines().count(), "lines were added or removed");
}
