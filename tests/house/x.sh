#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What ./x refuses, and that it is tidy shell.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1

check_exit "./x help is fine" 0 ./x help
check_says "./x help shows the verbs" out '^  test \[--quick\]'
check_exit "an unknown verb" 2 ./x nonsense
check_says "an unknown verb is named" err "'nonsense' is not a verb"
check_exit "./x test with an unknown flag" 2 ./x test --nonsense
check_exit "./x format with an unknown flag" 2 ./x format --nonsense

for script in $(git ls-files | xargs grep -lE '^#!.*sh$|shellcheck shell='); do
	check "$script parses" bash -n "$script"
done

# Without root and sudo a missing package is a command to copy, not an attempt.
mkdir "$tap_dir/bin"
printf '#!/bin/sh\necho 1000\n' >"$tap_dir/bin/id"
printf '#!/bin/sh\nexit 1\n' >"$tap_dir/bin/sudo"
printf '#!/bin/sh\nexit 1\n' >"$tap_dir/bin/dpkg-query"
chmod +x "$tap_dir"/bin/*
check_exit "a missing package, no root, no sudo" 2 env PATH="$tap_dir/bin:$PATH" \
	bash -c '. scripts/packages.sh; need_packages no-such-package'
check_says "the command to run is printed" err 'sudo apt-get install .*no-such-package'
check_exit 'what was fuzzed is summed up' 0 "$LAPWING_SOURCE/x" fuzz --report
sum=$(($(grep -v '^#' "$LAPWING_SOURCE/fuzz/log.tsv" | cut -f 4 | paste -sd +)))
check_says '… and no sum is cut off' out "^all +$sum operations"
finish
