# SPDX-License-Identifier: GPL-2.0-or-later
# claviger status and metrics, and the pages they draw
libcli_la_SOURCES += \
	%D%/cli_metrics.c \
	%D%/cli_page.c %D%/cli_page.h \
	%D%/cli_page_html.c \
	%D%/cli_status.c %D%/cli_status.h \
	%D%/cli_status_ask.c \
	%D%/cli_status_json.c \
	%D%/cli_status_judge.c \
	%D%/cli_status_page.c \
	%D%/cli_xml.c
