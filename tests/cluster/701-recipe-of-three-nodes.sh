#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck source=tests/cluster/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/cluster/recipes.sh
. "$(dirname "$0")/recipes.sh"

scenario "the recipe of three nodes"
recipe_lab three-nodes "n1 n2 n3"
recipe_system
recipe_cluster three-nodes
recipe_failover three-nodes
