/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "daemon/cli/status/cli_status.h"

#define WATCH_S 2 /* unless it is said */
#define WATCH_MAX_S 86400

enum form { FORM_TEXT, FORM_JSON, FORM_XML, FORM_HTML };

struct show {
	enum form form;
	uint32_t watch_s; /* 0: once */
};

static int
get_form(struct cli *c, enum form *ret)
{
	static const char *const names[] = {[FORM_TEXT] = "text",
	    [FORM_JSON] = "json",
	    [FORM_XML] = "xml",
	    [FORM_HTML] = "html"};
	const char *name = cli_opt(c, "output-as");
	bool json = cli_opt(c, "json") != NULL;

	*ret = json ? FORM_JSON : FORM_TEXT;
	if (name == NULL)
		return CLV_OK;
	if (json)
		return cli_fail(c, CLV_E_USAGE, NULL,
		    "either --json or --output-as, not both");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			*ret = (enum form)i;
			return CLV_OK;
		}
	}
	return cli_fail(c, CLV_E_USAGE, NULL,
	    "--output-as must be text, json, xml or html");
}

static int
get_watch(struct cli *c, struct show *how)
{
	how->watch_s = 0;
	if (cli_opt(c, "watch") == NULL)
		return c->arg_count == 0
			   ? CLV_OK
			   : cli_fail(c, CLV_E_USAGE, NULL,
				 "there is an argument too many: '%s'",
				 c->args[0]);
	if (how->form == FORM_XML || how->form == FORM_HTML)
		return cli_fail(c, CLV_E_USAGE, NULL,
		    "--watch shows text or JSON: each page is one document");
	how->watch_s = WATCH_S;
	if (c->arg_count > 0 && cli_number_parse(c->args[0], 1, WATCH_MAX_S,
				    &how->watch_s) != CLV_OK)
		return cli_fail(c, CLV_E_USAGE, NULL,
		    "SECONDS must be a number from 1 to %d", WATCH_MAX_S);
	return CLV_OK;
}

static void
say_member(struct cli *c, const struct cli_status *s, int result)
{
	if (s->daemon)
		cli_fail(c, result, "claviger status on the server nodes", "%s",
		    s->own.why);
	else
		cli_fail(c, result, "claviger fetch --check",
		    "this host has never obtained a key");
}

static void
say(struct cli *c, const struct cli_status *s, enum form form, int result)
{
	if (result == CLV_OK || result == CLV_E_FINDINGS)
		return;
	if (s->member)
		say_member(c, s, result);
	else if (form == FORM_TEXT)
		cli_fail(c, result,
		    s->daemon ? "do what the reason says; the daemon's log "
				"says more"
			      : "start the cluster's resource, or clavigerd by "
				"hand",
		    "this node is not ready: %s", cli_status_reason(s));
}

/* What watch(1) writes on top. */
static void
add_time(struct cli_page *p, uint32_t watch_s)
{
	time_t now = time(NULL);
	char when[40] = "";
	struct tm tm;

	if (localtime_r(&now, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &tm);
	cli_page_add(p, CLI_PLAIN, "status", "%s, every %u s", when, watch_s);
}

static void
show_page(const struct cli_status *s, const struct show *how)
{
	struct cli_paper paper = {.colour = cli_page_may_colour(),
	    .redraw = how->watch_s > 0 && isatty(STDOUT_FILENO)};
	struct cli_page p = {NULL, 0};
	char title[100];

	if (how->watch_s > 0)
		add_time(&p, how->watch_s);
	cli_status_page(s, &p);
	snprintf(title, sizeof(title), "Claviger: %s", s->st.node);
	if (how->form == FORM_HTML)
		cli_page_html(stdout, &p, title);
	else
		cli_page_text(stdout, &p, paper);
	if (how->watch_s > 0 && !paper.redraw)
		putchar('\n');
	cli_page_fini(&p);
}

static int
show(struct cli *c, const struct cli_status *s, const struct show *how)
{
	struct cli_json *j;
	int r;

	if (how->form == FORM_TEXT || how->form == FORM_HTML) {
		show_page(s, how);
		return CLV_OK;
	}
	j = cli_status_json(s);
	if (how->form == FORM_JSON)
		return how->watch_s > 0 ? cli_json_print_line(j)
					: cli_json_print(j);
	r = cli_xml_print("claviger-status", j);
	cli_json_free(j);
	return r == CLV_OK ? r : cli_fail(c, r, NULL, "out of memory");
}

static int
once(struct cli *c, const struct show *how)
{
	struct cli_status s;
	int r, shown;

	cli_status_ask(c, &s);
	shown = show(c, &s, how);
	r = cli_status_judge(&s);
	if (how->watch_s == 0)
		say(c, &s, how->form, r);
	cli_status_fini(&s);
	return shown != CLV_OK ? shown : r;
}

/* Until it is interrupted, or nobody reads it any more. */
static int
watch(struct cli *c, const struct show *how)
{
	const struct timespec pause = {.tv_sec = how->watch_s};

	if (how->form == FORM_TEXT && isatty(STDOUT_FILENO))
		fputs("\033[2J", stdout);
	for (;;) {
		(void)once(c, how);
		if (fflush(stdout) != 0)
			return cli_fail(c, CLV_E_SYSTEM, NULL,
			    "standard output cannot be written");
		nanosleep(&pause, NULL);
	}
}

int
cli_status(struct cli *c)
{
	struct show how;
	int r = get_form(c, &how.form);

	if (r == CLV_OK)
		r = get_watch(c, &how);
	if (r != CLV_OK)
		return r;
	return how.watch_s > 0 ? watch(c, &how) : once(c, &how);
}
