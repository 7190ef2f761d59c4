#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The command line itself: help, version, what it refuses.
. "$LAPWING_SOURCE/tests/lib/tap.sh"

check_exit "--help is fine" 0 "$LAPWING" --help
check_says "--help lists the commands" out '^  help '
check_exit "help is fine" 0 "$LAPWING" help
check_exit "help help is fine" 0 "$LAPWING" help help
check_exit "--version is fine" 0 "$LAPWING" --version
check_says "--version says it" out '^lapwing [0-9]+\.[0-9]+\.[0-9]+$'
check_exit "no command" 2 "$LAPWING"
check_says "no command shows the usage" err '^Usage: lapwing'
check_exit "an unknown command" 2 "$LAPWING" nonsense
check_says "an unknown command is named" err "'nonsense' is not a command"
check_exit "help on an unknown command" 2 "$LAPWING" help nonsense
check_exit "an unknown flag" 2 "$LAPWING" --nonsense

to_full() {
	"$LAPWING" --help >/dev/full
}
check_exit "a full standard output" 2 to_full
check_says "a full standard output is told" err 'cannot write to standard output: No space left'

closed_stdout() {
	"$LAPWING" --help >&-
}
check_exit "a closed standard output" 2 closed_stdout

for command in $("$LAPWING" --help | sed -n 's/^  \([a-z]*\) .*/\1/p'); do
	check_exit "$command --help is fine" 0 "$LAPWING" "$command" --help
	check_says "$command --help starts with its usage" out '^Usage: lapwing'
	[ "$command" = help ] && continue
	check_exit "$command refuses an unknown flag" 2 "$LAPWING" "$command" --nonsense
	check_says "$command points at --help" err "Try 'lapwing $command --help'"
	check_exit "$command refuses an operand" 2 "$LAPWING" "$command" nonsense
	check "$command has a manual page" test -f "$LAPWING_SOURCE/man/lapwing-$command.1"
done
finish
