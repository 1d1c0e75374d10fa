/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include <sodium.h>

#include <claviger/result.h>
#include "daemon/base/log.h"
#include "daemon/supervisor/process.h"

static const char usage[] =
    "Usage: clavigerd [-f FILE]\n"
    "Master secret server of a claviger system; see clavigerd(8).\n"
    "\n"
    "  -f, --config FILE   configuration (default " CONFIG_PATH ")\n"
    "  -F, --foreground    stay in the foreground; this is the default\n"
    "  -V, --version       print the version and exit\n"
    "  -h, --help          print this and exit\n";

static const struct option options[] = {
    {"config", required_argument, NULL, 'f'},
    {"foreground", no_argument, NULL, 'F'}, {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};

/* Returns false when nothing is left to do but to exit with *ret_status. */
static bool
parse_arguments(
    int argc, char *const argv[], const char **ret_path, int *ret_status)
{
	int opt;

	*ret_status = 0;
	while ((opt = getopt_long(argc, argv, "f:FVh", options, NULL)) != -1) {
		switch (opt) {
		case 'f': *ret_path = optarg; break;
		case 'F': break;
		case 'V': puts("clavigerd " PACKAGE_VERSION); return false;
		case 'h': fputs(usage, stdout); return false;
		default:
			fputs("Try clavigerd --help.\n", stderr);
			*ret_status = clv_result_exit(CLV_E_USAGE);
			return false;
		}
	}
	if (optind < argc) {
		fprintf(stderr,
		    "clavigerd: unexpected argument \"%s\". "
		    "Try clavigerd --help.\n",
		    argv[optind]);
		*ret_status = clv_result_exit(CLV_E_USAGE);
	}
	return optind == argc;
}

/* To whoever started us and to the system's log, because under an agent or an
 * init system nobody reads the one or the other. */
static int
refuse(int result, const char *why)
{
	log_open("clavigerd", NULL, false);
	log_error("%s", why);
	log_close();
	return clv_result_exit(result);
}

int
main(int argc, char *argv[])
{
	const char *path = CONFIG_PATH;
	struct config c;
	char why[256];
	int status, rc;

	if (!parse_arguments(argc, argv, &path, &status))
		return status;
	process_clean();
	if (geteuid() != 0)
		return refuse(CLV_E_PERMISSION,
		    "must be started as root: it binds its control socket and "
		    "then gives up its rights by itself");
	if (sodium_init() < 0)
		return refuse(CLV_E_SYSTEM, "libsodium does not start");
	if ((rc = config_load(path, &c, why)) != CLV_OK)
		return refuse(rc, why[0] != '\0' ? why : clv_result_text(rc));
	/* Of its own session, so that nothing meant for the starter's group
	 * hits us; refused for a group leader, which a shell's job is. */
	if (!isatty(STDERR_FILENO))
		setsid();
	return supervisor_main(&c, keeper_main, front_main);
}
