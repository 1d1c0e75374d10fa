/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <string.h>
#include "daemon/cli/drill/cli_drill_failover.h"
#include "daemon/cli/status/cli_page.h"

/* What a drill of failover has seen, in three forms. */

static const struct {
	const char *key, *what, *colour;
} steps[FAILOVER_STEPS] = {
    [FAILOVER_LAST_KEY] = {"last_key_ms", "last key of the node before",
	"#393"},
    [FAILOVER_FENCED] = {"fenced_ms", "fenced, as the cluster knows", "#a33"},
    [FAILOVER_DETECTED] = {"detected_ms", "gone from the membership", "#a60"},
    [FAILOVER_DEMOTED] = {"demoted_ms", "demoted, without the address", "#a60"},
    [FAILOVER_EPOCH] = {"epoch_ms", "a new epoch is promised", "#66a"},
    [FAILOVER_ADDRESS] = {"address_ms", "the address answers again", "#36a"},
    [FAILOVER_PROMOTED] = {"promoted_ms", "promoted, with the address", "#36a"},
    [FAILOVER_FIRST_KEY] = {"first_key_ms", "first key of the node after",
	"#393"},
};

static const char *
seconds(uint64_t ms, char ret[static 32])
{
	if (ms == FAILOVER_NEVER)
		snprintf(ret, 32, "?");
	else
		snprintf(ret, 32, "%" PRIu64 ".%03u", ms / 1000,
		    (unsigned)(ms % 1000));
	return ret;
}

/* The steps that were seen, as they followed each other. */
static size_t
ordered(const struct failover_move *m, enum failover_step ret[])
{
	size_t n = 0, at;

	for (size_t i = 0; i < FAILOVER_STEPS; i++) {
		if (m->at_ms[i] == FAILOVER_NEVER)
			continue;
		for (at = n++; at > 0 && m->at_ms[ret[at - 1]] > m->at_ms[i];
		     at--)
			ret[at] = ret[at - 1];
		ret[at] = (enum failover_step)i;
	}
	return n;
}

static unsigned
went_well(const struct failover *f)
{
	unsigned n = 0;

	for (size_t i = 0; i < f->count; i++)
		n += f->moves[i].why[0] == '\0';
	return n;
}

static uint64_t
longest_ms(const struct failover *f)
{
	uint64_t ms, ret = 0;

	for (size_t i = 0; i < f->count; i++) {
		ms = failover_outage_ms(&f->moves[i]);
		if (ms != FAILOVER_NEVER && ms > ret)
			ret = ms;
	}
	return ret;
}

static const char *
verdict(const struct failover *f, char *dst, size_t cap)
{
	char text[32];

	if (failover_went_well(f) && f->power_off)
		snprintf(dst, cap,
		    "%s has taken over from %s, which %s; a client was without "
		    "a key for %s s",
		    f->last, f->first,
		    f->stays_off ? "is off until it is switched on"
				 : "restarts",
		    seconds(longest_ms(f), text));
	else if (failover_went_well(f))
		snprintf(dst, cap,
		    "every node has served, and %s serves again; a client was "
		    "without a key for %s s at most",
		    f->first, seconds(longest_ms(f), text));
	else if (!f->restored)
		snprintf(dst, cap,
		    "the constraints are not as before: crm_resource --clear "
		    "--resource %s",
		    f->k.clone_id);
	else
		snprintf(dst, cap, "%s; %s was active before, and now %s",
		    f->stopped	   ? "interrupted"
		    : f->power_off ? "the take-over did not go well"
				   : "a move did not go well",
		    f->first, f->last[0] != '\0' ? f->last : "nobody");
	return dst;
}

/* ---- text ---- */

