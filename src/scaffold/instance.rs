//! What the files of an instance for any program say. Text only: touches no
//! disk.

use super::engine::{File, Kind};
use super::shell::{
    config_value, config_words, quote, rotate_pattern, unit_argument, unit_program, unit_value,
};

#[derive(Debug)]
pub(super) struct Instance {
    /// Absolute.
    pub(super) home: String,
    /// Letters, digits, `.`, `_`, `-`: needs no quoting anywhere.
    pub(super) name: String,
    pub(super) user: Option<String>,
    /// The program and its arguments.
    pub(super) words: Vec<String>,
    /// The absolute path of our own binary.
    pub(super) zdaemon: String,
}

impl Instance {
    pub(super) fn files(&self) -> Vec<File> {
        let name = &self.name;
        let file = |path, text, kind| File { path, text, kind };
        vec![
            file(format!("etc/{name}.conf"), self.config(), Kind::Data),
            file(format!("bin/{name}ctl"), self.control_script(), Kind::Script),
            file(format!("etc/{name}.logrotate"), self.logrotate(), Kind::Data),
            file(format!("etc/{name}.service"), self.unit(), Kind::Data),
        ]
    }

    fn config_path(&self) -> String {
        format!("{}/etc/{}.conf", self.home, self.name)
    }

    fn script_path(&self) -> String {
        format!("{}/bin/{}ctl", self.home, self.name)
    }

    fn config(&self) -> String {
        let Instance { name, .. } = self;
        let home = config_value(&self.home);
        let program = config_words(&self.words);
        let user = match &self.user {
            Some(user) => format!("user         {}", config_value(user)),
            None => "# user       nobody".to_owned(),
        };
        format!(
            "# Configuration of {name}. Quotes group words as in a shell; a dollar sign is
# written $$.

<runner>
  program      {program}
  directory    {home}
  socket-name  {home}/var/{name}.zdsock
  pid-file     {home}/var/{name}.pid
  {user}

  # The program's output, which is also what \"{name}ctl logtail\" shows.
  transcript   {home}/log/{name}.out
  logfile      {home}/log/{name}.out
</runner>

<eventlog>
  level info
  <logfile>
    path {home}/log/{name}.log
  </logfile>
</eventlog>

# Variables for the program, a name and a value a line.
# <environment>
#   LANG  C.UTF-8
# </environment>
"
        )
    }

    fn control_script(&self) -> String {
        let Instance { name, .. } = self;
        let zdaemon = quote(&self.zdaemon);
        let config = quote(&self.config_path());
        let script = quote(&self.script_path());
        format!(
            r####"#!/bin/sh
# Controls {name}; without an action, it prompts for some.
#
# To start {name} when the machine boots, copy this file into the init
# directory or link it there:
#     ln -s {script} /etc/init.d/{name}
#
# chkconfig: 345 90 10
# description: {name}, kept running by zdaemon
#
### BEGIN INIT INFO
# Provides:          {name}
# Required-Start:    $remote_fs $syslog $network
# Required-Stop:     $remote_fs $syslog $network
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: {name}, kept running by zdaemon
### END INIT INFO

# The actions that only init systems and package managers use.
case "${{1-}}" in
    reload | force-reload)
        shift
        set -- restart "$@"
        ;;
    try-restart | condrestart)
        {zdaemon} -C {config} status >/dev/null
        [ $? -ne 3 ] || exit 0
        shift
        set -- restart "$@"
        ;;
esac

exec {zdaemon} -C {config} "$@"
"####
        )
    }

    fn logrotate(&self) -> String {
        let Instance { home, name, .. } = self;
        let output = rotate_pattern(&format!("{home}/log/{name}.out"));
        let events = rotate_pattern(&format!("{home}/log/{name}.log"));
        let script = quote(&self.script_path());
        format!(
            "# For logrotate: copy this file, as root, to /etc/logrotate.d/{name}
{output} {events} {{
    weekly
    rotate 5
    missingok
    notifempty
    compress
    delaycompress
    sharedscripts
    postrotate
        {script} reopen_transcript >/dev/null
    endscript
}}
"
        )
    }

    fn unit(&self) -> String {
        let Instance { name, .. } = self;
        let pid_file = unit_value(&format!("{}/var/{name}.pid", self.home));
        let zdaemon = unit_program(&self.zdaemon);
        let config = unit_argument(&self.config_path());
        let install = quote(&format!("{}/etc/{name}.service", self.home));
        format!(
            "# For systemd: systemctl enable --now {install}
[Unit]
Description={name}, kept running by zdaemon
Wants=network-online.target
After=network-online.target remote-fs.target

[Service]
# forking, not simple: \"start\" returns when the program is up, or says why not.
Type=forking
PIDFile={pid_file}
ExecStart={zdaemon} -C {config} start
ExecStop={zdaemon} -C {config} stop
# Above zdaemon's start-timeout and stop-timeout, which are 300 seconds.
TimeoutStartSec=330
TimeoutStopSec=330
# The program's ends are zdaemon's business; only its own violent end is not.
Restart=on-abnormal
OOMPolicy=continue

[Install]
WantedBy=multi-user.target
"
        )
    }
}
