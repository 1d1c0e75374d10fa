/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "ocf/ocf.h"

static struct {
	const struct ocf *o; /* borrowed until the process ends */
	char tag[160];
	char ident[128];
	bool debug;
	bool opened;
} log_state;

static const struct {
	const char *name;
	int facility;
} facilities[] = {
    {"daemon", LOG_DAEMON},
    {"user", LOG_USER},
    {"local0", LOG_LOCAL0},
    {"local1", LOG_LOCAL1},
    {"local2", LOG_LOCAL2},
    {"local3", LOG_LOCAL3},
    {"local4", LOG_LOCAL4},
    {"local5", LOG_LOCAL5},
    {"local6", LOG_LOCAL6},
    {"local7", LOG_LOCAL7},
};

/* -1 for "none": no syslog. */
static int
facility(void)
{
	const char *name = getenv("HA_LOGFACILITY");
	size_t i;

	if (name == NULL || *name == '\0')
		return LOG_DAEMON;
	if (strcasecmp(name, "none") == 0)
		return -1;
	for (i = 0; i < sizeof(facilities) / sizeof(facilities[0]); i++)
		if (strcasecmp(name, facilities[i].name) == 0)
			return facilities[i].facility;
	return LOG_DAEMON;
}

/* Most runs log nothing: the rest is done when something is. */
void
ocf_log_init(const struct ocf *o)
{
	const char *debug = getenv("HA_debug");

	log_state.o = o;
	log_state.debug = debug != NULL && strtol(debug, NULL, 10) > 0;
}

static void
make_tags(void)
{
	snprintf(log_state.ident, sizeof(log_state.ident), "%s(%.80s)",
	    log_state.o->agent->name, log_state.o->instance);
	snprintf(log_state.tag, sizeof(log_state.tag), "%s[%ld]",
	    log_state.ident, (long)getpid());
}

static const char *
priority_name(int priority)
{
	switch (priority) {
	case LOG_ERR: return "ERROR";
	case LOG_WARNING: return "WARNING";
	case LOG_DEBUG: return "DEBUG";
	default: return "INFO";
	}
}

/* The form that the shell agents write. */
static void
log_to_file(const char *path, int priority, const char *text)
{
	char when[32], line[512];
	time_t now = time(NULL);
	struct tm tm;
	int fd, n;

	if (localtime_r(&now, &tm) == NULL ||
	    strftime(when, sizeof(when), "%b %d %H:%M:%S", &tm) == 0)
		return;
	n = snprintf(line, sizeof(line), "%s  %s:    %s: %s\n", when,
	    log_state.tag, priority_name(priority), text);
	if (n < 0)
		return;
	if ((size_t)n >= sizeof(line)) {
		n = sizeof(line) - 1;
		line[n - 1] = '\n';
	}
	fd = open(
	    path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	if (fd < 0)
		return;
	if (write(fd, line, (size_t)n) < 0) {
		/* nobody is left to tell */
	}
	close(fd);
}

void
ocf_log(int priority, const char *fmt, ...)
{
	const char *file = getenv("HA_LOGFILE");
	char text[400];
	va_list ap;
	int where = facility();

	if (priority == LOG_DEBUG && !log_state.debug)
		return;
	if (log_state.ident[0] == '\0')
		make_tags();
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (where >= 0) {
		if (!log_state.opened)
			openlog(log_state.ident, LOG_PID, where);
		log_state.opened = true;
		syslog(priority, "%s", text);
	}
	if (file != NULL && *file == '/')
		log_to_file(file, priority, text);
}
