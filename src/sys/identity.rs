//! Who we are to the kernel: user and group ids, and giving root up.

use std::ffi::CString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::check;

pub(crate) fn effective_uid() -> u32 {
    // SAFETY: geteuid cannot fail and touches no memory.
    unsafe { libc::geteuid() }
}

/// Groups first, then the primary group, then the user; real, effective and
/// saved alike, so that there is no way back.
pub(crate) fn become_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    set_groups(groups)?;
    // SAFETY: setgid takes an integer and touches no memory.
    check(unsafe { libc::setgid(gid) })?;
    // SAFETY: setuid takes an integer and touches no memory.
    check(unsafe { libc::setuid(uid) })?;
    // SAFETY: seteuid takes an integer and touches no memory.
    if uid != 0 && unsafe { libc::seteuid(0) } == 0 {
        return Err(io::Error::other("the kernel would still let this process be root"));
    }
    Ok(())
}

/// Lends this process's file-system identity to `uid` while `work` runs, and
/// takes it back. For root only; the process must have one thread.
pub(crate) fn while_user<T>(
    uid: u32,
    gid: u32,
    groups: &[u32],
    work: impl FnOnce() -> T,
) -> io::Result<T> {
    let mine = current_groups()?;
    // SAFETY: getegid cannot fail and touches no memory.
    let my_gid = unsafe { libc::getegid() };
    set_groups(groups)?;
    // SAFETY: setegid takes an integer and touches no memory.
    check(unsafe { libc::setegid(gid) })?;
    // SAFETY: seteuid takes an integer and touches no memory.
    check(unsafe { libc::seteuid(uid) })?;
    let result = work();
    // SAFETY: as above; the saved id is still root's, so this goes back.
    check(unsafe { libc::seteuid(0) })?;
    // SAFETY: as above.
    check(unsafe { libc::setegid(my_gid) })?;
    set_groups(&mine)?;
    Ok(result)
}

fn set_groups(groups: &[u32]) -> io::Result<()> {
    // SAFETY: the count and the pointer are those of `groups`.
    check(unsafe { libc::setgroups(groups.len() as _, groups.as_ptr()) }).map(drop)
}

fn current_groups() -> io::Result<Vec<u32>> {
    // SAFETY: a count of 0 asks for the number of groups; nothing is written.
    let count = check(unsafe { libc::getgroups(0, std::ptr::null_mut()) })?;
    let mut groups = vec![0; usize::try_from(count).unwrap_or(0)];
    // SAFETY: `groups` has room for `count` ids.
    let count = check(unsafe { libc::getgroups(count, groups.as_mut_ptr()) })?;
    groups.truncate(usize::try_from(count).unwrap_or(0));
    Ok(groups)
}

/// Whether this process may execute `path` with its effective ids.
pub(crate) fn may_execute(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: `path` is NUL-terminated and lives through the call.
    let effective =
        unsafe { libc::faccessat(libc::AT_FDCWD, path.as_ptr(), libc::X_OK, libc::AT_EACCESS) };
    check(effective).map(drop)
}
