/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <qb/qbdefs.h>
#include <qb/qblog.h>

#include <claviger/result.h>
#include "daemon/base/log.h"

/*
 * Never libqb's blackbox: it keeps lines in /dev/shm and overflows on long
 * ones (CVE-2023-39976); and never more than LINE_CAP bytes to libqb at all.
 */
#define LINE_CAP 401
#define LINE_FORMAT "%t %N[%P] %p: %b"

static bool is_open;
static bool want_debug;

static int
target_enable(int32_t target, uint8_t priority)
{
	qb_log_filter_ctl(
	    target, QB_LOG_FILTER_ADD, QB_LOG_FILTER_FILE, "*", priority);
	qb_log_format_set(target, LINE_FORMAT);
	return qb_log_ctl(target, QB_LOG_CONF_ENABLED, QB_TRUE) == 0
		   ? CLV_OK
		   : CLV_E_SYSTEM;
}

int
log_open(const char *process, const char *file, bool debug)
{
	const uint8_t priority = debug ? LOG_DEBUG : LOG_INFO;
	int32_t target;
	int rc = CLV_OK;

	qb_log_init(process, LOG_DAEMON, priority);
	qb_log_format_set(QB_LOG_SYSLOG, "%b");
	is_open = true;
	want_debug = debug;
	/* Whoever started us hears why we do not start. */
	if (isatty(STDERR_FILENO)) {
		target_enable(QB_LOG_STDERR, priority);
	} else {
		target_enable(QB_LOG_STDERR, LOG_ERR);
		qb_log_format_set(QB_LOG_STDERR, "%b");
	}
	if (file == NULL || file[0] == '\0')
		return CLV_OK;
	if ((target = qb_log_file_open(file)) < 0)
		rc = CLV_E_SYSTEM;
	else
		rc = target_enable(target, priority);
	return rc;
}

void
log_close(void)
{
	if (is_open)
		qb_log_fini();
	is_open = false;
}

/* A line stays one line, whatever found its way into it. */
static void
flatten(char *s)
{
	for (; *s != '\0'; s++) {
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
	}
}

static void __attribute__((format(printf, 2, 0)))
log_line(uint8_t priority, const char *fmt, va_list ap)
{
	char line[LINE_CAP];

	if (vsnprintf(line, sizeof(line), fmt, ap) < 0)
		return;
	flatten(line);
	if (is_open) {
		/* One call site a priority: libqb keeps a record of each. */
		qb_log_from_external_source(
		    "log", "log.c", "%s", priority, priority, 0, line);
	} else if (priority < LOG_DEBUG || want_debug) {
		fprintf(stderr, "%s\n", line);
	}
}

void
log_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_ERR, fmt, ap);
	va_end(ap);
}

void
log_warning(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_WARNING, fmt, ap);
	va_end(ap);
}

void
log_notice(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_NOTICE, fmt, ap);
	va_end(ap);
}

void
log_info(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_INFO, fmt, ap);
	va_end(ap);
}

void
log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_line(LOG_DEBUG, fmt, ap);
	va_end(ap);
}

/* What one byte becomes; returns its length. */
static unsigned
quote_byte(unsigned char c, char out[static 5])
{
	if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
		out[0] = (char)c;
		return 1;
	}
	return (unsigned)snprintf(out, 5, "\\x%02x", c);
}

const char *
log_quote(const char *text, char *dst, unsigned cap)
{
	unsigned used = 0, len, whole = 3; /* quotes and NUL */
	const char *end, *p;
	char out[5];

	if (cap > 0)
		dst[0] = '\0';
	if (cap < 6)
		return dst;
	for (p = text; *p != '\0' && whole <= cap; p++)
		whole += quote_byte((unsigned char)*p, out);
	end = whole > cap ? "...\"" : "\"";
	dst[used++] = '"';
	for (p = text; *p != '\0'; p++) {
		len = quote_byte((unsigned char)*p, out);
		if (used + len + strlen(end) + 1 > cap)
			break;
		memcpy(dst + used, out, len);
		used += len;
	}
	memcpy(dst + used, end, strlen(end) + 1);
	return dst;
}
