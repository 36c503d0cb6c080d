# shellcheck shell=sh
# Sourced by the checks that run the real binary: a folder of their own ($box),
# commands with a time limit, waits with an end, and an exit that leaves neither
# a process nor a file behind. Checks nothing by itself.
#
# The caller sets $conf before it uses `zd`.
# Exit status of a check: 0 passed, 1 failed, 77 skipped (the last line says why).

bin='' box='' conf='' transcript='' busy='' venv=''

# Says why the check cannot be run here.
skip() {
    echo "skipped: $*"
    exit 77
}

# One line of what has been shown to hold; ci/check passes these lines on.
shown() {
    echo "- $*"
}

# Says what went wrong, with all that helps to see why.
fail() {
    echo "FAILED: $*"
    if [ -n "$conf" ] && [ -e "$conf" ]; then
        echo "--- $conf:"
        cat "$conf"
        echo "--- status -l:"
        zd status -l 2>&1 || true
    fi
    if [ -n "$transcript" ] && [ -e "$transcript" ]; then
        echo "--- end of $transcript:"
        tail -n 40 "$transcript"
    fi
    if [ -n "$conf" ] && [ -e "${conf%.conf}.events" ]; then
        echo "--- end of the event log:"
        tail -n 40 "${conf%.conf}.events"
    fi
    left=$(leftovers)
    if [ -n "$left" ]; then
        echo "--- processes:"
        for pid in $left; do
            echo "$pid: $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
        done
    fi
    exit 1
}

need_root() {
    [ "$(id -u)" -eq 0 ] || skip "only root can do this"
}

need() {
    for word in "$@"; do
        command -v "$word" >/dev/null || skip "$word is not installed"
    done
}

# enter_sandbox [BINARY]: makes $box, and sees to it that it is gone at the end with all that ran in it.
enter_sandbox() {
    if [ $# -gt 0 ]; then
        case $1 in
        /*) bin=$1 ;;
        *) bin=$PWD/$1 ;;
        esac
        if [ ! -f "$bin" ] || [ ! -x "$bin" ]; then
            fail "usage: $0 BINARY ('$1' is no program)"
        fi
    fi
    box=$(mktemp -d "${TMPDIR:-/tmp}/zd.XXXXXX")
    chmod 755 "$box"
    trap leave_sandbox EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

leave_sandbox() {
    status=$?
    trap - EXIT
    for pid in $busy; do
        kill "$pid" 2>/dev/null || true
    done
    tries=50
    while left=$(leftovers) && [ -n "$left" ] && [ "$tries" -gt 0 ]; do
        # shellcheck disable=SC2086 # one word for each process
        kill -KILL $left 2>/dev/null || true
        tries=$((tries - 1))
        sleep 0.1
    done
    rm -rf "$box"
    exit "$status"
}

# The binary with our configuration and a time limit. The variable marks what it starts as ours.
zd() {
    ZDAEMON_CHECK=$box timeout 120 "$bin" -C "$conf" "$@" </dev/null
}

# The living processes of this sandbox: marked ones, and those that live in its folder
# (servers write their titles over the environment that we could read the mark from).
leftovers() {
    [ -n "$box" ] || return 0
    {
        grep -lsaF "ZDAEMON_CHECK=$box" /proc/[0-9]*/environ || true
        find /proc/[0-9]* -maxdepth 1 \( -name cwd -o -name root \) \
            \( -lname "$box" -o -lname "$box/*" \) 2>/dev/null || true
    } | cut -d/ -f3 | sort -un
}

nothing_left() {
    [ -z "$(leftovers)" ]
}

# wait_until SECONDS WHAT COMMAND...: runs the command again and again until it succeeds.
wait_until() {
    wait_for=$1 wait_what=$2
    shift 2
    wait_end=$(($(date +%s) + wait_for))
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$wait_end" ] || fail "not within $wait_for s: $wait_what"
        sleep 0.1
    done
}

# expect STATUS COMMAND...: runs the command, keeps what it says in $said, fails on another exit status.
expect() {
    want=$1 got=0
    shift
    "$@" >"$box/said" 2>&1 </dev/null || got=$?
    said=$(cat "$box/said")
    [ "$got" -eq "$want" ] || fail "'$*' exited with $got instead of $want and said: $said"
}

# The program's pid as `status` tells it; nothing when it does not run.
program_pid() {
    zd status | sed -n 's/^program running; pid=//p'
}

# The supervisor's pid as the raw status report tells it.
supervisor_pid() {
    zd status -l | sed -n 's/^manager=//p'
}

# respawned OLD-PID: a program runs, and it is another one.
respawned() {
    new_pid=$(program_pid)
    [ -n "$new_pid" ] && [ "$new_pid" != "$1" ]
}

# A port of the loopback address that nobody has.
free_port() {
    port=$((20000 + $$ % 10000))
    while grep -q "$(printf ':%04X ' "$port")" /proc/net/tcp; do
        port=$((port + 1))
    done
    echo "$port"
}

# make_venv NAME PACKAGE...: $venv is a virtual environment under target/ with these packages from PyPI.
make_venv() {
    venv=$(cd "$(dirname "$0")/.." && pwd)/target/venv/$1
    shift
    need python3
    if [ "$(cat "$venv/complete" 2>/dev/null)" != "$*" ]; then
        python3 -m venv --clear "$venv" || skip "python3 makes no virtual environment here"
        "$venv/bin/pip" install -q "$@" || skip "PyPI cannot be reached"
        echo "$*" >"$venv/complete"
    fi
}

# One busy loop for each core, until the check ends or 20 minutes are over.
make_busy() {
    loops=$(nproc)
    while [ "$loops" -gt 0 ]; do
        timeout 1200 sh -c 'while :; do :; done' >/dev/null 2>&1 &
        busy="$busy $!"
        loops=$((loops - 1))
    done
}
