#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the nested machine says when it cannot be made. Nothing is booted or downloaded here.
. "$LAPWING_SOURCE/tests/lib/tap.sh"
nested=$LAPWING_SOURCE/tests/nested/nested
kernel=$LAPWING_SOURCE/kernel/kernel

check_exit "help" 0 "$nested" --help
check_says "help names the options" out --apicv
check_exit "no kernel" 2 "$nested" -- true
check_exit "no command" 2 "$nested" 6.12
check_exit "unknown option" 2 "$nested" 6.12 --frobnicate -- true
check_exit "two kernels" 2 "$nested" 6.1 6.12 -- true
check_exit "memory is no number" 2 "$nested" 6.12 --memory lots -- true
check_says "it says which" err "'lots' is not a number"
check_exit "no such file" 2 "$nested" 6.12 --file /nonexistent -- true
check_says "it says which file" err "no /nonexistent"
check_exit "a value is missing" 2 "$nested" 6.12 --cpus
check_exit "kernel: help" 0 "$kernel" help
check_exit "kernel: unknown verb" 2 "$kernel" frobnicate
check_exit "kernel: unknown kernel" 2 "$kernel" build 2.4
check_says "it says which there are" err "6.12"

# What DKMS is told by the package before it builds anything.
headers=$tap_dir/headers
mkdir -p "$headers/include/generated"
echo '#define LINUX_PACKAGE_ID " Debian 6.1.1-1"' >"$headers/include/generated/package.h"
prepare=$LAPWING_SOURCE/kernel/dkms/prepare
check_exit "DKMS: unknown kernel" 1 "$prepare" 6.6.9-amd64 "$headers"
check_says "it says so" err "no patches for kernel 6.6.9"
check_exit "DKMS: a flavour that was never tried" 1 "$prepare" 6.1.0-56-rt-amd64 "$headers"
check_exit "DKMS: not Debian's headers" 1 "$prepare" 6.1.0-56-amd64 "$tap_dir"
check_exit "DKMS: no source" 1 env LAPWING_LINUX_SOURCE=/nonexistent \
	"$prepare" 6.1.0-56-amd64 "$headers"
check_says "it says what to install" err "install linux-source-6.1 .6.1.1-1"
check_exit "DKMS: source of another version" 1 env LAPWING_LINUX_SOURCE="$headers/include/generated/package.h" \
	LAPWING_LINUX_SOURCE_VERSION=6.1.2-1 "$prepare" 6.1.0-56-amd64 "$headers"
check_says "it says both" err "is 6.1.2-1, the kernel is 6.1.1-1"
finish
