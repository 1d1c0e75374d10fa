/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>
#include "daemon/cli/drill/cli_drill.h"
#include "daemon/cli/status/cli_page.h"

/* What a drill has found, in three forms. What others have named (files, their
 * errors) is made fit for each of them. */

int
drill_form_parse(const char *text, enum drill_form *ret)
{
	if (strcmp(text, "text") == 0)
		*ret = DRILL_TEXT;
	else if (strcmp(text, "json") == 0)
		*ret = DRILL_JSON;
	else if (strcmp(text, "html") == 0)
		*ret = DRILL_HTML;
	else
		return CLV_E_INVALID;
	return CLV_OK;
}

static const char *
kind_word(enum drill_kind kind)
{
	switch (kind) {
	case DRILL_NODE: return "node";
	case DRILL_BACKUP: return "backup";
	case DRILL_RECOVERY: return "recovery";
	case DRILL_RECOVERY_FILE: return "recovery file";
	}
	return "unknown";
}

static const char *
result_word(enum drill_result result)
{
	switch (result) {
	case DRILL_UNTRIED: return "not tried";
	case DRILL_OPENED: return "opened";
	case DRILL_FAILED: return "failed";
	}
	return "unknown";
}

/* "sealed copy of n1 in the database" */
static const char *
describe(const struct drill_copy *copy, char *dst, size_t cap)
{
	switch (copy->kind) {
	case DRILL_NODE:
		snprintf(
		    dst, cap, "sealed copy of %s in the database", copy->name);
		break;
	case DRILL_BACKUP: snprintf(dst, cap, "backup %s", copy->name); break;
	case DRILL_RECOVERY:
		snprintf(dst, cap, "recovery copy in the database, for %s",
		    copy->name);
		break;
	case DRILL_RECOVERY_FILE:
		snprintf(dst, cap, "recovery copy %s", copy->name);
		break;
	}
	return cli_printable(dst);
}

/* "1 2 3, of which 3 is current" */
static const char *
opens(
    const struct drill *d, const struct drill_copy *copy, char *dst, size_t cap)
{
	size_t at = 0;

	dst[0] = '\0';
	for (size_t i = 0; i < copy->count && at < cap; i++)
		at += (size_t)snprintf(dst + at, cap - at, "%s%" PRIu32,
		    i > 0 ? " " : "", copy->generations[i]);
	if (d->list != NULL && at < cap)
		snprintf(dst + at, cap - at,
		    copy->current ? ", and %" PRIu32 " is current"
				  : ", but not %" PRIu32 ", which is current",
		    clv_list_current(d->list)->number);
	return dst;
}

static const char *
verdict(const struct drill *d)
{
	if (d->failed > 0)
		return "a copy that should open did not";
	if (d->list == NULL)
		return "which generation is current is not known here";
	return d->covered ? "the current generation can be had back"
			  : "no copy that was tried opens the current "
			    "generation";
}

/* ---- text ---- */

static void
text_copy(const struct drill *d, const struct drill_copy *copy, FILE *f)
{
	char name[640], generations[CLV_GENERATIONS_MAX * 11 + 64];

	fprintf(f, "%-11s %s\n", result_word(copy->result),
	    describe(copy, name, sizeof(name)));
	if (copy->result == DRILL_OPENED) {
		fprintf(f, "%-11s in %" PRIu64 ".%03u s, generations %s\n", "",
		    copy->us / 1000000, (unsigned)(copy->us / 1000 % 1000),
		    opens(d, copy, generations, sizeof(generations)));
		return;
	}
	fprintf(f, "%-11s %s\n", "", copy->why.text);
	fprintf(f, "%-11s next: %s\n", "", copy->why.next);
}

static void
as_text(const struct drill *d, FILE *f)
{
	char at[32];

	fprintf(f, "%-11s %s, on %s\n", "drill", cli_date(d->at, at), d->node);
	fprintf(f, "%-11s %s\n", "system", d->system);
	for (size_t i = 0; i < d->count; i++)
		text_copy(d, &d->copies[i], f);
	fprintf(f, "%-11s %u opened, %u failed, %u not tried: %s\n", "result",
	    d->opened, d->failed, d->untried, verdict(d));
}

