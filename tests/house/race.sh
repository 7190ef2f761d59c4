#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Some hundred thousand operations from several threads under ThreadSanitizer; ./x race has more, and
# the test `orders` what can be gone through in full.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1

check_exit "./x race wants to be told what" 2 ./x race
check_exit "a number that is none" 2 ./x race --threads many
check_exit "600,000 operations under ThreadSanitizer" 0 ./x race --threads 600000
sed 's/^/# /' "$tap_dir/out"
check_says "they are counted" out '^ *[0-9]+ operations in [0-9]+ lives$'
finish
