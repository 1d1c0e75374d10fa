/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/api/authorize.h"
#include "daemon/cli/cli.h"
#include "daemon/base/config_key.h"
#include "daemon/keeper/role.h"

#include "suite.h"

/* What the manual pages say twice, as the program has it in a table: the
 * states of the role, the exit statuses, the verbs with their options. */

#define LINES_MAX 2048
static char *lines[LINES_MAX];
static size_t line_count;

/* The lines of one section, between `head` and the next one. */
static void
load(const char *page, const char *head)
{
	char path[512], text[512];
	bool inside = false;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", MANUALS, page);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s cannot be read", path);
	line_count = 0;
	while (fgets(text, sizeof(text), f) != NULL) {
		text[strcspn(text, "\n")] = '\0';
		if (inside &&
		    (strncmp(text, ".Sh ", 4) == 0 ||
			(head[2] == 's' && strncmp(text, ".Ss ", 4) == 0)))
			break;
		if (inside) {
			ck_assert_uint_lt(line_count, LINES_MAX);
			lines[line_count++] = strdup(text);
		}
		inside = inside || strcmp(text, head) == 0;
	}
	fclose(f);
	ck_assert_uint_gt(line_count, 0);
}

static void
unload(void)
{
	while (line_count > 0)
		free(lines[--line_count]);
}

static bool
is(const char *line, const char *macro)
{
	size_t len = strlen(macro);

	return strncmp(line, macro, len) == 0 &&
	       (line[len] == ' ' || line[len] == '\0');
}

/* The role. */

static bool
means(const char *name, enum role_state s)
{
	if (strcmp(name, "any") == 0)
		return true;
	if (strcmp(name, "any promoting") == 0)
		return role_promoting(s);
	if (strcmp(name, "any active") == 0)
		return role_serves(s);
	return strcmp(name, role_state_name(s)) == 0;
}

/* How many rows of the page say that this event moves this state, and the
 * state that the last of them names. */
static unsigned
page_rows(enum role_state from, enum role_event event, char ret_to[128])
{
	char state[128] = "", name[128];
	unsigned n = 0;

	for (size_t i = 0; i < line_count; i++) {
		char *to = strstr(lines[i], " Ta ");

		if (!is(lines[i], ".It"))
			continue;
		if (to == NULL) {
			snprintf(state, sizeof(state), "%s", lines[i] + 4);
			continue;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(to - lines[i] - 4),
		    lines[i] + 4);
		if (!means(state, from) ||
		    strcmp(name, role_event_name(event)) != 0)
			continue;
		snprintf(ret_to, 128, "%s", to + 4);
		n++;
	}
	return n;
}

START_TEST(clavigerd_8_has_the_moves_of_the_role_and_no_other)
{
	enum role_state from = (enum role_state)_i;
	char to[128] = "";

	load("clavigerd.8", ".Ss Server role");
	for (int e = 0; e < ROLE_EVENTS; e++) {
		const struct role_rule *r = role_rule(from, (enum role_event)e);
		unsigned n = page_rows(from, (enum role_event)e, to);
		bool moves = r != NULL && r->to != from;

		ck_assert_msg(n <= 1 && (n == 1 || !moves), "%s, %s: %u rows",
		    role_state_name(from), role_event_name((enum role_event)e),
		    n);
		ck_assert_msg(n == 0 || r != NULL, "%s, %s: refused",
		    role_state_name(from), role_event_name((enum role_event)e));
		if (n == 1)
			ck_assert_str_eq(to, role_state_name(r->to));
	}
	unload();
}
END_TEST

static bool
is_state(const char *name)
{
	for (int s = 0; s < ROLE_STATES; s++)
		if (means(name, (enum role_state)s))
			return true;
	return false;
}

static bool
is_event(const char *name, size_t len)
{
	for (int e = 0; e < ROLE_EVENTS; e++) {
		const char *event = role_event_name((enum role_event)e);

		if (strlen(event) == len && strncmp(event, name, len) == 0)
			return true;
	}
	return false;
}

/* A row of a state or event that does not exist is of no pair above. */
START_TEST(clavigerd_8_names_states_and_events_that_exist)
{
	load("clavigerd.8", ".Ss Server role");
	for (size_t i = 0; i < line_count; i++) {
		char *to = strstr(lines[i], " Ta ");

		if (!is(lines[i], ".It"))
			continue;
		if (to == NULL)
			ck_assert_msg(is_state(lines[i] + 4), "%s", lines[i]);
		else
			ck_assert_msg(
			    is_event(lines[i] + 4, (size_t)(to - lines[i]) - 4),
			    "%s", lines[i]);
	}
	unload();
}
END_TEST

/* Rights. */

