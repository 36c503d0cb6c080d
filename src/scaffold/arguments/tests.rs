use super::*;
use std::os::unix::ffi::OsStringExt;

fn words(args: &[&str]) -> Vec<OsString> {
    args.iter().map(OsString::from).collect()
}

fn zeo_of(args: &[&str]) -> Result<ZeoArguments, Stop> {
    zeo("mkzeoinst", &words(args), Path::new("/work"))
}

fn instance_of(args: &[&str]) -> Result<InstanceArguments, Stop> {
    instance("zdaemon", &words(args), Path::new("/work"))
}

fn complaint<T: std::fmt::Debug>(result: Result<T, Stop>) -> String {
    match result.unwrap_err() {
        Stop::Usage(complaint) => complaint.to_string(),
        Stop::Form(usage) => usage.to_string(),
        other @ (Stop::Help(_) | Stop::Failed(_)) => panic!("{other:?}"),
    }
}

#[test]
fn a_port_may_have_a_host_and_defaults_to_9999() {
    let address = |args: &[&str]| zeo_of(args).unwrap().address;
    assert_eq!(address(&["/x"]), "9999");
    assert_eq!(address(&["--", "/x", "1"]), "1");
    assert_eq!(address(&["/x", "localhost:65535"]), "localhost:65535");
    assert_eq!(address(&["/x", "[::1]:9999"]), "[::1]:9999");
}

#[test]
fn any_other_port_is_a_usage_error() {
    for port in ["", "0", "65536", "-1", "+1", "zeo", "1 ", ":1", "a b:1", "h:", "h$:1"] {
        let text = complaint(zeo_of(&["/x", port]));
        assert!(text.starts_with(&format!("invalid port '{port}'")), "{text}");
    }
}

#[test]
fn mkzeoinst_takes_one_or_two_words() {
    for args in [&[][..], &["--"], &["/x", "1", "2"]] {
        assert_eq!(complaint(zeo_of(args)), "Usage: mkzeoinst home [port]");
    }
    assert_eq!(complaint(zeo_of(&["-b", "/x"])), "option -b not recognized");
    assert!(matches!(zeo_of(&["-h"]), Err(Stop::Help(_))));
}

#[test]
fn a_relative_home_starts_at_the_current_directory() {
    let home = |home: &str| zeo_of(&[home]).unwrap().home;
    assert_eq!(home("zeo"), "/work/zeo");
    assert_eq!(home("./a/../../zeo/"), "/zeo");
    assert_eq!(home("/a/../zeo"), "/a/../zeo");
    assert_eq!(home("/zeo//"), "/zeo");
    assert_eq!(home("/"), "/");
}

#[test]
fn a_home_that_no_configuration_can_name_is_refused() {
    assert_eq!(complaint(zeo_of(&[""])), "home must not be empty");
    assert!(complaint(zeo_of(&["/a\nb"])).contains(r#"home "/a\nb" holds a line break"#));
    assert!(complaint(zeo_of(&["/a "])).contains("ends in a blank"));
    let args = [OsString::from_vec(b"/\xff".to_vec())];
    assert!(complaint(zeo("mkzeoinst", &args, Path::new("/"))).contains("not valid UTF-8"));
}

#[test]
fn what_follows_two_dashes_is_the_program() {
    let expected = InstanceArguments {
        home: "/work/home".to_owned(),
        name: "python3".to_owned(),
        user: None,
        words: ["python3", "--name", "--", "./x"].map(str::to_owned).to_vec(),
    };
    let args = ["home", "--", "python3", "--name", "--", "./x"];
    assert_eq!(instance_of(&args).unwrap(), expected);
}

#[test]
fn options_stand_on_either_side_of_the_home() {
    let made = instance_of(&["--name=web", "/x", "--user", "www", "--", "bin/server"]).unwrap();
    assert_eq!((made.name.as_str(), made.user.as_deref()), ("web", Some("www")));
    assert_eq!(made.words, ["/work/bin/server"]);
}

#[test]
fn a_name_must_suit_files_and_services() {
    for name in ["", ".x", "-x", "a b", "a/b", "a@b", "ä", "a\nb"] {
        let text = complaint(instance_of(&["/x", "--name", name, "--", "sleep"]));
        assert!(text.starts_with(&format!("'{name}' cannot name files")), "{text}");
    }
    assert!(complaint(instance_of(&["/x", "--", "/bin/g++"])).contains("give --name"));
}

#[test]
fn an_incomplete_mkinstance_is_a_usage_error() {
    for args in [&[][..], &["/x"], &["/x", "--"], &["--", "sleep"], &["/x", "sleep"]] {
        assert!(complaint(instance_of(args)).starts_with("Usage: zdaemon mkinstance "));
    }
    assert_eq!(complaint(instance_of(&["/x", "--name"])), "option --name requires argument");
    assert_eq!(complaint(instance_of(&["-z"])), "option -z not recognized");
    assert!(complaint(instance_of(&["/x", "--user", "a b", "--", "s"])).contains("not a user"));
    assert!(complaint(instance_of(&["/x", "--", "sh", "a\nb"])).contains("put it into a script"));
    assert!(matches!(instance_of(&["--help"]), Err(Stop::Help(_))));
}
