//! README.md taken apart: sections, fenced blocks, tables.

use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block. The first word behind the fence says what it is, the rest
/// which file it belongs into.
pub(super) struct Block {
    pub(super) kind: String,
    pub(super) file: String,
    pub(super) text: String,
}

pub(super) struct Section {
    pub(super) title: String,
    pub(super) blocks: Vec<Block>,
    /// The cells of every table row but the headings.
    pub(super) rows: Vec<Vec<String>>,
}

pub(super) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn text() -> String {
    let path: PathBuf = repository().join("README.md");
    fs::read_to_string(path).expect("README.md")
}

pub(super) fn sections() -> Vec<Section> {
    let text = text();
    let mut sections = vec![new_section("")];
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("#").map(|rest| rest.trim_start_matches('#')) {
            sections.push(new_section(title.trim()));
            continue;
        }
        let section = sections.last_mut().expect("a section");
        if let Some(info) = line.strip_prefix("```") {
            let (kind, file) = info.split_once(' ').unwrap_or((info, ""));
            let body = lines.by_ref().take_while(|line| *line != "```");
            let text = body.map(|line| format!("{line}\n")).collect();
            section.blocks.push(Block { kind: kind.into(), file: file.into(), text });
        } else if line.starts_with("| ") {
            let cells = line.trim_matches('|').split('|');
            section.rows.push(cells.map(|cell| cell.trim().to_string()).collect());
        }
    }
    // The rows above `|---|`, which begins without a blank, are the headings.
    for section in &mut sections {
        section.rows.drain(..section.rows.len().min(1));
    }
    sections
}

fn new_section(title: &str) -> Section {
    Section { title: title.to_string(), blocks: Vec::new(), rows: Vec::new() }
}

pub(super) fn section(title: &str) -> Section {
    let found = sections().into_iter().find(|section| section.title == title);
    found.unwrap_or_else(|| panic!("README.md has no section '{title}'"))
}

/// The words between backquotes.
pub(super) fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_string).collect()
}