START_TEST(claviger_1_says_who_may_what)
{
	static const unsigned roles[] = {
	    AUTH_SYSTEM_ADMIN, AUTH_CREATOR, AUTH_APP_ADMIN, AUTH_APP_USER};
	int op = AUTH_OP_GET;

	load("claviger.1", ".Sh WHO MAY WHAT");
	for (size_t i = 0; i < line_count; i++) {
		char row[128];

		if (!is(lines[i], ".It") || is(lines[i], ".It Em"))
			continue;
		snprintf(
		    row, sizeof(row), ".It %s", auth_op_name((enum auth_op)op));
		for (size_t r = 0; r < 4; r++)
			strcat(row, auth_may((enum auth_op)op, roles[r])
					? " Ta yes"
					: " Ta no");
		ck_assert_str_eq(lines[i], row);
		op++;
	}
	unload();
	ck_assert_int_eq(op, AUTH_OP_SETTING + 1);
}
END_TEST

/* Exit statuses. */

START_TEST(claviger_1_has_the_exit_statuses_and_no_other)
{
	bool used[256] = {false}, documented[256] = {false};

	for (int r = 0; r > CLV_E_LAST; r--)
		used[clv_result_exit(r)] = true;
	load("claviger.1", ".Sh EXIT STATUS");
	for (size_t i = 0; i < line_count; i++) {
		if (!is(lines[i], ".It"))
			continue;
		ck_assert(isdigit((unsigned char)lines[i][4]));
		documented[atoi(lines[i] + 4)] = true;
		ck_assert_msg(i + 1 < line_count && lines[i + 1][0] != '.',
		    "%s: without a word", lines[i]);
	}
	unload();
	for (int i = 0; i < 256; i++)
		ck_assert_msg(used[i] == documented[i], "%d: %s", i,
		    used[i] ? "not documented" : "never returned");
}
END_TEST

/* Verbs. The page is read once, and what it says of each is kept. */

#define VERBS_MAX 64
static struct said {
	const struct cli_verb *verb;
	bool opt[CLI_OPTS_MAX];	 /* it names this option, */
	bool must[CLI_OPTS_MAX]; /* in a synopsis, and not as optional */
} said[VERBS_MAX];
static size_t said_count;

static const struct cli_verb *
verb_of(char **words, size_t n, size_t *ret_used)
{
	const struct cli_verb *v = NULL;
	int used = 0;

	if (n > 0)
		v = cli_verb_find(n > 1 ? 2 : 1, words, &used);
	*ret_used = (size_t)used;
	return v;
}

static struct said *
said_of(const struct cli_verb *v)
{
	for (size_t i = 0; i < said_count; i++)
		if (said[i].verb == v)
			return &said[i];
	ck_assert_uint_lt(said_count, VERBS_MAX);
	said[said_count].verb = v;
	return &said[said_count++];
}

/* "-name", as mdoc's Fl has it. */
static void
note_option(struct said *s, const char *word, bool optional)
{
	size_t i = 0;

	while (s->verb->opts[i].name != NULL &&
	       strcmp(s->verb->opts[i].name, word + 1) != 0)
		i++;
	ck_assert_msg(s->verb->opts[i].name != NULL,
	    "claviger %s has no option -%s", s->verb->name, word);
	s->opt[i] = true;
	s->must[i] = s->must[i] || !optional;
}

static void
add_argument(char args[static 64], const char *word, bool optional)
{
	size_t len = strlen(args);

	snprintf(args + len, 64 - len, "%s%s%s%s", len > 0 ? " " : "",
	    optional ? "[" : "", word, optional ? "]" : "");
}

/* FILE and "Ar file", one by one, [FILE] and "Op Ar file", up to the first
 * option; what follows "--" is a command of the caller's. Of several ways to
 * use a verb, not every one has what is optional. */
static size_t
check_arguments(const struct cli_verb *v, char **words, size_t n)
{
	char args[64] = "", wanted[64], *more;
	size_t i = 0;

	snprintf(wanted, sizeof(wanted), "%s", v->args);
	more = strstr(wanted, "…"); /* "..." in the pages */
	if (more != NULL)
		memmove(
		    more, more + strlen("…"), strlen(more + strlen("…")) + 1);
	if (strstr(wanted, " -- ") != NULL)
		*strstr(wanted, " -- ") = '\0';
	if (strncmp(wanted, "-- ", 3) == 0)
		wanted[0] = '\0';
	if (n > 0 && strcmp(words[0], "Ar") == 0)
		for (i = 1; i < n && islower((unsigned char)words[i][0]); i++)
			add_argument(args, words[i], false);
	for (; i + 2 < n && strcmp(words[i], "Op") == 0 &&
	       strcmp(words[i + 1], "Ar") == 0;
	     i += 3)
		add_argument(args, words[i + 2], true);
	ck_assert_msg(strcasecmp(args, wanted) == 0 ||
			  (args[0] == '\0' && wanted[0] == '['),
	    "claviger %s takes '%s', not '%s'", v->name, v->args, args);
	return i;
}

/* A line in which options stand: of a synopsis, or of the text below it. */
static void
note_words(struct said *s, char **words, size_t n, bool synopsis)
{
	bool optional = !synopsis;

	for (size_t i = 0; i < n; i++) {
		optional = optional || strcmp(words[i], "Op") == 0;
		if (words[i][0] == '-' && islower((unsigned char)words[i][1]))
			note_option(s, words[i], optional);
	}
}

