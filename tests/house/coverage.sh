#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Line and branch coverage of the chips and the policies by the unit tests that ran in this build.
# A branch is each way out of each condition, as gcov counts them: C has none that only a compiler
# sees, so none is left out.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1
lines=97 branches=90

# covered NAME GCOVR_OPTION...
covered() {
	local name=$1 status
	shift
	gcovr --root . --filter src/core/ --filter src/eoi/ "$@" "$LAPWING_BUILD" >"$tap_dir/report" 2>&1
	status=$?
	sed -n '/^src\|^TOTAL/p' "$tap_dir/report" | while read -r line; do note "$line"; done
	if [ $status -eq 0 ]; then
		ok "$name"
	else
		sed 's/^/# /' "$tap_dir/report"
		not_ok "$name"
	fi
}

covered "line coverage of src/core and src/eoi is at least $lines %" --fail-under-line $lines
covered "branch coverage of src/core and src/eoi is at least $branches %" \
	--branches --fail-under-branch $branches
finish
