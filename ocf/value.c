/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "ocf/ocf.h"

#define PREFIX "OCF_RESKEY_"

/* strtol() would skip blanks and take a sign or 0x. */
bool
ocf_parse_int(const char *s, long min, long max, long *ret)
{
	long v = 0;

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9' || v > (LONG_MAX - 9) / 10)
			return false;
		v = 10 * v + (*s - '0');
	}
	if (v < min || v > max)
		return false;
	*ret = v;
	return true;
}

/* In the C locale, and without its tables: mapping pages of the C library is
 * a good part of a monitor. */
static bool
is_word(const char *s, const char *word)
{
	for (; *s != '\0' && *word != '\0'; s++, word++)
		if (*s != *word && (*s < 'A' || *s > 'Z' || (*s | 32) != *word))
			return false;
	return *s == *word;
}

/* The words that the other agents take (ocf_is_true), and their opposites. */
bool
ocf_parse_bool(const char *s, bool *ret)
{
	static const char *const yes[] = {"true", "yes", "on", "1", "y"};
	static const char *const no[] = {"false", "no", "off", "0", "n"};
	size_t i;

	for (i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		if (is_word(s, yes[i])) {
			*ret = true;
			return true;
		}
		if (is_word(s, no[i])) {
			*ret = false;
			return true;
		}
	}
	return false;
}

static bool
is_valid(const struct ocf_param *p, const char *value, char *ret_why)
{
	long i;
	bool b;

	switch (p->type) {
	case OCF_STRING: return true;
	case OCF_INTEGER:
		if (ocf_parse_int(value, p->min, p->max, &i))
			return true;
		snprintf(ret_why, OCF_REASON_MAX,
		    "%s: \"%.40s\" is not a number from %ld to %ld", p->name,
		    value, p->min, p->max);
		return false;
	case OCF_BOOLEAN:
		if (ocf_parse_bool(value, &b))
			return true;
		snprintf(ret_why, OCF_REASON_MAX,
		    "%s: \"%.40s\" is neither true nor false", p->name, value);
		return false;
	}
	return false;
}

/* Not by snprintf(): this is called for each parameter in every monitor. */
static const char *
from_environment(const char *prefix, const char *name)
{
	const char *parts[] = {PREFIX, prefix, name}, *v;
	char key[128] = "";
	size_t n = 0, i, len;

	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		len = strlen(parts[i]);
		assert(n + len < sizeof(key));
		memcpy(key + n, parts[i], len);
		n += len;
	}
	v = getenv(key);
	/* Pacemaker cannot unset a parameter that a template gives; an empty
	 * one means the default to every agent. */
	return v != NULL && *v != '\0' ? v : NULL;
}

bool
ocf_read_params(struct ocf *o, char *ret_why)
{
	const struct ocf_param *p;
	const char *v;
	bool ok = true;
	size_t i;

	assert(o->agent->param_count <= OCF_PARAM_MAX);
	for (i = 0; i < o->agent->param_count; i++) {
		p = &o->agent->params[i];
		v = from_environment("", p->name);
		if (v == NULL && p->required) {
			snprintf(ret_why, OCF_REASON_MAX,
			    "%s: this parameter is required", p->name);
			ok = false;
		}
		if (v != NULL && !is_valid(p, v, ret_why)) {
			v = NULL;
			ok = false;
		}
		o->values[i] = v;
	}
	return ok;
}

static size_t
param_index(const struct ocf *o, const char *name)
{
	size_t i;

	for (i = 0; i < o->agent->param_count; i++)
		if (strcmp(o->agent->params[i].name, name) == 0)
			return i;
	assert(!"a parameter that is not in the table");
	abort();
}

const char *
ocf_get(const struct ocf *o, const char *name)
{
	size_t i = param_index(o, name);

	if (o->values[i] != NULL)
		return o->values[i];
	return o->agent->params[i].def != NULL ? o->agent->params[i].def : "";
}

long
ocf_get_int(const struct ocf *o, const char *name)
{
	long v = 0;
	bool ok = ocf_parse_int(ocf_get(o, name), 0, 0x7fffffff, &v);

	assert(ok);
	(void)ok;
	return v;
}

bool
ocf_get_bool(const struct ocf *o, const char *name)
{
	bool v = false, ok = ocf_parse_bool(ocf_get(o, name), &v);

	assert(ok);
	(void)ok;
	return v;
}

bool
ocf_is_set(const struct ocf *o, const char *name)
{
	return o->values[param_index(o, name)] != NULL;
}

const char *
ocf_meta(const char *name)
{
	return from_environment("CRM_meta_", name);
}
