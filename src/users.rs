//! Who is meant by a user name or number. The passwd and group files are read
//! directly, because a static binary cannot use the C library's look-ups; a
//! name that they do not have is asked of `getent` once, where that exists.
//! Switches nobody.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::path::Path;

use crate::messages::options::User as Message;
use crate::program;
use crate::sys::spawn::{self, Command, Session, Streams};
use crate::sys::{descriptor, identity, process};
use crate::vocabulary::Ended;
use crate::wire::wire_struct;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Sorted, the primary group included.
    pub(crate) groups: Vec<u32>,
    pub(crate) home: String,
}

wire_struct!(User { name, uid, gid, groups, home });

/// Looks a user up by name or, if it is a number, by uid.
pub(crate) fn find(name_or_uid: &str) -> Result<User, String> {
    let groups = || fs::read_to_string(GROUP).unwrap_or_default();
    look_up(name_or_uid, &read(PASSWD)?, groups, getent).ok_or_else(|| {
        if name_or_uid.parse::<u32>().is_ok() {
            Message::UidNotFound(name_or_uid).to_string()
        } else {
            Message::NameNotFound(name_or_uid).to_string()
        }
    })
}

/// Whom the texts of the two files know; else whom `ask` knows, with more groups.
fn look_up(
    name_or_uid: &str,
    passwd: &str,
    groups: impl Fn() -> String,
    ask: impl Fn(&str, &str) -> Option<String>,
) -> Option<User> {
    let known = passwd_line(passwd, name_or_uid);
    let mut user = match known {
        Some(line) => parse_passwd_line(line)?,
        None => parse_passwd_line(passwd_line(&ask("passwd", name_or_uid)?, name_or_uid)?)?,
    };
    user.groups = group_ids(&groups(), &user.name, user.gid);
    if known.is_none() {
        let more = ask("initgroups", &user.name).unwrap_or_default();
        let ids = more.split_ascii_whitespace().skip(1).filter_map(|id| id.parse::<u32>().ok());
        user.groups.extend(ids);
        user.groups.sort_unstable();
        user.groups.dedup();
    }
    Some(user)
}

/// Whom this process has to become to be the user; none if it is that one.
/// Only root can become anybody else.
pub(crate) fn to_become(name_or_uid: &str) -> Result<Option<User>, String> {
    let user = find(name_or_uid)?;
    match identity::effective_uid() {
        0 => Ok(Some(user)),
        uid if uid == user.uid => Ok(None),
        _ => Err(Message::OnlyRoot.to_string()),
    }
}

/// The home directory of a user, for `~user`.
pub(crate) fn home_of(name: &str) -> Option<String> {
    let passwd = read(PASSWD).ok()?;
    passwd_line(&passwd, name).and_then(parse_passwd_line).map(|user| user.home)
}

fn read(path: &str) -> Result<String, String> {
    match fs::read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Message::Unreadable { path, error: &error }.to_string()),
    }
}

/// What `getent` answers; none where it is not there or knows nothing.
fn getent(database: &str, key: &str) -> Option<String> {
    let words = ["getent", database, key].map(OsString::from);
    let search = OsStr::new("/usr/bin:/bin:/usr/sbin:/sbin");
    let path = program::find(&words[0], Some(search), Path::new("/")).ok()?;
    let (answer, writer) = descriptor::pipe().ok()?;
    let nothing = File::open("/dev/null").ok()?;
    let streams = Streams { input: Some(nothing.as_fd()), output: Some(writer.as_fd()) };
    let command = Command::new(&path, &words).ok()?;
    let (pid, _) = spawn::fork_held(&command, streams, Session::Inherited).ok()?.release();
    drop(writer);
    let mut text = Vec::new();
    let read = File::from(answer).read_to_end(&mut text);
    let ended = process::wait_for(pid).ok()?;
    let is_answer = read.is_ok() && ended == Ended::Exited(0);
    is_answer.then(|| String::from_utf8_lossy(&text).into_owned())
}

/// The line whose name is that; else, for a number, the one whose uid is that.
fn passwd_line<'a>(passwd: &'a str, name_or_uid: &str) -> Option<&'a str> {
    let field = |line: &'a str, index: usize| line.split(':').nth(index);
    let by_name = passwd.lines().find(|line| field(line, 0) == Some(name_or_uid));
    by_name.or_else(|| {
        let uid: u32 = name_or_uid.parse().ok()?;
        passwd.lines().find(|line| field(line, 2).and_then(|id| id.parse().ok()) == Some(uid))
    })
}

/// `name:password:uid:gid:comment:home:shell`
fn parse_passwd_line(line: &str) -> Option<User> {
    let fields: Vec<&str> = line.split(':').collect();
    let [name, _, uid, gid, _, home, ..] = fields.as_slice() else { return None };
    Some(User {
        name: (*name).to_string(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        groups: Vec::new(),
        home: (*home).to_string(),
    })
}

/// The ids of the groups that list the user, and the primary one, sorted.
fn group_ids(groups: &str, name: &str, primary: u32) -> Vec<u32> {
    let listing = groups.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let id = fields.nth(2)?.parse().ok()?;
        fields.next()?.split(',').any(|member| member == name).then_some(id)
    });
    let mut ids: Vec<u32> = listing.chain([primary]).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "root:x:0:0:root:/root:/bin/sh\n1000:x:7:7::/seven:/bin/sh\n\
                        app:x:1000:1001:An App,,,:/srv/app:/bin/sh\nbroken:x:abc\n";

    #[test]
    fn a_name_goes_before_a_number() {
        assert_eq!(passwd_line(FILE, "1000").and_then(parse_passwd_line).map(|u| u.uid), Some(7));
        assert_eq!(passwd_line(FILE, "7").and_then(parse_passwd_line).map(|u| u.uid), Some(7));
        assert_eq!(passwd_line(FILE, "nobody"), None);
        assert_eq!(passwd_line(FILE, "broken").and_then(parse_passwd_line), None);
    }

    #[test]
    fn whom_the_files_do_not_know_others_may_know_with_all_groups() {
        let groups = || "adm:x:4:far\n".to_string();
        let ask = |database: &str, _: &str| match database {
            "passwd" => Some("far:*:70000:70001::/far:/bin/sh\n".to_string()),
            _ => Some("far  70002 4 70001\n".to_string()),
        };
        let user = look_up("far", FILE, groups, ask).unwrap();
        assert_eq!((user.uid, user.gid, user.home.as_str()), (70000, 70001, "/far"));
        assert_eq!(user.groups, [4, 70001, 70002]);
        assert_eq!(look_up("70000", FILE, groups, ask), Some(user));
        assert_eq!(look_up("near", FILE, groups, ask), None);
        assert_eq!(look_up("far", FILE, groups, |_, _| None), None);
        let own = look_up("app", FILE, groups, |_, _| panic!("the files know")).unwrap();
        assert_eq!((own.uid, own.groups), (1000, vec![1001]));
    }

    #[test]
    fn getent_is_heard_and_believed_only_if_it_succeeds() {
        if program::find("getent".as_ref(), None, Path::new("/")).is_ok() {
            assert!(getent("passwd", "root").is_some_and(|line| line.starts_with("root:")));
            assert_eq!(getent("passwd", "nobody's name"), None);
        }
    }

    #[test]
    fn groups_are_those_that_list_the_name_and_the_primary_one() {
        let groups = "root:x:0:\nadm:x:4:app,other\napp:x:1001:\nz:x:2:xapp\ny:x:3:app\n";
        assert_eq!(group_ids(groups, "app", 1001), [3, 4, 1001]);
    }
}
