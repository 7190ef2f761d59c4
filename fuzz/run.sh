#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh PROGRAM HARNESS: a few seconds of a harness without an engine, from its seeds.
. "$LAPWING_SOURCE/tests/lib/tap.sh"

"$LAPWING_SOURCE/fuzz/corpus.py" unpack "$2" "$tap_dir/seeds"
check "$2: the seeds" "$1" "$tap_dir"/seeds/*
check "$2: three seconds at random" env LAPWING_FUZZ_LOG="$tap_dir/log" "$1" --time 3 \
	"$tap_dir"/seeds/*
note "$2: $(tail -n 1 "$tap_dir/log" | cut -f 4) operations"
finish