static void
text_move(const struct failover_move *m, FILE *out)
{
	enum failover_step step[FAILOVER_STEPS];
	const size_t n = ordered(m, step);
	char text[32];

	fprintf(out,
	    "%-11s from %s to %s: ", m->power_off ? "power off" : "move",
	    m->from, m->to[0] != '\0' ? m->to : "nobody");
	if (m->why[0] != '\0')
		fprintf(out, "FAILED: %s\n", m->why);
	else
		fprintf(out, "%s s without a key, epoch %" PRIu64 "\n",
		    seconds(failover_outage_ms(m), text), m->epoch);
	fprintf(out, "%-11s %8s s  asked\n", "", "0.000");
	for (size_t i = 0; i < n; i++)
		fprintf(out, "%-11s %8s s  %s\n", "",
		    seconds(m->at_ms[step[i]], text), steps[step[i]].what);
	fprintf(out, "%-11s %u of %u questions of the client unanswered\n", "",
	    m->unanswered, m->asked);
}

static void
as_text(const struct failover *f, FILE *out)
{
	char text[500];

	fprintf(
	    out, "%-11s %s, on %s\n", "drill", cli_date(f->at, text), f->node);
	fprintf(out, "%-11s %s\n", "system", f->system);
	fprintf(out, "%-11s %s\n", "resource", f->k.clone_id);
	for (size_t i = 0; i < f->count; i++)
		text_move(&f->moves[i], out);
	fprintf(out, "%-11s %s\n", "constraints",
	    f->restored ? "as before" : "NOT AS BEFORE");
	fprintf(out, "%-11s %s\n", "result", verdict(f, text, sizeof(text)));
}

/* ---- JSON ---- */

static void
json_move(struct cli_json *o, const struct failover_move *m)
{
	cli_json_str(o, "from", m->from);
	cli_json_str(o, "to", m->to);
	cli_json_str(o, "why", m->why);
	for (size_t i = 0; i < FAILOVER_STEPS; i++)
		if (m->at_ms[i] != FAILOVER_NEVER)
			cli_json_u64(o, steps[i].key, m->at_ms[i]);
	if (failover_outage_ms(m) != FAILOVER_NEVER)
		cli_json_u64(o, "outage_ms", failover_outage_ms(m));
	cli_json_u64(o, "epoch", m->epoch);
	cli_json_u64(o, "asked", m->asked);
	cli_json_u64(o, "unanswered", m->unanswered);
}

static void
as_json(const struct failover *f, FILE *out)
{
	struct cli_json *j = cli_json_new();
	char text[500];

	cli_json_str(j, "date", cli_date(f->at, text));
	cli_json_str(j, "node", f->node);
	cli_json_str(j, "system", f->system);
	cli_json_str(j, "resource", f->k.clone_id);
	cli_json_bool(j, "power_off", f->power_off);
	cli_json_array(j, "moves");
	for (size_t i = 0; i < f->count; i++)
		json_move(cli_json_push(j, "moves"), &f->moves[i]);
	cli_json_u64(j, "succeeded", went_well(f));
	cli_json_u64(j, "longest_outage_ms", longest_ms(f));
	cli_json_str(j, "active_before", f->first);
	cli_json_str(j, "active_after", f->last);
	cli_json_bool(j, "constraints_restored", f->restored);
	cli_json_bool(j, "interrupted", f->stopped);
	cli_json_str(j, "verdict", verdict(f, text, sizeof(text)));
	cli_json_write(j, out);
}

/* ---- HTML ---- */

#define WIDTH 640

static uint64_t
end_of(const struct failover_move *m)
{
	uint64_t end = 1;

	for (size_t i = 0; i < FAILOVER_STEPS; i++)
		if (m->at_ms[i] != FAILOVER_NEVER && m->at_ms[i] > end)
			end = m->at_ms[i];
	return end;
}

/* One row a step, from the request on; below it the time without a key. */
#define ROW 24

