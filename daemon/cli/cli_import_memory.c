/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <libxml/xmlmemory.h>
#include <sodium.h>
#include "daemon/cli/cli_import.h"

/* libxml2's memory, wiped when it is freed. */

#define HEAD 16 /* as malloc aligns */

static void *
wiped_malloc(size_t len)
{
	char *p = len <= SIZE_MAX - HEAD ? malloc(len + HEAD) : NULL;

	if (p == NULL)
		return NULL;
	memcpy(p, &len, sizeof(len));
	return p + HEAD;
}

static void
wiped_free(void *p)
{
	char *from = p;
	size_t len;

	if (p == NULL)
		return;
	from -= HEAD;
	memcpy(&len, from, sizeof(len));
	sodium_memzero(from, len + HEAD);
	free(from);
}

static void *
wiped_realloc(void *p, size_t len)
{
	void *to = wiped_malloc(len);
	size_t was;

	if (p == NULL || to == NULL)
		return to;
	memcpy(&was, (char *)p - HEAD, sizeof(was));
	memcpy(to, p, was < len ? was : len);
	wiped_free(p);
	return to;
}

static char *
wiped_strdup(const char *s)
{
	size_t len = strlen(s) + 1;
	char *p = wiped_malloc(len);

	return p != NULL ? memcpy(p, s, len) : NULL;
}

void
import_use_wiped_memory(void)
{
	static bool used;

	if (!used)
		xmlMemSetup(
		    wiped_free, wiped_malloc, wiped_realloc, wiped_strdup);
	used = true;
}
