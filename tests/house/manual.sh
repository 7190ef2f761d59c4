#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The pages are clean, installed, and have every public call as the headers have it.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1

for page in man/*; do
	check "$page is clean" mandoc -Tlint -Wwarning "$page"
	check "$page is installed" grep -q "'$page'" meson.build
done
python3 tests/house/prototypes.py >"$tap_dir/missing" 2>&1
sed 's/^/# /' "$tap_dir/missing"
check "each call has its line in a SYNOPSIS" test ! -s "$tap_dir/missing"
finish
