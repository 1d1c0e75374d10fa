#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What the library wraps, seals and vouches for is opened by a program that
# shares nothing with it but the manual page.
if ! command -v python3 >/dev/null; then
	echo "skipped: no python3 here"
	exit 77
fi
made=$(mktemp) || exit 1
trap 'rm -f "$made"' EXIT
./format-tool >"$made" &&
    python3 -B "${srcdir:-.}/tests/vectors/formats.py" <"$made"
