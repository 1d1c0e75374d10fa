# SPDX-License-Identifier: GPL-2.0-or-later
noinst_HEADERS += %D%/control.h
