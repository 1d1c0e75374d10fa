/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_OCF_H
#define CLAVIGER_OCF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * How to be a resource agent of the Open Cluster Framework 1.1. An agent is
 * two tables, of parameters and of actions; reading, checking, usage, meta-data
 * and the manual page all come from them. libc only.
 */

/* Exit codes, and what Pacemaker does with them. Never OCF_ERR_CONFIGURED for
 * something that is so on this node only: it stops the resource everywhere. */
enum ocf_rc {
	OCF_SUCCESS = 0,
	OCF_ERR_GENERIC = 1,	   /* tried again */
	OCF_ERR_ARGS = 2,	   /* not on this node again */
	OCF_ERR_UNIMPLEMENTED = 3, /* not on this node again */
	OCF_ERR_PERM = 4,	   /* not on this node again */
	OCF_ERR_INSTALLED = 5,	   /* not on this node again */
	OCF_ERR_CONFIGURED = 6,	   /* not anywhere */
	OCF_NOT_RUNNING = 7,
	OCF_RUNNING_PROMOTED = 8,
	OCF_FAILED_PROMOTED = 9,
	OCF_DEGRADED = 190, /* success, shown: recurring monitor only */
	OCF_DEGRADED_PROMOTED = 191
};

enum ocf_type { OCF_STRING, OCF_INTEGER, OCF_BOOLEAN };

struct ocf_param {
	const char *name;
	const char *def;   /* NULL: none */
	const char *group; /* unique-group, NULL: need not be unique */
	const char *shortdesc;
	const char *longdesc; /* paragraphs are separated by "\n\n" */
	long min, max;	      /* of an integer */
	enum ocf_type type;
	bool required;
	bool reloadable;
};

struct ocf;

struct ocf_action {
	const char *name;
	int (*handler)(struct ocf *o); /* -> enum ocf_rc */
	const char *role;	       /* "Promoted", "Unpromoted" or NULL */
	int timeout_s;
	int interval_s; /* 0: not recurring */
	bool strict;	/* parameters are checked first: OCF_ERR_CONFIGURED */
	bool root;	/* for uid 0 only: OCF_ERR_PERM */
	bool hidden;	/* answered, but not offered in the meta-data */
};

/* What stands in the manual page beside the tables: a text, or what a function
 * makes of a table. */
struct ocf_section {
	const char *title;
	const char *mdoc;
	void (*print)(FILE *f);
};

struct ocf_agent {
	const char *name;
	const char *version;
	const char *shortdesc;
	const char *longdesc;
	const struct ocf_param *params;
	size_t param_count;
	const struct ocf_action *actions; /* the same name may stand twice:
					   * monitors of two roles */
	size_t action_count;
	/* Checks across parameters, for strict actions. -> enum ocf_rc */
	int (*check)(struct ocf *o);
	const struct ocf_section *sections;
	size_t section_count;
};

#define OCF_PARAM_MAX 32
#define OCF_REASON_MAX 256

/* One run of an agent. */
struct ocf {
	const struct ocf_agent *agent;
	const struct ocf_action *action;
	const char *instance; /* OCF_RESOURCE_INSTANCE as it stands */
	const char *values[OCF_PARAM_MAX];
	int64_t deadline_ms; /* CLOCK_BOOTTIME: give up with our own reason */
	int level;	     /* OCF_CHECK_LEVEL */
	bool is_probe;	     /* a monitor that does not recur */
};

/* The whole program: returns the exit status. */
int ocf_main(const struct ocf_agent *a, int argc, char **argv);
/* The handler of an action that has nothing to do: a reload, for every action
 * reads its parameters afresh. */
int ocf_nothing(struct ocf *o);

/* Values, as checked; a wrong or missing one is the default in an action that
 * is not strict. `name` must be in the table. */
const char *ocf_get(const struct ocf *o, const char *name); /* "" if unset */
long ocf_get_int(const struct ocf *o, const char *name);
bool ocf_get_bool(const struct ocf *o, const char *name);
/* Is it set by the administrator? */
bool ocf_is_set(const struct ocf *o, const char *name);
/* Meta-attribute CRM_meta_<name>, or NULL. */
const char *ocf_meta(const char *name);

int64_t ocf_now_ms(void);
/* Time left till the deadline, at most max_ms, at least 0. */
int ocf_left_ms(const struct ocf *o, int max_ms);

/* Log and tell Pacemaker why; returns rc, so that a handler can return it. */
int ocf_fail(const struct ocf *o, int rc, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* The exit reason alone, for an answer that is no failure. */
void ocf_reason(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* log.c: syslog by HA_LOGFACILITY, and the file HA_LOGFILE. Nothing is opened
 * before something is logged. */
void ocf_log_init(const struct ocf *o);
void ocf_log(int priority, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* value.c */
bool ocf_parse_int(const char *s, long min, long max, long *ret);
bool ocf_parse_bool(const char *s, bool *ret);
/* Read every parameter from the environment. False when one is wrong:
 * ret_why[OCF_REASON_MAX] says which of them is and why. */
bool ocf_read_params(struct ocf *o, char *ret_why);

/* meta.c, man.c */
void ocf_meta_data(const struct ocf_agent *a, FILE *f);
void ocf_usage(const struct ocf_agent *a, FILE *f);
void ocf_man(const struct ocf_agent *a, FILE *f);

#endif
