#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The public test vectors of age (C2SP CCTV), where they are present.
dir=${CLV_VECTORS:-${srcdir:-.}/../shared/vectors}/age
if [ ! -d "$dir" ]; then
	echo "skipped: no test vectors in $dir; set CLV_VECTORS"
	exit 77
fi
exec ./age-testkit "$dir"