static size_t
split(char *line, char **ret_words, size_t max)
{
	char *save = NULL, *w;
	size_t n = 0;

	for (w = strtok_r(line, " ", &save); w != NULL && n < max;
	     w = strtok_r(NULL, " ", &save))
		ret_words[n++] = w;
	return n;
}

/* .It Cm VERB..., or what follows .It Xo. */
static struct said *
head(char **words, size_t n)
{
	const struct cli_verb *v;
	struct said *s;
	size_t used;

	ck_assert(n > 1 && strcmp(words[0], "Cm") == 0);
	v = verb_of(words + 1, n - 1, &used);
	ck_assert_msg(v != NULL, "there is no verb %s", words[1]);
	s = said_of(v);
	used++;
	used += check_arguments(v, words + used, n - used);
	note_words(s, words + used, n - used, true);
	return s;
}

/* Level 1 of the lists are the verbs, level 2 the options of one. */
static void
read_verbs(void)
{
	struct said *s = NULL;
	bool spread = false; /* a head over several lines */
	int level = 0;

	memset(said, 0, sizeof(said));
	said_count = 0;
	load("claviger.1", ".Sh VERBS");
	for (size_t i = 0; i < line_count; i++) {
		char *words[64];
		size_t n = split(lines[i], words, 64);
		const char *m = n > 0 ? words[0] : "";

		if (strcmp(m, ".Bl") == 0) {
			level++;
		} else if (strcmp(m, ".El") == 0) {
			level--;
		} else if (strcmp(m, ".Xc") == 0) {
			spread = false;
		} else if (strcmp(m, ".It") == 0 && level == 1) {
			spread = n > 1 && strcmp(words[1], "Xo") == 0;
			s = spread ? NULL : head(words + 1, n - 1);
		} else if (spread && s == NULL) {
			words[0]++; /* the dot */
			s = head(words, n);
		} else if (s != NULL && (spread || strcmp(m, ".Fl") == 0 ||
					    strcmp(m, ".It") == 0)) {
			note_words(s, words + 1, n - 1, spread);
		}
	}
	unload();
}

START_TEST(claviger_1_has_the_verbs_and_their_options_and_no_other)
{
	read_verbs();
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
		size_t before = said_count;
		const struct said *s = said_of(v);

		ck_assert_msg(said_count == before, "%s is missing", v->name);
		for (size_t i = 0; v->opts[i].name != NULL; i++) {
			ck_assert_msg(s->opt[i], "claviger %s --%s is missing",
			    v->name, v->opts[i].name);
			ck_assert_msg(s->must[i] || !v->opts[i].required,
			    "claviger %s needs --%s", v->name, v->opts[i].name);
		}
	}
}
END_TEST

/* In both: each key, and whether it is live. */
START_TEST(claviger_conf_5_has_the_keys_and_no_other)
{
	const struct config_key *k;
	unsigned seen = 0;

	load("claviger.conf.5", ".Sh DESCRIPTION");
	for (size_t i = 0; i < line_count; i++) {
		if (strncmp(lines[i], ".It Cm ", 7) != 0)
			continue;
		k = config_key_find(lines[i] + 7);
		ck_assert_msg(k != NULL, "there is no key %s", lines[i] + 7);
		ck_assert_msg(config_key_is_live(k) ==
				  (strcmp(lines[i + 1], "Live.") == 0),
		    "is %s live?", lines[i] + 7);
		seen++;
	}
	unload();
	ck_assert_uint_eq(seen, CONFIG_N_KEYS);
}
END_TEST

START_TEST(help_has_every_verb_and_every_option)
{
	char *text = NULL, word[80];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	cli_help(f);
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++)
		cli_verb_help(f, v);
	fclose(f);
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
		snprintf(word, sizeof(word), "\n  %s ", v->name);
		ck_assert_msg(strstr(text, word) != NULL, "%s", v->name);
		for (size_t i = 0; v->opts[i].name != NULL; i++) {
			snprintf(
			    word, sizeof(word), "\n    --%s ", v->opts[i].name);
			ck_assert_msg(strstr(text, word) != NULL, "%s", word);
		}
	}
	free(text);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("manual");
	TCase *t = tcase_create("pages");

	tcase_add_loop_test(t,
	    clavigerd_8_has_the_moves_of_the_role_and_no_other, 0, ROLE_STATES);
	tcase_add_test(t, clavigerd_8_names_states_and_events_that_exist);
	tcase_add_test(t, claviger_1_says_who_may_what);
	tcase_add_test(t, claviger_1_has_the_exit_statuses_and_no_other);
	tcase_add_test(
	    t, claviger_1_has_the_verbs_and_their_options_and_no_other);
	tcase_add_test(t, claviger_conf_5_has_the_keys_and_no_other);
	tcase_add_test(t, help_has_every_verb_and_every_option);
	suite_add_tcase(s, t);
	return suite_run(s);
}