static void
svg_steps(const struct failover_move *m, const enum failover_step step[],
    size_t n, FILE *out)
{
	const uint64_t end = end_of(m);
	char text[32];
	uint64_t x;

	for (size_t i = 0; i < n; i++) {
		x = m->at_ms[step[i]] * WIDTH / end;
		fprintf(out,
		    "<rect x=\"0\" y=\"%zu\" width=\"%" PRIu64 "\" "
		    "height=\"18\" fill=\"%s\"/>"
		    "<text x=\"4\" y=\"%zu\">%s s %s</text>\n",
		    i * ROW, x > 0 ? x : 1, steps[step[i]].colour, i * ROW + 14,
		    seconds(m->at_ms[step[i]], text), steps[step[i]].what);
	}
}

static void
svg_move(const struct failover_move *m, FILE *out)
{
	const uint64_t end = end_of(m), last = m->at_ms[FAILOVER_LAST_KEY];
	enum failover_step step[FAILOVER_STEPS];
	const size_t n = ordered(m, step);
	uint64_t x;

	fprintf(out,
	    "<svg viewBox=\"0 0 %d %zu\" width=\"100%%\" role=\"img\" "
	    "aria-label=\"timeline\">\n",
	    WIDTH + 20, (n + 1) * ROW);
	svg_steps(m, step, n, out);
	if (failover_outage_ms(m) != FAILOVER_NEVER) {
		x = last == FAILOVER_NEVER ? 0 : last * WIDTH / end;
		fprintf(out,
		    "<rect x=\"%" PRIu64 "\" y=\"%zu\" width=\"%" PRIu64
		    "\" height=\"8\" fill=\"#b00\"><title>without a key"
		    "</title></rect>\n",
		    x, n * ROW + 4, failover_outage_ms(m) * WIDTH / end);
	}
	fputs("</svg>\n", out);
}

static void
html_move(const struct failover_move *m, FILE *out)
{
	char text[32];

	fputs("<h2>", out);
	cli_html_text(out, m->from);
	fputs(" &rarr; ", out);
	cli_html_text(out, m->to[0] != '\0' ? m->to : "nobody");
	fputs(m->power_off ? ": power off</h2>\n<p>" : "</h2>\n<p>", out);
	if (m->why[0] != '\0') {
		fputs("<b class=\"failed\">", out);
		cli_html_text(out, m->why);
		fputs("</b>\n", out);
	} else {
		fprintf(out,
		    "%s s without a key (red), epoch %" PRIu64
		    "; %u of %u questions of the client unanswered\n",
		    seconds(failover_outage_ms(m), text), m->epoch,
		    m->unanswered, m->asked);
	}
	svg_move(m, out);
}

static void
as_html(const struct failover *f, FILE *out)
{
	char text[500];

	fputs("<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width\">\n"
	      "<title>Failover drill</title>\n"
	      "<style>body{font-family:sans-serif;max-width:50em;margin:1em "
	      "auto;padding:0 1em}svg text{font:12px sans-serif;fill:#fff;"
	      "stroke:#222;stroke-width:2.5px;paint-order:stroke}"
	      ".failed{color:#b00}</style>\n<h1>Failover drill</h1>\n<p>",
	    out);
	fprintf(out, "%s, on ", cli_date(f->at, text));
	cli_html_text(out, f->node);
	fputs("; resource ", out);
	cli_html_text(out, f->k.clone_id);
	fputs("; system ", out);
	cli_html_text(out, f->system);
	fputs("\n<p><b>", out);
	cli_html_text(out, verdict(f, text, sizeof(text)));
	fprintf(out, "</b>; constraints %s\n",
	    f->restored ? "as before" : "NOT AS BEFORE");
	for (size_t i = 0; i < f->count; i++)
		html_move(&f->moves[i], out);
	fputs("</html>\n", out);
}

void
failover_report(const struct failover *f, enum drill_form form, FILE *out)
{
	switch (form) {
	case DRILL_TEXT: as_text(f, out); break;
	case DRILL_JSON: as_json(f, out); break;
	case DRILL_HTML: as_html(f, out); break;
	}
}
