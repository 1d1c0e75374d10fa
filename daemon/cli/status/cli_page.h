/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_PAGE_H
#define CLAVIGER_CLI_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * One screen of short facts, each with how well it is: filled once, then shown
 * as text, in colour on a terminal, or as a page for a browser.
 */
enum cli_level { CLI_PLAIN, CLI_GOOD, CLI_WARN, CLI_BAD };
#define CLI_PAGE_KEY 16
#define CLI_PAGE_TEXT 700

struct cli_fact {
	char key[CLI_PAGE_KEY]; /* "": goes on with the one before */
	char text[CLI_PAGE_TEXT];
	enum cli_level level;
};
struct cli_page {
	struct cli_fact *facts;
	size_t n;
};

/* {NULL, 0} is an empty one. Out of memory ends the command. */
void cli_page_add(struct cli_page *p, enum cli_level level, const char *key,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void cli_page_fini(struct cli_page *p);

struct cli_paper {
	bool colour;
	bool redraw; /* over what a terminal shows */
};
/* May a terminal's colours be used on standard output? */
bool cli_page_may_colour(void);
void cli_page_text(FILE *f, const struct cli_page *p, struct cli_paper paper);
/* Within an element, or an attribute's quotes. */
void cli_html_text(FILE *f, const char *text);
void cli_page_html(FILE *f, const struct cli_page *p, const char *title);

#endif
