#!/bin/sh
# progress.sh COMMAND...: run a "go build -v" or the like and count what it downloads and compiles instead of
# listing it: on one line of a terminal, else with a line for every 50. Anything that is neither, such as an
# error, passes through to stderr. Exits with the command's status.
set -u

status=$(mktemp) || exit 1
trap 'rm -f "$status"' EXIT
trap 'exit 130' INT TERM

echo 1 >"$status" # stays if the command never gets to end
{
	"$@" 2>&1
	echo $? >"$status"
} | {
	downloaded=0 compiled=0 shown=false
	count() { echo "  downloaded $downloaded modules, compiled $compiled packages"; }
	show() {
		if [ -t 2 ]; then
			printf '\r%s' "$(count)" >&2
			shown=true
		elif [ $(((downloaded + compiled) % 50)) -eq 0 ]; then
			count >&2
		fi
	}
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		'go: downloading '*)
			downloaded=$((downloaded + 1))
			show
			;;
		'' | *[!A-Za-z0-9._~/+@-]*) # no import path
			if $shown; then echo >&2; fi
			shown=false
			printf '%s\n' "$line" >&2
			;;
		*)
			compiled=$((compiled + 1))
			show
			;;
		esac
	done
	if $shown; then
		echo >&2
	elif ! [ -t 2 ] && [ $((downloaded + compiled)) -gt 0 ]; then
		count >&2
	fi
}
exit "$(cat "$status")"
