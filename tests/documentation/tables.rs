//! The README's tables have the entries that the binary has, no more and no
//! fewer.

use super::page::{quoted, repository, section, text};
use crate::harness::Sandbox;

/// `-b/--backoff-limit SECONDS -- what it does (default 10)` as the page has
/// it: the option's cell and the default.
fn as_in_the_table(line: &str) -> (String, String) {
    let (option, help) = line.split_once(" -- ").expect("an option's line");
    let (names, argument) = option.split_once(' ').unwrap_or((option, ""));
    let mut names: Vec<String> = names.split('/').map(str::to_string).collect();
    let last = names.last_mut().expect("a name");
    *last = format!("{last} {argument}").trim_end().to_string();
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let default = help.rsplit_once("(default ").map_or("", |(_, default)| default);
    (names.join(", "), default.trim_end_matches(')').to_string())
}

/// "Each can be given on the command line, or as a key in `<runner>`, or both"
#[test]
fn the_option_table_of_the_readme_is_that_of_the_help() {
    let sandbox = Sandbox::new();
    let help = sandbox.run(&["-h"]).exits(0).stdout;
    let help: Vec<_> =
        help.lines().filter(|line| line.starts_with('-')).map(as_in_the_table).collect();
    let rows = section("Options and keys").rows;
    let page = rows.iter().filter(|row| !row[1].is_empty());
    let page: Vec<_> = page.map(|row| (row[1].clone(), row[2].replace('`', ""))).collect();
    assert_eq!(page, help);
}

/// Every key of the table is taken from a file, and `show` knows no other.
#[test]
fn the_keys_in_the_option_table_of_the_readme_are_those_of_the_file() {
    let rows = section("Options and keys").rows;
    let rows: Vec<_> = rows.iter().filter(|row| !row[0].is_empty()).collect();
    let lines = rows.iter().map(|row| {
        let default = quoted(&row[2]).pop().unwrap_or_else(|| "x".to_string());
        format!("{} {default}", quoted(&row[0])[0])
    });
    let sandbox = Sandbox::with_runner(&lines.collect::<Vec<_>>().join("\n"));
    let shown = sandbox.zd(&["show"]).exits(0).stdout;
    let settings = shown.lines().skip_while(|line| !line.starts_with("interactive:")).skip(1);
    assert_eq!(settings.count(), rows.len(), "{shown}");
}

#[test]
fn the_command_table_of_the_readme_is_that_of_the_help_command() {
    let sandbox = Sandbox::new();
    let list = sandbox.run(&["help"]).exits(0).stdout;
    let list = list.lines().skip_while(|line| !line.starts_with("===")).skip(1);
    let mut commands: Vec<&str> = list.flat_map(str::split_whitespace).collect();
    let rows = section("Commands").rows;
    let cells: Vec<String> = rows.iter().map(|row| quoted(&row[0])[0].clone()).collect();
    let mut page: Vec<&str> = cells.iter().filter_map(|cell| cell.split(' ').next()).collect();
    page.sort();
    commands.sort();
    assert_eq!(page, commands);
}

/// What the page points at is there.
#[test]
fn the_paths_and_links_of_the_readme_lead_somewhere() {
    for row in section("Building and testing").rows {
        for path in quoted(&row[0]) {
            assert!(repository().join(&path).exists(), "there is no {path}");
        }
    }
    let text = text();
    let anchor = |title: &str| -> String {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    let titles: Vec<String> = super::sections().iter().map(|s| anchor(&s.title)).collect();
    for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        match link.strip_prefix('#') {
            Some(title) => assert!(titles.iter().any(|t| t == title), "no section for {link}"),
            None => assert!(repository().join(link).exists(), "there is no {link}"),
        }
    }
}

/// "Each promise names the test that proves it": a test of that name is there, or
/// a script.
#[test]
fn every_test_that_a_promise_names_is_there() {
    let rows = section("What proves it").rows;
    let promises = text().lines().filter(|line| line.starts_with("- **")).count();
    assert!(rows.len() == promises && promises > 0, "{} of {promises}", rows.len());
    for name in rows.iter().flat_map(|row| row[1..].iter()).flat_map(|cell| quoted(cell)) {
        let is_there = match name.split_once("::") {
            Some((module, test)) => {
                let file = repository().join(format!("tests/{module}.rs"));
                let code = std::fs::read_to_string(file).unwrap_or_default();
                code.contains(&format!("#[test]\nfn {test}()"))
            }
            None => repository().join(&name).is_file(),
        };
        assert!(is_there, "{name}");
    }
}
