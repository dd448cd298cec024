#!/bin/sh
# What the packages do around their files; part of every maintainer script. Needs nothing but sh, and uses systemd
# where it runs. Nothing here fails an installation, and nothing waits for the daemon: one of its own workers may be
# running the package manager for this very package.

say() {
    echo "yggdrasil-node: $*"
}

has() {
    command -v "$1" >/dev/null 2>&1
}

systemd_runs() {
    [ -d /run/systemd/system ] && has systemctl
}

reload_systemd() {
    if systemd_runs; then systemctl daemon-reload || :; fi
}

# Users and directories of the units, also while an image is built.
prepare_host() {
    if [ -f /usr/lib/sysusers.d/yggdrasil.conf ] && has systemd-sysusers; then
        systemd-sysusers yggdrasil.conf || :
    fi
    if [ -f /usr/lib/tmpfiles.d/yggdrasil.conf ] && has systemd-tmpfiles; then
        systemd-tmpfiles --create yggdrasil.conf || :
    fi
    reload_systemd
}

# Units of this package that run, or are about to, one per line.
running_units() {
    systemctl list-units --plain --no-legend --state=active,reloading,activating \
        'yggd.service' 'yggdrasil@*.service' 2>/dev/null |
        while read -r unit rest; do echo "$unit"; done
}

# What a unit says about one thing.
unit_says() {
    systemctl show --property "$2" --value "$1" 2>/dev/null || :
}

# Runs a program as the user of a unit: what belongs to others is not believed.
as_unit() {
    user=$(unit_says "$1" User)
    shift
    case "$user" in
    '' | root) "$@" ;;
    *) runuser -u "$user" -- "$@" ;;
    esac
}

# Words that name the configuration of a unit.
config_words() {
    case "$1" in
    yggdrasil@*)
        name=${1#yggdrasil@}
        echo "--config /etc/yggdrasil/yggdrasil-${name%.service}.toml"
        ;;
    esac
}

# Has every running unit end when its workers have finished what they have in hand, an hour from now at the latest;
# systemd starts it anew, with this version. One whose configuration this version does not take is left as it is.
restart_units() {
    if systemd_runs; then
        running_units | while read -r unit; do restart_unit "$unit" </dev/null; done
    elif [ -S /run/yggdrasil/control.sock ]; then
        say "A yggd that runs goes on with the old version until it is restarted."
    fi
}

# Looks for the daemon where its unit has it; to be called in a shell of its own.
wish_restart() {
    directory=$(unit_says "$1" RuntimeDirectory)
    RUNTIME_DIRECTORY=/run/${directory:-yggdrasil}
    export RUNTIME_DIRECTORY
    # shellcheck disable=SC2046
    as_unit "$1" /usr/bin/yggctl restart --when-idle --within 1h $(config_words "$1") 2>&1
}

restart_unit() {
    # shellcheck disable=SC2046
    if ! said=$(as_unit "$1" /usr/bin/yggd $(config_words "$1") --check-config 2>&1); then
        say "$1 goes on with the old version, for its configuration is not fit for the new one:"
        say "$said"
        say "Correct it, then: systemctl restart $1"
    elif said=$(wish_restart "$1"); then
        say "$1: $said"
    else
        say "$1 goes on with the old version: $said"
        say "Then: systemctl restart $1"
    fi
}

# Whether this runs in the control group of a unit, as what its workers start does.
inside() {
    [ -r /proc/self/cgroup ] || return 1
    while read -r line; do
        case "$line" in */"$1" | */"$1"/*) return 0 ;; esac
    done </proc/self/cgroup
    return 1
}

# Before the files go.
stop_units() {
    if systemd_runs; then
        running_units | while read -r unit; do stop_unit "$unit" </dev/null; done
        systemctl disable yggd.service >/dev/null 2>&1 || :
    fi
}

stop_unit() {
    if inside "$1" && said=$(wish_restart "$1"); then
        # Its unit is gone by then, so nobody starts it again.
        say "$1: $said"
    else
        systemctl stop "$1" || :
    fi
    systemctl disable "$1" >/dev/null 2>&1 || :
}

# Messages that were not finished, ids, and whatever else the daemon kept.
forget_state() {
    rm -rf /var/lib/yggdrasil /var/lib/yggdrasil@* /run/yggdrasil /run/yggdrasil@* /run/yggdrasil-workers
}
