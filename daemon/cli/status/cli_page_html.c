/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <time.h>
#include "daemon/cli/status/cli_page.h"

/*
 * One page, all in itself: no script, nothing that is fetched. A line has key
 * and text side by side where there is room, and one below the other where
 * there is none. That something is wrong is said by a word too, not by colour
 * alone.
 */
static const char style[] =
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--dim:#57606a;"
    "--rule:#d0d7de;--good:#116329;--warn:#7d4e00;--bad:#a40e26}\n"
    "@media(prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#e6edf3;"
    "--dim:#9198a1;--rule:#30363d;--good:#56d364;--warn:#e3b341;"
    "--bad:#ff7b72}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:60rem;padding:1rem;background:var(--paper);"
    "color:var(--ink);font:1rem/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.3rem;margin:0 0 .75rem}\n"
    "dl{margin:0;border-top:1px solid var(--rule)}\n"
    "div{display:grid;grid-template-columns:9rem 1fr;gap:0 1rem;"
    "padding:.4rem 0;border-bottom:1px solid var(--rule)}\n"
    "dt{color:var(--dim)}\n"
    "dd{margin:0;overflow-wrap:anywhere}\n"
    "dd+dd{grid-column:2}\n"
    ".good{color:var(--good)}.warn{color:var(--warn)}"
    ".bad{color:var(--bad);font-weight:600}\n"
    "footer{margin-top:1rem;color:var(--dim);font-size:.875rem}\n"
    "@media(max-width:36rem){div{display:block}}\n";

void
cli_html_text(FILE *f, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '&': fputs("&amp;", f); break;
		case '<': fputs("&lt;", f); break;
		case '>': fputs("&gt;", f); break;
		case '"': fputs("&quot;", f); break;
		case '\'': fputs("&#39;", f); break;
		default: fputc(*text, f);
		}
	}
}

static void
put_text(FILE *f, const struct cli_fact *fact)
{
	static const char *const classes[] = {[CLI_PLAIN] = "",
	    [CLI_GOOD] = " class=\"good\"",
	    [CLI_WARN] = " class=\"warn\"",
	    [CLI_BAD] = " class=\"bad\""};

	fprintf(f, "<dd%s>", classes[fact->level]);
	cli_html_text(f, fact->text);
	fputs("</dd>\n", f);
}

static void
put_facts(FILE *f, const struct cli_page *p)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->facts[i].key[0] != '\0' || i == 0) {
			fputs(i == 0 ? "<div><dt>" : "</div>\n<div><dt>", f);
			cli_html_text(f, p->facts[i].key);
			fputs("</dt>\n", f);
		}
		put_text(f, &p->facts[i]);
	}
	if (p->n > 0)
		fputs("</div>\n", f);
}

void
cli_page_html(FILE *f, const struct cli_page *p, const char *title)
{
	time_t now = time(NULL);
	char when[32] = "";
	struct tm tm;

	if (gmtime_r(&now, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	      "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
	      "content=\"width=device-width,initial-scale=1\">\n<title>",
	    f);
	cli_html_text(f, title);
	fprintf(
	    f, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>", style);
	cli_html_text(f, title);
	fputs("</h1>\n<dl>\n", f);
	put_facts(f, p);
	fprintf(f,
	    "</dl>\n<footer>claviger status, %s</footer>\n</body>\n"
	    "</html>\n",
	    when);
}
