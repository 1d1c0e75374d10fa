/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <getopt.h>
#include <string.h>
#include "daemon/cli/cli.h"

/* getopt_long returns this plus the option's position in the table. */
#define OPT_BASE 0x100

/* How many words of argv name this verb: 1, 2, or 0 if they do not. */
static int
matches(const struct cli_verb *v, int argc, char **argv)
{
	size_t len = strlen(argv[0]);

	if (strcmp(v->name, argv[0]) == 0)
		return 1;
	if (argc < 2 || strncmp(v->name, argv[0], len) != 0 ||
	    v->name[len] != ' ')
		return 0;
	return strcmp(v->name + len + 1, argv[1]) == 0 ? 2 : 0;
}

const struct cli_verb *
cli_verb_find(int argc, char **argv, int *ret_words)
{
	const struct cli_verb *found = NULL;
	int best = 0;

	if (argc < 1)
		return NULL;
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
		int words = matches(v, argc, argv);

		if (words > best) { /* "backup verify" before "backup" */
			best = words;
			found = v;
		}
	}
	if (found != NULL)
		*ret_words = best;
	return found;
}

static size_t
opt_count(const struct cli_verb *v)
{
	size_t n = 0;

	while (v->opts[n].name != NULL)
		n++;
	assert(n <= CLI_OPTS_MAX);
	return n;
}

const char *
cli_opt(const struct cli *c, const char *name)
{
	for (size_t i = 0; c->verb->opts[i].name != NULL; i++) {
		if (strcmp(c->verb->opts[i].name, name) == 0)
			return c->value[i];
	}
	assert(!"an option that is not in the verb's table");
	return NULL;
}

static int
usage(const struct cli *c, const char *fmt, const char *arg)
{
	char next[128];

	snprintf(next, sizeof(next), "claviger %s --help", c->verb->name);
	/* Both callers' formats are literals with one %s. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	return cli_fail(c, CLV_E_USAGE, next, fmt, arg);
#pragma GCC diagnostic pop
}

static int
take(struct cli *c, size_t i)
{
	const struct cli_opt *o = &c->verb->opts[i];

	if (c->value[i] != NULL)
		return usage(c, "option --%s is given twice", o->name);
	if (o->arg != NULL && optarg[0] == '\0')
		return usage(c, "option --%s has an empty value", o->name);
	c->value[i] = o->arg != NULL ? optarg : "";
	return CLV_OK;
}

static int
check_all(struct cli *c)
{
	for (size_t i = 0; c->verb->opts[i].name != NULL; i++) {
		if (c->verb->opts[i].required && c->value[i] == NULL)
			return usage(
			    c, "option --%s is missing", c->verb->opts[i].name);
	}
	if (c->arg_count < c->verb->args_min)
		return usage(c, "an argument is missing: %s", c->verb->args);
	if (c->arg_count > c->verb->args_max)
		return usage(c, "there is an argument too many: '%s'",
		    c->args[c->verb->args_max]);
	return CLV_OK;
}

static const struct cli_opt *
find(const struct cli_verb *v, const char *name, size_t len)
{
	for (const struct cli_opt *o = v->opts; o->name != NULL; o++) {
		if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
			return o;
	}
	return NULL;
}

/* One "--name[=value]". What is printed never holds the value. */
static int
check_word(const struct cli *c, const char *word, bool *ret_value_follows)
{
	size_t len = strcspn(word, "=");
	const struct cli_opt *o = find(c->verb, word, len);
	char name[64];

	*ret_value_follows = false;
	if (strcmp(word, "help") == 0)
		return CLV_OK;
	snprintf(name, sizeof(name), "%.*s", (int)len, word);
	if (o == NULL)
		return usage(c, "there is no option --%s", name);
	if (o->arg == NULL && word[len] == '=')
		return usage(c, "option --%s takes no value", name);
	*ret_value_follows = o->arg != NULL && word[len] != '=';
	return CLV_OK;
}

/* getopt_long() takes abbreviations, which break scripts when an option is
 * added: whole words only. */
static int
check_words(const struct cli *c, int argc, char **argv)
{
	bool skip = false;
	int r = CLV_OK;

	for (int i = 1; i < argc && r == CLV_OK; i++) {
		if (skip || strncmp(argv[i], "--", 2) != 0) {
			skip = false;
			continue;
		}
		if (argv[i][2] == '\0')
			break;
		r = check_word(c, argv[i] + 2, &skip);
	}
	return r;
}

/* argv[0] is the verb's last word. CLV_E_CANCELLED after --help. */
int
cli_opt_parse(struct cli *c, int argc, char **argv)
{
	struct option longs[CLI_OPTS_MAX + 2] = {{NULL, 0, NULL, 0}};
	size_t n = opt_count(c->verb);
	int ch, r = check_words(c, argc, argv);

	if (r != CLV_OK)
		return r;
	for (size_t i = 0; i < n; i++) {
		longs[i].name = c->verb->opts[i].name;
		longs[i].has_arg = c->verb->opts[i].arg != NULL
				       ? required_argument
				       : no_argument;
		longs[i].val = OPT_BASE + (int)i;
	}
	longs[n] = (struct option){"help", no_argument, NULL, 'h'};
	opterr = 0;
	optind = 0;
	while ((ch = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
		if (ch == 'h') {
			cli_verb_help(stdout, c->verb);
			return CLV_E_CANCELLED;
		}
		if (ch == ':')
			return usage(
			    c, "option %s needs a value", argv[optind - 1]);
		if (ch < OPT_BASE)
			return usage(
			    c, "there is no option %s", argv[optind - 1]);
		r = take(c, (size_t)(ch - OPT_BASE));
		if (r != CLV_OK)
			return r;
	}
	c->args = argv + optind;
	c->arg_count = (unsigned)(argc - optind);
	return check_all(c);
}

void
cli_verb_help(FILE *f, const struct cli_verb *v)
{
	char left[64];

	fprintf(f, "usage: claviger %s%s%s%s\n  %s\n", v->name,
	    v->args[0] != '\0' ? " " : "", v->args,
	    v->opts[0].name != NULL ? " [options]" : "", v->what);
	for (const struct cli_opt *o = v->opts; o->name != NULL; o++) {
		snprintf(left, sizeof(left), "--%s%s%s", o->name,
		    o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
		fprintf(f, "    %-32s %s%s\n", left, o->help,
		    o->required ? " (required)" : "");
	}
}

void
cli_help(FILE *f)
{
	fputs("usage: claviger [--config FILE] VERB [options]\n"
	      "       claviger VERB --help\n"
	      "       claviger --version\n\n",
	    f);
	for (const struct cli_verb *v = cli_verbs; v->name != NULL; v++) {
		char left[48];

		snprintf(left, sizeof(left), "%s%s%s", v->name,
		    v->args[0] != '\0' ? " " : "", v->args);
		fprintf(f, "  %-24s %s\n", left, v->what);
	}
	fputs("\nResults go to standard output, everything else to standard "
	      "error.\nThe exit statuses are in claviger(1).\n",
	    f);
}
