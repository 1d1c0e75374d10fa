# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Claviger itself in a lab.
