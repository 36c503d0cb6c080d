//! Where does the variable TZ say that the zone is described? Opens nothing.

use super::rule::Rule;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const SYSTEM: &str = "/etc/localtime";

/// Where the C libraries look for a zone's name.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/share/zoneinfo", "/etc/zoneinfo"];

#[derive(Debug, Clone, PartialEq)]
pub(in crate::eventlog) enum Setting {
    /// The first of these files that describes a zone; UTC if none does.
    Files(Vec<PathBuf>),
    Rule(Rule),
}

impl Setting {
    /// `variable` is the value of TZ, if it is set.
    pub(in crate::eventlog) fn of(variable: Option<&OsStr>) -> Setting {
        let Some(value) = variable.map(OsStr::as_bytes) else {
            return Setting::Files(vec![PathBuf::from(SYSTEM)]);
        };
        let name = match value.strip_prefix(b":") {
            Some(name) => name,
            None => match Rule::parse(value) {
                Some(rule) => return Setting::Rule(rule),
                None => value,
            },
        };
        let name = Path::new(OsStr::from_bytes(name));
        if name.as_os_str().is_empty() {
            Setting::Files(Vec::new())
        } else if name.is_absolute() {
            Setting::Files(vec![name.to_owned()])
        } else {
            Setting::Files(FOLDERS.map(|folder| Path::new(folder).join(name)).to_vec())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Setting;
    use std::ffi::OsStr;
    use std::path::PathBuf;

    #[test]
    fn tz_names_a_file_a_zone_or_a_rule() {
        let of = |value: &str| Setting::of(Some(OsStr::new(value)));
        let files = |paths: &[&str]| Setting::Files(paths.iter().map(PathBuf::from).collect());
        assert_eq!(Setting::of(None), files(&["/etc/localtime"]));
        for none in ["", ":"] {
            assert_eq!(of(none), files(&[]));
        }
        for path in ["/srv/zone", ":/srv/zone"] {
            assert_eq!(of(path), files(&["/srv/zone"]));
        }
        for name in ["Asia/Tokyo", ":Asia/Tokyo"] {
            let places = [
                "/usr/share/zoneinfo/Asia/Tokyo",
                "/share/zoneinfo/Asia/Tokyo",
                "/etc/zoneinfo/Asia/Tokyo",
            ];
            assert_eq!(of(name), files(&places));
        }
        assert!(matches!(of("EST5EDT"), Setting::Rule(_)));
        assert!(matches!(of(":EST5EDT"), Setting::Files(_)), "the colon says: a file");
        assert!(matches!(of("Etc/GMT+5"), Setting::Files(_)));
    }
}
