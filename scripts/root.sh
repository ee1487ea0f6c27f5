# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Roots of other releases of Debian, made by debootstrap.  Sourced by bash, under set -eu, after
# tests/kernel/suite.sh, by a process whose mounts are its own.

# root_suite WORD: the suite that it means, if debootstrap, where it is, knows it
root_suite()
{
	local name known=/usr/share/debootstrap/scripts
	name=$(suite_name "$1") && { [ ! -d $known ] || [ -e "$known/${name%-backports}" ]; } && echo "$name"
}

# root_make SUITE DIRECTORY: makes DIRECTORY/root, of what every Debian has
root_make()
{
	local mirror base=${1%-backports} directory=$2
	local root=$directory/root
	mirror=$(suite_mirror main)
	[ -n "$mirror" ] || suite_skip "apt of this machine knows no mirror of Debian"
	echo "$(basename "$0"): making a root of $1 in $root"
	rm -rf "$root" "$root.new"
	debootstrap --variant=minbase --include=ca-certificates "$base" "$root.new" "$mirror" \
		>"$directory/debootstrap.log" 2>&1 || {
		tail -n 5 "$directory/debootstrap.log" >&2
		suite_skip "debootstrap of $base failed"
	}
	suite_sources "$1" >"$directory/sources.list"
	# The keys lie elsewhere there, and apt knows where.
	sed 's/\[signed-by=[^]]*\] //' "$directory/sources.list" >"$root.new/etc/apt/sources.list"
	{
		# A proxy of this machine is one of its guests' too.
		apt-config dump | grep -E '^Acquire::https?::' || true
		echo 'Acquire::Check-Valid-Until "false";'
	} >"$root.new/etc/apt/apt.conf.d/90host"
	# To be made again costs less than to sync each file of each package.
	echo force-unsafe-io >"$root.new/etc/dpkg/dpkg.cfg.d/90host"
	chroot "$root.new" useradd --create-home newcomer
	mv "$root.new" "$root"
}

# root_mount ROOT: what programs expect there
root_mount()
{
	cp /etc/resolv.conf "$1/etc/resolv.conf"
	mount -t proc proc "$1/proc"
	mount --rbind /sys "$1/sys"
	mount --rbind /dev "$1/dev"
}

# root_run ROOT DIRECTORY COMMAND...: as root, in an empty environment but for KEY=VALUE words that
# come first
root_run()
{
	local root=$1 directory=$2
	shift 2
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		TERM="${TERM:-dumb}" LANG=C.UTF-8 ${http_proxy:+http_proxy="$http_proxy"} \
		${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
		chroot "$root" sh -c 'cd "$0" && exec env "$@"' "$directory" "$@" </dev/null
}
