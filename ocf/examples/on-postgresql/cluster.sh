#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The master secret server beside the PostgreSQL cluster, with pcs: run it as
# root, once, on one node, when `claviger init` and `claviger join` are done.
set -eu

# The address and the role, with every operation spelled out.
claviger cluster commands --pcs | sh -eu

# It is active where PostgreSQL is primary, if that node is ready. This is a
# wish and no condition, and there is no order: keys are served on while
# PostgreSQL is away, and its promotion is not waited for.
pcs constraint colocation add Promoted mss-clone with Promoted pgsql-clone 1000
