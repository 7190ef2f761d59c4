#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1

for page in man/*; do
	check "$page is clean" mandoc -Tlint -Wwarning "$page"
done
finish
