#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbdkit 1.32.5 (Debian 12): in the foreground it ends with whoever started it, asked or not.
#
# Guessed: a server that a shell started in the background, by nbdkit -f, outlives the shell,
# as --exit-with-parent was not given, whose whole purpose is that.
# Seen: it ends by SIGTERM's way as soon as the shell has ended, with clients connected and
# swap on it, if that is what it serves.  1.42.3 (Debian 13) outlives the shell.  Without -f
# it forks, and lives.
. "$(dirname "$0")/unpack"

# lives SUITE VERSION OPTION...: whether the server outlives the shell that started it
lives()
{
	local suite=$1 version=$2
	shift 2
	rm -rf "$root" "$work/apt"
	mkdir -p "$root"
	unpack "$suite" "nbdkit=$version" grep
	# shellcheck disable=SC2016
	inside bash -c '(nbdkit "$@" -U /tmp/socket -P /tmp/pid null 1G &
			until [ -s /tmp/pid ]; do sleep 0.1; done)
		for try in 1 2 3 4 5 6 7 8 9 10; do
			grep -q "^State:.[^Z]" "/proc/$(cat /tmp/pid)/status" 2>/dev/null || break
			sleep 0.2
		done
		grep -q "^State:.[^Z]" "/proc/$(cat /tmp/pid)/status" 2>/dev/null && echo lives || echo ends
		kill "$(cat /tmp/pid)" 2>/dev/null' bash "$@"
}
expect "1.32.5 -f, without --exit-with-parent" ends "$(lives bookworm 1.32.5-1 -f)"
expect "1.32.5, in the background of its own accord" lives "$(lives bookworm 1.32.5-1)"
expect "1.42.3 -f" lives "$(lives trixie 1.42.3-1 -f)"
verdict
