#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The models that take seconds, to completion; ./x prove has those that take minutes.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
cd "$LAPWING_SOURCE" || exit 1

check_exit 'an unknown option is refused' 2 proofs/prove --nonsense
check_exit 'a number is wanted' 2 proofs/prove --memory much
check_exit 'where memory does not suffice nothing is proven' 1 \
	proofs/prove --memory 38 'armed hardware reroute msi'
check_says 'it says so' out '^unfinished '
check_exit 'every order of events comes out as it should' 0 proofs/prove --quick
sed 's/^/# /' "$tap_dir/out"
check_says 'armed holds' out '^holds .* armed reroute revector mask msi'
check_says 'static loses' out '^lost .* static reroute'
check_says 'the split backend holds' out '^holds .* split 6.1 threads reroute init digest'
check_says 'without deferral it loses' out '^lost .* split 6.1 reroute without-defer'
check_says 'what it took is summed up' out '^[0-9]* models, [0-9]* states, '
finish
