#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# nbdkit 1.42.3 (Debian 13): what --swap, made for servers of swap, takes of memory.
#
# Guessed: --swap locks what the server is made of, some 5 MB where the plugin stores nothing.
# Seen: 203 MB.  nbdkit has buffers of 64 MiB three times over, of zeroes, which cost nothing as long
# as nobody touches them (5 MB resident, 203 MB of address space); a lock of all memory makes
# each page of them real.  A machine of 128 MB that swaps to a disk elsewhere is ended by the option that
# is to protect it, and the smaller a machine is, the more it needs swap.
. "$(dirname "$0")/unpack"
unpack trixie nbdkit=1.42.3-1

# takes FIELD OPTION...: MB of the idle server, by its status in /proc
takes()
{
	# shellcheck disable=SC2016
	inside bash -c 'nbdkit -f "${@:2}" -U /tmp/socket -P /tmp/pid null 1G &
		until [ -s /tmp/pid ]; do sleep 0.1; done
		awk -v field="$1:" "\$1 == field { print int(\$2 / 1024) }" "/proc/$(cat /tmp/pid)/status"
		kill "$(cat /tmp/pid)"
		wait
		rm -f /tmp/pid /tmp/socket' bash "$@"
}
few() { [ "$(takes "$@")" -lt 10 ] && echo "below 10"; }
many() { [ "$(takes "$@")" -ge 192 ] && echo "192 and more"; }
expect "MB of address space" "192 and more" "$(many VmSize)"
expect "MB resident" "below 10" "$(few VmRSS)"
expect "MB locked" "below 10" "$(few VmLck)"
expect "MB locked, --swap" "192 and more" "$(many VmLck --swap)"
expect "MB resident, --swap" "192 and more" "$(many VmRSS --swap)"
verdict
