#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The test vectors of the standard SLIP-0039, where they are present.
file=${CLV_VECTORS:-${srcdir:-.}/../shared/vectors}/slip39.json
if [ ! -f "$file" ]; then
	echo "skipped: no test vectors in $file; set CLV_VECTORS"
	exit 77
fi
exec ./slip39-vectors "$file"
