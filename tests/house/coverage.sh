#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Line coverage of the chips and the policies by the unit tests that ran in this build.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1
shopt -s nullglob
wanted=95

sources=(src/core/*.c src/eoi/*.c)
name="line coverage of src/core and src/eoi is at least $wanted %"
if [ ${#sources[@]} -eq 0 ]; then
	skip "$name" "there are no sources yet"
	finish
fi
gcovr --root . --filter src/core/ --filter src/eoi/ --fail-under-line $wanted \
	"$LAPWING_BUILD" >"$tap_dir/report" 2>&1
status=$?
sed -n '/^src\|^TOTAL/p' "$tap_dir/report" | while read -r line; do note "$line"; done
if [ $status -eq 0 ]; then
	ok "$name"
else
	sed 's/^/# /' "$tap_dir/report"
	not_ok "$name"
fi
finish
