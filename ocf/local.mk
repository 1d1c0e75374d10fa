# SPDX-License-Identifier: GPL-2.0-or-later

# sample configurations
examplesdir = $(docdir)/examples
dist_examples_DATA = %D%/examples/corosync-fast.conf
