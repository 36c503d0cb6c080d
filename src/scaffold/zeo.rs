//! What the files of a ZEO server instance say. Text only: touches no disk.

use super::engine::{File, Kind};
use super::shell::{config_value, config_words, quote};

#[derive(Debug)]
pub(super) struct Zeo {
    /// Absolute.
    pub(super) home: String,
    /// A port number or `host:port`.
    pub(super) address: String,
    /// The ZEO server: an absolute path, or a word to look up at each start.
    pub(super) runzeo: String,
    /// The absolute path of our own binary.
    pub(super) zdaemon: String,
}

impl Zeo {
    pub(super) fn files(&self) -> Vec<File> {
        let file = |path: &str, text, kind| File { path: path.to_owned(), text, kind };
        vec![
            file("etc/zeo.conf", self.server_config(), Kind::Data),
            file("etc/zeoctl.conf", self.supervisor_config(), Kind::Data),
            file("bin/zeoctl", self.control_script(), Kind::Script),
        ]
    }

    fn server_config(&self) -> String {
        let home = config_value(&self.home);
        let address = &self.address;
        format!(
            "# Configuration of the ZEO server (runzeo).

%define INSTANCE {home}

<zeo>
  address {address}
  read-only false
  invalidation-queue-size 100
  # pid-filename $INSTANCE/var/ZEO.pid
  # monitor-address PORT
  # transaction-timeout SECONDS
</zeo>

<filestorage 1>
  path $INSTANCE/var/Data.fs
</filestorage>

<eventlog>
  level info
  <logfile>
    path $INSTANCE/log/zeo.log
  </logfile>
</eventlog>
"
        )
    }

    fn supervisor_config(&self) -> String {
        let home = config_value(&self.home);
        let server_config = format!("{}/etc/zeo.conf", self.home);
        let program = config_words(&[self.runzeo.as_str(), "-C", &server_config]);
        format!(
            "# Configuration of zeoctl, the ZEO server's supervisor.

<runner>
  program {program}
  socket-name {home}/var/zeo.zdsock
  directory {home}
  daemon true
  forever false
  backoff-limit 10
  exit-codes 0, 2
  default-to-interactive true
  # user zope
  # start-timeout 300
  # stop-timeout 300
  # transcript {home}/log/zeoctl.out

  # What \"zeoctl logtail\" shows: the server's log, named in zeo.conf too.
  logfile {home}/log/zeo.log
</runner>

<eventlog>
  level info
  <logfile>
    path {home}/log/zeoctl.log
  </logfile>
</eventlog>
"
        )
    }

    fn control_script(&self) -> String {
        let zdaemon = quote(&self.zdaemon);
        let config = quote(&format!("{}/etc/zeoctl.conf", self.home));
        let script = quote(&format!("{}/bin/zeoctl", self.home));
        format!(
            r####"#!/bin/sh
# Controls the ZEO server of this instance; without an action, it prompts for
# some.
#
# To start the server when the machine boots, copy this file into the init
# directory or link it there:
#     ln -s {script} /etc/init.d/zeo
#
# chkconfig: 345 90 10
# description: ZEO server, kept running by zdaemon
#
### BEGIN INIT INFO
# Provides:          zeo
# Required-Start:    $remote_fs $syslog $network
# Required-Stop:     $remote_fs $syslog $network
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: ZEO server, kept running by zdaemon
### END INIT INFO

exec {zdaemon} -C {config} ${{1+"$@"}}
"####
        )
    }
}
