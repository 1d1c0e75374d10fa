/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <claviger/result.h>
#include "daemon/cli/status/cli_page.h"

static struct cli_fact *
grow(struct cli_page *p)
{
	struct cli_fact *more =
	    reallocarray(p->facts, p->n + 1, sizeof(p->facts[0]));

	if (more == NULL) {
		fputs("claviger: out of memory\n", stderr);
		exit(clv_result_exit(CLV_E_NOMEM));
	}
	p->facts = more;
	return &p->facts[p->n++];
}

void
cli_page_add(struct cli_page *p, enum cli_level level, const char *key,
    const char *fmt, ...)
{
	struct cli_fact *fact = grow(p);
	va_list ap;

	fact->level = level;
	snprintf(fact->key, sizeof(fact->key), "%s", key);
	va_start(ap, fmt);
	vsnprintf(fact->text, sizeof(fact->text), fmt, ap);
	va_end(ap);
}

void
cli_page_fini(struct cli_page *p)
{
	free(p->facts);
	*p = (struct cli_page){NULL, 0};
}

/* https://no-color.org: set, and not empty. */
bool
cli_page_may_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return (no == NULL || no[0] == '\0') && term != NULL &&
	       strcmp(term, "dumb") != 0 && isatty(STDOUT_FILENO);
}

void
cli_page_text(FILE *f, const struct cli_page *p, struct cli_paper paper)
{
	static const char *const colours[] = {[CLI_PLAIN] = "",
	    [CLI_GOOD] = "\033[32m",
	    [CLI_WARN] = "\033[33m",
	    [CLI_BAD] = "\033[1;31m"};

	if (paper.redraw)
		fputs("\033[H", f);
	for (size_t i = 0; i < p->n; i++) {
		const struct cli_fact *fact = &p->facts[i];
		const char *colour = paper.colour ? colours[fact->level] : "";

		fprintf(f, "%-13s %s%s%s%s\n", fact->key, colour, fact->text,
		    colour[0] != '\0' ? "\033[0m" : "",
		    paper.redraw ? "\033[K" : "");
	}
	if (paper.redraw)
		fputs("\033[J", f);
}
