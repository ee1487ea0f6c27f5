# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the two rigs (uml, qemu) have in common: arguments, bounds, verdict.
# Sourced by bash.

rig_skip()
{
	echo "$(basename "$0"): skipped: $*" >&2
	exit 77
}

rig_fail()
{
	echo "$(basename "$0"): $*" >&2
	exit 2
}

# Sets rig_memory (MB), rig_deadline (s), rig_disk (file or empty), rig_init, rig_results,
# rig_script, rig_suite (or empty), rig_kernels (the directory where kernels are kept), and
# rig_bounded, the words in front of the command that keep it from running for ever.
rig_arguments()
{
	rig_memory=256
	rig_deadline=120
	rig_init=
	rig_disk=
	rig_accel=${RIG_ACCEL:-}
	rig_suite=${RIG_SUITE:-}
	local option
	while getopts m:t:d:i:a:s: option; do
		case $option in
		m) rig_memory=$OPTARG ;;
		t) rig_deadline=$OPTARG ;;
		d) rig_disk=$(realpath "$OPTARG") ;;
		i) rig_init=$OPTARG ;;
		a) rig_accel=$OPTARG ;;
		s) rig_suite=$OPTARG ;;
		*) rig_fail "usage: [-m MEGABYTES] [-t SECONDS] [-s SUITE] -i INIT RESULTS SCRIPT [KEY=VALUE...]" ;;
		esac
	done
	shift $((OPTIND - 1))
	[ $# -ge 2 ] || rig_fail "RESULTS and SCRIPT are needed"
	[ -x "$rig_init" ] || rig_fail "-i: $rig_init: not a program (build it first)"
	rig_init=$(realpath "$rig_init")
	rig_kernels=${RIG_KERNELS:-$(dirname "$rig_init")/guest-kernels}
	mkdir -p "$rig_kernels" || exit 2
	mkdir -p "$1" || exit 2
	rig_results=$(realpath "$1")
	rig_script=$(realpath "$2")
	[ -f "$rig_script" ] || rig_fail "$2: no such script"
	case "$rig_results$rig_script" in
	*[[:space:]]*) rig_fail "a path with a blank cannot be put on a kernel's command line" ;;
	esac
	shift 2
	rm -rf "${rig_results:?}"/*
	local word
	: >"$rig_results/params"
	for word; do
		rig_parameter "$word"
	done
	# Where each test takes several times as long as on a machine of one's own.
	rig_deadline=$((rig_deadline * ${RIG_PATIENCE:-1}))
	# The guest ends itself at its deadline; this is for one that cannot.
	rig_bounded=(timeout -k 10 "${RIG_BOUND:-$((rig_deadline + 75))}")
}

# rig_parameter KEY=VALUE: of the guest's script
rig_parameter()
{
	printf '%s=%q\n' "${1%%=*}" "${1#*=}" >>"$rig_results/params"
}

# rig_verdict STATUS-OF-THE-EMULATOR
rig_verdict()
{
	if grep -q '^alive=1' "$rig_results/init" 2>/dev/null; then
		exit 0
	fi
	[ -f "$rig_results/init" ] || tail -n 5 "$rig_results/console" >&2
	case $1 in
	124 | 137) echo "hung=2" >>"$rig_results/init" ;;
	esac
	exit 1
}
