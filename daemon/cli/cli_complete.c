/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "daemon/cli/cli.h"

/*
 * What a shell may suggest for the last word, out of the table of verbs: one a
 * line, and FILES for names of files. The shell leaves out what does not begin
 * like the word that is there.
 */
#define FILES ":files"

static bool
is_file(const char *arg)
{
	return strstr(arg, "FILE") != NULL || strcmp(arg, "DIR") == 0;
}

/* First words of verbs, each once. */
static void
print_first(void)
{
	const char *last = "";
	size_t last_len = 0, len;

	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
		len = strcspn(v->name, " ");
		if (len != last_len || strncmp(v->name, last, len) != 0)
			printf("%.*s\n", (int)len, v->name);
		last = v->name;
		last_len = len;
	}
}

static void
print_second(const char *first)
{
	size_t len = strlen(first);

	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++)
		if (strncmp(v->name, first, len) == 0 && v->name[len] == ' ')
			puts(v->name + len + 1);
}

/* What stands behind this option: false, if that is none with a value. */
static bool
print_value(const struct cli_verb *v, const char *word)
{
	if (strncmp(word, "--", 2) != 0)
		return false;
	for (const struct cli_opt *o = v->opts; o->name != NULL; o++) {
		if (o->arg == NULL || strcmp(o->name, word + 2) != 0)
			continue;
		if (is_file(o->arg))
			puts(FILES);
		return true;
	}
	return false;
}

static void
print_options(const struct cli_verb *v)
{
	for (const struct cli_opt *o = v->opts; o->name != NULL; o++)
		printf("--%s\n", o->name);
	puts("--help");
	if (is_file(v->args))
		puts(FILES);
}

int
cli_complete(struct cli *c)
{
	int words = (int)c->arg_count - 1, used = 0;
	const struct cli_verb *v = cli_verb_find(words, c->args, &used);

	if (words == 0)
		print_first();
	if (words == 1)
		print_second(c->args[0]);
	if (v != NULL && (words == used || !print_value(v, c->args[words - 1])))
		print_options(v);
	return CLV_OK;
}
