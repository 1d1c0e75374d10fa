/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "ocf/ocf.h"

/* Pacemaker kills the process group at the timeout, and then throws the exit
 * reason away: be done this much earlier. */
#define SPARE_MS 1000

int64_t
ocf_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int
ocf_left_ms(const struct ocf *o, int max_ms)
{
	int64_t left = o->deadline_ms - ocf_now_ms();

	if (left < 0)
		return 0;
	return left < max_ms ? (int)left : max_ms;
}

static void
print_reason(const char *text)
{
	const char *prefix = getenv("OCF_EXIT_REASON_PREFIX");

	if (prefix == NULL || *prefix == '\0')
		prefix = "ocf-exit-reason:";
	fprintf(stderr, "%s%s\n", prefix, text);
}

void
ocf_reason(const char *fmt, ...)
{
	char text[OCF_REASON_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_reason(text);
}

int
ocf_fail(const struct ocf *o, int rc, const char *fmt, ...)
{
	char text[OCF_REASON_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	print_reason(text);
	ocf_log(LOG_ERR, "%s: %s", o->action->name, text);
	return rc;
}

/* Milliseconds in meta-attribute `name`, or otherwise. */
static long
meta_ms(const char *name, long otherwise)
{
	const char *s = ocf_meta(name);
	long v;

	return s != NULL && ocf_parse_int(s, 0, 0x7fffffff, &v) ? v : otherwise;
}

static void
read_conditions(struct ocf *o)
{
	const char *s = getenv("OCF_CHECK_LEVEL");
	long timeout_ms = meta_ms("timeout", 0), level;

	if (timeout_ms <= 0)
		timeout_ms = o->action->timeout_s * 1000L;
	o->deadline_ms =
	    ocf_now_ms() + (timeout_ms > 2 * SPARE_MS ? timeout_ms - SPARE_MS
						      : timeout_ms / 2);
	if (s != NULL && ocf_parse_int(s, 0, 1000, &level))
		o->level = (int)level;
	/* Unset or 0 in a probe. */
	o->is_probe = meta_ms("interval", 0) == 0;
	s = getenv("OCF_RESOURCE_INSTANCE");
	o->instance = s != NULL && *s != '\0' ? s : o->agent->name;
}

static int
run(struct ocf *o)
{
	char why[OCF_REASON_MAX] = "";
	int rc;

	read_conditions(o);
	ocf_log_init(o);
	if (o->action->root && geteuid() != 0)
		return ocf_fail(
		    o, OCF_ERR_PERM, "only root can %s", o->action->name);
	if (!ocf_read_params(o, why)) {
		if (o->action->strict)
			return ocf_fail(o, OCF_ERR_CONFIGURED, "%s", why);
		/* A stop or a monitor must look all the same. */
		ocf_log(LOG_WARNING, "%s: %s; going on with the default",
		    o->action->name, why);
	}
	if (o->action->strict && o->agent->check != NULL) {
		rc = o->agent->check(o);
		if (rc != OCF_SUCCESS)
			return rc;
	}
	return o->action->handler(o);
}

int
ocf_nothing(struct ocf *o)
{
	return OCF_SUCCESS;
}

/* The action's own output must have reached whoever reads it. */
static int
written(FILE *f)
{
	return fflush(f) == 0 && !ferror(f) ? OCF_SUCCESS : OCF_ERR_GENERIC;
}

static int
usage_error(const struct ocf_agent *a, const char *word)
{
	if (word != NULL)
		fprintf(stderr, "%s: there is no action \"%.40s\"\n", a->name,
		    word);
	ocf_usage(a, stderr);
	return OCF_ERR_UNIMPLEMENTED;
}

int
ocf_main(const struct ocf_agent *a, int argc, char **argv)
{
	struct ocf o = {.agent = a};
	size_t i;

	/* Whoever reads our output may be gone: that is no reason to leave an
	 * address half removed. */
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2)
		return usage_error(a, NULL);
	if (strcmp(argv[1], "meta-data") == 0) {
		ocf_meta_data(a, stdout);
		return written(stdout);
	}
	if (strcmp(argv[1], "--man") == 0) {
		ocf_man(a, stdout);
		return written(stdout);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "usage") == 0) {
		ocf_usage(a, stdout);
		return written(stdout);
	}
	for (i = 0; i < a->action_count; i++) {
		if (strcmp(argv[1], a->actions[i].name) != 0 ||
		    a->actions[i].handler == NULL)
			continue;
		o.action = &a->actions[i];
		return run(&o);
	}
	return usage_error(a, argv[1]);
}
