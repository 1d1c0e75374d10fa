/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <string.h>

#include "ocf/ocf.h"

/*
 * Accepted by pacemaker, pcs, crmsh and ocf-tester alike, which takes some
 * care: no encoding in the XML declaration (crmsh), roles with a capital (pcs),
 * and an internal subset that teaches the 1.0 DTD, which ocf-tester checks
 * with, the attributes and actions of 1.1; the first ATTLIST wins.
 */
static const char head[] =
    "<?xml version=\"1.0\"?>\n"
    "<!DOCTYPE resource-agent SYSTEM \"ra-api-1.dtd\" [\n"
    "<!ATTLIST parameter unique-group CDATA #IMPLIED "
    "reloadable CDATA #IMPLIED>\n"
    "<!ATTLIST action name CDATA #REQUIRED>\n"
    "]>\n";

static void
escape(FILE *f, const char *s)
{
	for (; *s != '\0'; s++) {
		switch (*s) {
		case '<': fputs("&lt;", f); break;
		case '>': fputs("&gt;", f); break;
		case '&': fputs("&amp;", f); break;
		case '"': fputs("&quot;", f); break;
		default: putc(*s, f);
		}
	}
}

static void
element(FILE *f, const char *name, const char *text)
{
	fprintf(f, "<%s lang=\"en\">", name);
	escape(f, text);
	fprintf(f, "</%s>\n", name);
}

static const char *
type_name(enum ocf_type type)
{
	switch (type) {
	case OCF_STRING: return "string";
	case OCF_INTEGER: return "integer";
	case OCF_BOOLEAN: return "boolean";
	}
	return "string";
}

static void
param(FILE *f, const struct ocf_param *p)
{
	fprintf(f, "<parameter name=\"%s\"", p->name);
	if (p->required)
		fputs(" required=\"1\"", f);
	/* crmsh knows `unique` only. */
	if (p->group != NULL)
		fprintf(f, " unique=\"1\" unique-group=\"%s\"", p->group);
	if (p->reloadable)
		fputs(" reloadable=\"1\"", f);
	fputs(">\n<longdesc lang=\"en\">", f);
	escape(f, p->longdesc);
	/* `pcs resource describe` shows the long text alone. */
	if (p->def != NULL) {
		fputs("\n\nDefault: ", f);
		escape(f, p->def);
	}
	fputs("</longdesc>\n", f);
	element(f, "shortdesc", p->shortdesc);
	fprintf(f, "<content type=\"%s\"", type_name(p->type));
	if (p->def != NULL) {
		fputs(" default=\"", f);
		escape(f, p->def);
		putc('"', f);
	}
	fputs("/>\n</parameter>\n", f);
}

static void
action(FILE *f, const struct ocf_action *a)
{
	fprintf(f, "<action name=\"%s\"", a->name);
	if (a->role != NULL)
		fprintf(f, " role=\"%s\"", a->role);
	fprintf(f, " timeout=\"%ds\"", a->timeout_s);
	if (a->interval_s > 0)
		fprintf(f, " interval=\"%ds\" depth=\"0\"", a->interval_s);
	fputs("/>\n", f);
}

void
ocf_meta_data(const struct ocf_agent *a, FILE *f)
{
	size_t i;

	fputs(head, f);
	fprintf(f, "<resource-agent name=\"%s\" version=\"%s\">\n", a->name,
	    a->version);
	fputs("<version>1.1</version>\n", f);
	element(f, "longdesc", a->longdesc);
	element(f, "shortdesc", a->shortdesc);
	fputs("<parameters>\n", f);
	for (i = 0; i < a->param_count; i++)
		param(f, &a->params[i]);
	fputs("</parameters>\n<actions>\n", f);
	for (i = 0; i < a->action_count; i++)
		if (!a->actions[i].hidden)
			action(f, &a->actions[i]);
	fputs("</actions>\n</resource-agent>\n", f);
}

static bool
is_first(const struct ocf_agent *a, size_t i)
{
	size_t j;

	for (j = 0; j < i; j++)
		if (strcmp(a->actions[j].name, a->actions[i].name) == 0)
			return false;
	return true;
}

void
ocf_usage(const struct ocf_agent *a, FILE *f)
{
	size_t i;

	fprintf(f, "usage: %s ACTION | --man | --help\n%s.\nActions:", a->name,
	    a->shortdesc);
	for (i = 0; i < a->action_count; i++)
		if (is_first(a, i) && !a->actions[i].hidden)
			fprintf(f, " %s", a->actions[i].name);
	fputs("\nParameters, as OCF_RESKEY_<name> in the environment:\n", f);
	for (i = 0; i < a->param_count; i++)
		fprintf(f, "  %-18s %s%s\n", a->params[i].name,
		    a->params[i].shortdesc,
		    a->params[i].required ? " (required)" : "");
}
