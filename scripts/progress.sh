# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Sourced by scripts that take long: how far they are, on a terminal a line on standard error that is
# drawn again where it stands, and elsewhere nothing.

progress_is_seen()
{
	[ -t 2 ] && [ "${TERM:-dumb}" != dumb ]
}

# progress_time SECONDS: 80 s, 12 min 5 s
progress_time()
{
	if [ "$1" -lt 100 ]; then
		echo "$1 s"
	else
		echo "$(($1 / 60)) min $(($1 % 60)) s"
	fi
}

# progress_line TEXT: a line that wraps could not be drawn over
progress_line()
{
	printf '\r%.*s\033[K' $((${COLUMNS:-80} - 1)) "$1" >&2
}

# progress_draw WHAT SECONDS [PERCENT]: since so many seconds, and the time left by that
progress_draw()
{
	local line
	progress_is_seen || return 0
	if [ -z "${3-}" ]; then
		line="$1: $(progress_time "$2") so far"
	elif [ "$3" -gt 0 ] && [ "$2" -gt 1 ]; then
		line="$1: $3%, about $(progress_time $(($2 * (100 - $3) / $3))) left"
	else
		line="$1: $3%, $(progress_time "$2") so far"
	fi
	progress_line "$line"
}

# progress_draw_as_last WHAT SECONDS FILE: the same where only the file says how long it took the last time
progress_draw_as_last()
{
	local took=
	progress_is_seen || return 0
	! [ -r "$3" ] || read -r took <"$3" || true
	case $took in
	'' | *[!0-9]*) progress_draw "$1" "$2" ;;
	*)
		if [ "$2" -lt "$took" ]; then
			progress_line "$1: about $(progress_time $((took - $2))) left, as the last time"
		else
			progress_line "$1: $(progress_time "$2") so far, the last time it took $(progress_time "$took")"
		fi ;;
	esac
}

progress_end()
{
	! progress_is_seen || printf '\r\033[K' >&2
}

# progress_of_ninja WHAT LOG: what comes in goes to the log; a line [DONE/ALL] says how far it is
progress_of_ninja()
{
	local line start=$SECONDS drawn=-1
	while IFS= read -r line; do
		printf '%s\n' "$line"
		[ "$drawn" != "$SECONDS" ] && [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
		drawn=$SECONDS
		progress_draw "$1" $((SECONDS - start)) $((BASH_REMATCH[1] * 100 / BASH_REMATCH[2]))
	done >"$2"
	progress_end
}

# progress_of_apt WHAT: what APT::Status-Fd says comes in, as pmstatus:PACKAGE:PERCENT:TEXT
progress_of_apt()
{
	local kind percent start=$SECONDS
	while IFS=: read -r kind _ percent _; do
		[[ $percent =~ ^([0-9]+) ]] || continue
		# First it fetches all, then it unpacks all.
		case $kind in
		dlstatus) progress_draw "$1, fetching" $((SECONDS - start)) "${BASH_REMATCH[1]}" ;;
		pmstatus) progress_draw "$1" $((SECONDS - start)) "${BASH_REMATCH[1]}" ;;
		esac
	done
	progress_end
}

# progress_meanwhile WHAT COMMAND...: runs it, and says how long it has been at it
progress_meanwhile()
{
	local what=$1
	shift
	progress_beside "$what" /dev/null "$@"
}

# progress_as_last WHAT FILE COMMAND...: the same, with the time left by what the file has of the last
# time; one that ends well is written there
progress_as_last()
{
	local file=$2 start=$SECONDS
	progress_beside "$@" || return
	echo $((SECONDS - start)) >"$file"
}

progress_beside()
{
	local what=$1 file=$2 teller= status=0 start=$SECONDS
	shift 2
	if progress_is_seen; then
		while sleep 1; do
			progress_draw_as_last "$what" $((SECONDS - start)) "$file"
		done &
		teller=$!
	fi
	"$@" || status=$?
	if [ -n "$teller" ]; then
		kill "$teller" 2>/dev/null || true
		wait "$teller" 2>/dev/null || true
		progress_end
	fi
	return "$status"
}
