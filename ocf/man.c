/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <ctype.h>
#include <string.h>

#include "ocf/ocf.h"

#define LINE_MAX_LEN 76

/* One word, never read as a macro at the start of a line. */
static void
word(FILE *f, const char *s, size_t len, bool at_start)
{
	if (at_start && (*s == '.' || *s == '\''))
		fputs("\\&", f);
	for (; len > 0; s++, len--) {
		if (*s == '\\')
			fputs("\\e", f);
		else
			putc(*s, f);
	}
}

/* Text as mdoc: a sentence begins a line, an empty line a paragraph. */
static void
text(FILE *f, const char *s)
{
	size_t column = 0, len;

	while (*s != '\0') {
		if (s[0] == '\n' && s[1] == '\n') {
			fputs("\n.Pp\n", f);
			column = 0;
			s += 2;
		}
		len = strcspn(s, " \n");
		if (column > 0 && column + 1 + len > LINE_MAX_LEN) {
			putc('\n', f);
			column = 0;
		}
		if (column > 0)
			putc(' ', f);
		word(f, s, len, column == 0);
		column += 1 + len;
		s += len;
		if (*s == ' ') {
			if (len > 0 && (s[-1] == '.' || s[-1] == ':')) {
				putc('\n', f);
				column = 0;
			}
			s++;
		}
	}
	putc('\n', f);
}

static void
upper(FILE *f, const char *s)
{
	for (; *s != '\0'; s++)
		putc(toupper((unsigned char)*s), f);
}

static const char *
type_words(const struct ocf_param *p)
{
	switch (p->type) {
	case OCF_STRING: return "text";
	case OCF_INTEGER: return "number";
	case OCF_BOOLEAN: return "true or false";
	}
	return "text";
}

static void
param(FILE *f, const struct ocf_param *p)
{
	fprintf(f, ".It Cm %s\n", p->name);
	fprintf(f, "%s%s", p->required ? "Required, " : "", type_words(p));
	if (p->type == OCF_INTEGER)
		fprintf(f, " from %ld to %ld", p->min, p->max);
	if (p->def != NULL)
		fprintf(f, ", default %s", p->def);
	if (p->group != NULL)
		fputs(", unique", f);
	if (p->reloadable)
		fputs(", changed without a restart", f);
	fputs(".\n", f);
	text(f, p->longdesc);
}

static void
action(FILE *f, const struct ocf_action *a)
{
	fprintf(f, ".It Cm %s\n", a->name);
	if (a->role != NULL)
		fprintf(f, "role %s, ", a->role);
	fprintf(f, "timeout %d s", a->timeout_s);
	if (a->interval_s > 0)
		fprintf(f, ", interval %d s", a->interval_s);
	fputs("\n", f);
}

static void
both_commands(FILE *f, const struct ocf_agent *a)
{
	fprintf(f,
	    ".Bd -literal -offset indent\n"
	    "pcs resource describe ocf:claviger:%s\n"
	    "crm ra info ocf:claviger:%s\n"
	    ".Ed\n",
	    a->name, a->name);
}

static void
section(FILE *f, const struct ocf_section *s)
{
	fprintf(f, ".Sh %s\n", s->title);
	if (s->print != NULL)
		s->print(f);
	else
		fputs(s->mdoc, f);
}

void
ocf_man(const struct ocf_agent *a, FILE *f)
{
	size_t i;

	/* A fixed date: the page must come out the same in every build. */
	fputs(".\\\" Made from the agent's tables; do not edit.\n"
	      ".Dd January 1, 2025\n.Dt OCF_CLAVIGER_",
	    f);
	upper(f, a->name);
	fprintf(f, " 7\n.Os\n.Sh NAME\n.Nm ocf_claviger_%s\n.Nd ", a->name);
	fprintf(f, "%s\n.Sh SYNOPSIS\n", a->shortdesc);
	fprintf(f, ".Cm ocf:claviger:%s\n.Sh DESCRIPTION\n", a->name);
	text(f, a->longdesc);
	fputs(".Pp\nThe cluster shells show the same:\n", f);
	both_commands(f, a);
	fputs(".Sh PARAMETERS\n.Bl -tag -width Ds\n", f);
	for (i = 0; i < a->param_count; i++)
		param(f, &a->params[i]);
	fputs(".El\n.Sh ACTIONS\n.Bl -tag -width validate-all\n", f);
	for (i = 0; i < a->action_count; i++)
		if (!a->actions[i].hidden)
			action(f, &a->actions[i]);
	fputs(".El\n", f);
	for (i = 0; i < a->section_count; i++)
		section(f, &a->sections[i]);
}
