# SPDX-License-Identifier: GPL-2.0-or-later
#
# Packages of another suite of Debian than this machine's, unpacked and not installed.  Sourced
# by bash, under set -eu.  The mirror is the one that apt of this machine knows; all else
# (lists, cache, sources) is apart from it.
#
# What fails here ends the script with status 77 and the reason: the machine cannot have it.

suite_skip()
{
	echo "$(basename "$0"): skipped: $*" >&2
	exit 77
}

# suite_name WORD: the suite that it means
suite_name()
{
	case $1 in
	backports) echo trixie-backports ;;
	'' | *[!a-z-]* | -*) return 1 ;;
	*) echo "$1" ;;
	esac
}

# suite_own: that of this machine
suite_own()
{
	local name
	name=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
	[ -n "$name" ] || suite_skip "/etc/os-release names no release of Debian"
	echo "$name"
}

# suite_mirror KIND: the address that apt has its main (main) or its security suites (security)
# from; nothing if there is none.  No list has to have been fetched for that.
suite_mirror()
{
	local names='bullseye|bookworm|trixie|forky|duke|sid|unstable|testing|stable|oldstable'
	local tail=
	[ "$1" = main ] || tail=-security
	apt-get update --print-uris 2>/dev/null |
		sed -nE "s;^'(.*)/dists/($names)$tail/InRelease'.*;\1;p" | head -n 1
}

# suite_sources SUITE: lines for a sources.list
suite_sources()
{
	local base=${1%-backports} main security options= ring
	main=$(suite_mirror main)
	[ -n "$main" ] || suite_skip "apt of this machine knows no mirror of Debian"
	for ring in /usr/share/keyrings/debian-archive-keyring.{gpg,pgp}; do
		[ ! -e "$ring" ] || options="[signed-by=$ring] "
	done
	echo "deb $options$main $base main"
	case $base in sid | unstable | testing) return ;; esac
	echo "deb $options$main $base-updates main"
	security=$(suite_mirror security)
	[ -z "$security" ] || echo "deb $options$security $base-security main"
	[ "$base" = "$1" ] || echo "deb $options$main $1 main"
}

# suite_configure SUITE DIRECTORY: makes DIRECTORY/apt.conf, which suite_apt uses, and fetches
# the lists.
suite_configure()
{
	local suite=$1
	suite_directory=$(realpath "$2")
	mkdir -p "$suite_directory/apt/state/lists/partial" \
		"$suite_directory/apt/cache/archives/partial"
	suite_sources "$suite" >"$suite_directory/apt/sources.list"
	{
		echo "Dir::State \"$suite_directory/apt/state\";"
		echo 'Dir::State::status "/dev/null";'
		echo "Dir::Cache \"$suite_directory/apt/cache\";"
		echo "Dir::Etc::sourcelist \"$suite_directory/apt/sources.list\";"
		echo 'Dir::Etc::sourceparts "-";'
		echo 'Dir::Etc::preferences "-";'
		echo 'Dir::Etc::preferencesparts "-";'
		echo 'APT::Architecture "amd64";'
		echo '#clear APT::Architectures;'
		# Another user could not write where we do.
		echo 'APT::Sandbox::User "root";'
		echo 'Acquire::Retries "5";'
		echo 'Acquire::Languages "none";'
		# A mirror's sid may be past its date.
		echo 'Acquire::Check-Valid-Until "false";'
		# What this machine does after an update is about its own lists.
		echo '#clear APT::Update::Post-Invoke;'
		echo '#clear APT::Update::Post-Invoke-Success;'
		# Backports come last otherwise.
		[ "$suite" = "${suite%-backports}" ] || echo "APT::Default-Release \"$suite\";"
	} >"$suite_directory/apt.conf"
	suite_apt get -q update >"$suite_directory/apt.log" 2>&1 &&
		! grep -q '^W: Failed to fetch\|^E: ' "$suite_directory/apt.log" || {
		tail -n 5 "$suite_directory/apt.log" >&2
		suite_skip "the lists of $suite cannot be fetched"
	}
}

# suite_apt get|cache WORD...: apt-get or apt-cache of the suite
suite_apt()
{
	local tool=$1
	shift
	"apt-$tool" -c "$suite_directory/apt.conf" "$@"
}

# suite_depends PACKAGE PATTERN: those of its dependencies whose names match, and theirs
suite_depends()
{
	local name
	for name in $(suite_apt cache show --no-all-versions "$1" 2>/dev/null |
		sed -n 's/^Depends: //p' | tr ',|' '\n\n' | sed 's/(.*//; s/ //g' |
		grep -E "^($2)$" | sort -u); do
		echo "$name"
		suite_depends "$name" "$2"
	done
}

# suite_unpack TREE PACKAGE...: downloads them and replaces TREE by what is in them
suite_unpack()
{
	local tree=$1 file new=$1.new
	shift
	rm -rf "$new" "$suite_directory/download"
	mkdir -p "$new" "$suite_directory/download"
	(cd "$suite_directory/download" && suite_apt get -q download "$@") \
		>"$suite_directory/apt.log" 2>&1 || {
		tail -n 5 "$suite_directory/apt.log" >&2
		suite_skip "cannot download $*"
	}
	for file in "$suite_directory/download"/*.deb; do
		dpkg-deb -x "$file" "$new"
	done
	rm -rf "$suite_directory/download" "$tree"
	mv "$new" "$tree"
}

# suite_needs PROGRAM...: skips where one is missing
suite_needs()
{
	local tool
	for tool; do
		command -v "$tool" >/dev/null ||
			suite_skip "$tool is missing (scripts/deps test installs it)"
	done
}