/* ---- JSON ---- */

static void
json_copy(
    struct cli_json *o, const struct drill *d, const struct drill_copy *copy)
{
	char name[sizeof(copy->name)];

	snprintf(name, sizeof(name), "%s", copy->name);
	cli_json_str(o, "kind", kind_word(copy->kind));
	cli_json_str(o, "name", cli_printable(name));
	cli_json_str(o, "result", result_word(copy->result));
	cli_json_array(o, "generations");
	for (size_t i = 0; i < copy->count; i++)
		cli_json_u64(cli_json_push(o, "generations"), "number",
		    copy->generations[i]);
	if (d->list != NULL)
		cli_json_bool(o, "current", copy->current);
	cli_json_u64(o, "milliseconds", copy->us / 1000);
	cli_json_str(o, "why", copy->why.text);
	cli_json_str(o, "next", copy->why.next);
}

static void
as_json(const struct drill *d, FILE *f)
{
	struct cli_json *j = cli_json_new();
	char at[32];

	cli_json_str(j, "date", cli_date(d->at, at));
	cli_json_str(j, "node", d->node);
	cli_json_str(j, "system", d->system);
	cli_json_u64(j, "current_generation",
	    d->list != NULL ? clv_list_current(d->list)->number : 0);
	cli_json_array(j, "copies");
	for (size_t i = 0; i < d->count; i++)
		json_copy(cli_json_push(j, "copies"), d, &d->copies[i]);
	cli_json_u64(j, "opened", d->opened);
	cli_json_u64(j, "failed", d->failed);
	cli_json_u64(j, "not_tried", d->untried);
	cli_json_bool(j, "covered", d->covered);
	cli_json_str(j, "verdict", verdict(d));
	cli_json_write(j, f);
}

/* ---- HTML ---- */

static void
html_copy(const struct drill *d, const struct drill_copy *copy, FILE *f)
{
	char name[640], generations[CLV_GENERATIONS_MAX * 11 + 64];

	fprintf(f, "<tr class=\"%s\"><td>%s<td>",
	    copy->result == DRILL_FAILED ? "failed" : "",
	    result_word(copy->result));
	cli_html_text(f, describe(copy, name, sizeof(name)));
	fputs("<td>", f);
	if (copy->result == DRILL_OPENED) {
		cli_html_text(
		    f, opens(d, copy, generations, sizeof(generations)));
		fprintf(f, "<td>%" PRIu64 ".%03u\n", copy->us / 1000000,
		    (unsigned)(copy->us / 1000 % 1000));
		return;
	}
	cli_html_text(f, copy->why.text);
	fputs("<br>next: ", f);
	cli_html_text(f, copy->why.next);
	fputs("<td>\n", f);
}

static void
as_html(const struct drill *d, FILE *f)
{
	char at[32];

	fprintf(f,
	    "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
	    "<title>Restore drill</title>\n"
	    "<style>body{font-family:sans-serif}td,th{text-align:left;"
	    "padding:.2em 1em .2em 0;vertical-align:top}"
	    ".failed td:first-child{color:#b00;font-weight:bold}</style>\n"
	    "<h1>Restore drill</h1>\n<p>%s, on ",
	    cli_date(d->at, at));
	cli_html_text(f, d->node);
	fputs("; system ", f);
	cli_html_text(f, d->system);
	fprintf(f, "\n<p><b>%s</b>: %u opened, %u failed, %u not tried\n",
	    verdict(d), d->opened, d->failed, d->untried);
	fputs("<table>\n<tr><th>Result<th>Copy<th>Generations<th>Seconds\n", f);
	for (size_t i = 0; i < d->count; i++)
		html_copy(d, &d->copies[i], f);
	fputs("</table>\n</html>\n", f);
}

void
drill_report(const struct drill *d, enum drill_form form, FILE *f)
{
	switch (form) {
	case DRILL_TEXT: as_text(d, f); break;
	case DRILL_JSON: as_json(d, f); break;
	case DRILL_HTML: as_html(d, f); break;
	}
}
