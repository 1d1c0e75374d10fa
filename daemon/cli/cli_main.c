/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include <config.h>
#include "daemon/cli/cli.h"
#include "daemon/front/tls.h"

/* A keyring may pass through this process: no core, no debugger. 1, because a
 * piped core handler ignores a limit of 0. */
static int
harden(void)
{
	const struct rlimit core = {1, 1};

	umask(077);
	if (setrlimit(RLIMIT_CORE, &core) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return CLV_E_SYSTEM;
	return sodium_init() < 0 ? CLV_E_SYSTEM : CLV_OK;
}

/* PQ* variables could point libpq elsewhere; lib/store ignores them, and
 * children get none of ours either way. */
static int
no_config(const struct cli *c)
{
	const char *next = "claviger init on the first server node, claviger "
			   "join on every other host";

	if (c->config_result == CLV_E_NOT_FOUND)
		return cli_fail(c, c->config_result, next,
		    "this host is not set up: %s is not there", c->path);
	if (c->config_result == CLV_E_PERMISSION && geteuid() != 0)
		next = "run it as root";
	else if (c->config_result == CLV_E_PERMISSION)
		next = "look whether somebody has changed it, and mend its "
		       "owner and mode";
	else
		next = "mend that line of the file, or restore the file";
	if (c->config_why[0] != '\0') /* begins with the path */
		return cli_fail(c, c->config_result, next, "%s", c->config_why);
	return cli_fail(c, c->config_result, next, "%s cannot be used: %s",
	    c->path, clv_result_text(c->config_result));
}

int
cli_need(const struct cli *c, unsigned needs)
{
	if ((needs & CLI_NEED_ADMIN) != 0)
		needs = geteuid() != 0 ? 0
				       : CLI_NEED_CONFIG | CLI_NEED_SYSTEM |
					     CLI_NEED_SERVER;
	if ((needs & CLI_NEED_ROOT) != 0 && geteuid() != 0)
		return cli_fail(
		    c, CLV_E_DENIED, "run it by sudo", "only root may do this");
	if ((needs & CLI_NEED_CONFIG) != 0 && c->config_result != CLV_OK)
		return no_config(c);
	if ((needs & CLI_NEED_SYSTEM) != 0 && c->config.system[0] == '\0')
		return cli_fail(c, CLV_E_CONFIG,
		    "claviger init on the first server node, claviger join on "
		    "every other host",
		    "this host belongs to no system yet: %s has no line "
		    "'system = …'",
		    c->path);
	if ((needs & CLI_NEED_SERVER) != 0 && !config_is_server(&c->config))
		return cli_fail(c, CLV_E_CONFIG, "run it on a server node",
		    "this host is a member, not a server node");
	return CLV_OK;
}

static int
run(struct cli *c, int argc, char **argv)
{
	int words, r;

	c->verb = cli_verb_find(argc, argv, &words);
	if (c->verb == NULL)
		return cli_fail(c, CLV_E_USAGE, "claviger --help",
		    argc > 0 ? "there is no verb '%s%s%s'" : "which verb?",
		    argc > 0 ? argv[0] : "", argc > 1 ? " " : "",
		    argc > 1 ? argv[1] : "");
	r = cli_opt_parse(c, argc - words + 1, argv + words - 1);
	if (r == CLV_E_CANCELLED)
		return CLV_OK;
	if (r != CLV_OK)
		return r;
	config_defaults(&c->config);
	c->config_result = config_load(c->path, &c->config, c->config_why);
	tls_enforce_expiry(c->config.enforce_expiry);
	r = cli_need(c, c->verb->needs);
	return r != CLV_OK ? r : c->verb->run(c);
}

static const struct option globals[] = {
    {"config", required_argument, NULL, 'c'},
    {"clavigerd", required_argument, NULL, 'd'},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

/* An abbreviation, which getopt_long() takes, breaks when options are added. */
static bool
is_whole(const char *word, const char *name)
{
	size_t len = strcspn(word, "=");

	return strlen(name) + 2 == len && strncmp(word + 2, name, len - 2) == 0;
}

static int
no_option(const struct cli *c, const char *word)
{
	return clv_result_exit(cli_fail(c, CLV_E_USAGE, "claviger --help",
	    "there is no option %.*s, or it needs a value",
	    (int)strcspn(word, "="), word));
}

int
cli_main(int argc, char **argv)
{
	struct cli c = {
	    .path = CONFIG_PATH, .daemon = CLV_SBINDIR "/clavigerd"};
	int ch, r, at = 1, i = -1;

	if (harden() != CLV_OK) {
		perror("claviger: cannot protect its memory");
		return clv_result_exit(CLV_E_SYSTEM);
	}
	opterr = 0;
	while ((ch = getopt_long(argc, argv, "+c:hV", globals, &i)) != -1) {
		if (ch == '?' ||
		    (i >= 0 && !is_whole(argv[at], globals[i].name)))
			return no_option(&c, argv[at]);
		at = optind;
		i = -1;
		if (ch == 'c')
			c.path = optarg;
		else if (ch == 'd')
			c.daemon = optarg;
		else if (ch == 'h')
			return cli_help(stdout), 0;
		else if (ch == 'V')
			return puts("claviger " PACKAGE_VERSION), 0;
	}
	r = run(&c, argc - optind, argv + optind);
	clv_guard_free_all(&c.guard);
	if (fflush(stdout) != 0 && r == CLV_OK)
		r = cli_fail(&c, CLV_E_SYSTEM, NULL,
		    "standard output cannot be written");
	return clv_result_exit(r);
}
