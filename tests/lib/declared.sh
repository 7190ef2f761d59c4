# shellcheck shell=bash
# SPDX-License-Identifier: MIT

# declared HEADER...: every function that they declare, by its name.
declared() {
	cat "$@" | gcc -fpreprocessed -dD -E -P - 2>/dev/null |
		grep -v '^typedef' | grep -oE '\blw_[a-z0-9_]+\(' | tr -d '(' | sort -u
}
