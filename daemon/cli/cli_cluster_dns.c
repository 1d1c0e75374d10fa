/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "agents/dns_helper.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/doctor/cli_doctor_cluster.h"

#define STRING(n) #n
#define SECONDS(n) STRING(n)

/* What the agents do by themselves, by hand: the name in DNS. The program that
 * does it for them bounds itself in time, and says what it has found. */
struct name {
	char id[128], server[128], key_file[512], network_name[256], ip[64],
	    ttl[16];
};

static const struct {
	const char *parameter;
	size_t at, cap;
	const char *def;
} parts[] = {
#define PART(parameter, member, def) \
	{ \
		parameter, offsetof(struct name, member), \
		    sizeof(((struct name *)0)->member), def \
	}
    PART("dns_server", server, ""),
    PART("dns_key_file", key_file, ""),
    PART("network_name", network_name, ""),
    PART("ip", ip, ""),
    PART("ttl", ttl, "60"),
};

static void
read_name(struct cib *cib, struct cib_element *rsc, struct name *ret)
{
	char *dst;

	cib_text(cib, rsc, "@id", ret->id, sizeof(ret->id));
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		dst = (char *)ret + parts[i].at;
		cib_let(cib, "name", parts[i].parameter);
		if (!cib_text(cib, rsc,
			"instance_attributes/nvpair[@name=$name]/@value", dst,
			parts[i].cap))
			snprintf(dst, parts[i].cap, "%s", parts[i].def);
	}
}

static int
run_helper(const struct name *n, bool again, int *ret_status)
{
	const char *argv[] = {"dns-update", again ? "register" : "check", "-s",
	    n->server, "-k", n->key_file, "-n", n->network_name, "-a", n->ip,
	    "-t", n->ttl, "-w", SECONDS(DNS_CHECK_S), NULL};
	pid_t pid;
	int status = 0, err;

	fflush(NULL);
	err = posix_spawn(&pid, DNS_HELPER, NULL, NULL,
	    (char *const *)(uintptr_t)argv, environ);
	if (err != 0) {
		errno = err;
		return CLV_E_SYSTEM;
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return CLV_E_SYSTEM;
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : DNS_SILENT;
	return CLV_OK;
}

static int
do_name(struct cli *c, const struct name *n, bool again)
{
	int status = DNS_OK, r;

	printf("%s:\n", n->id);
	r = run_helper(n, again, &status);
	if (r != CLV_OK)
		return cli_fail(c, r,
		    "install the package claviger-resource-agents", "%s: %s",
		    DNS_HELPER, strerror(errno));
	switch (status) {
	case DNS_OK: return CLV_OK;
	case DNS_DIFFERS:
		return cli_fail(c, CLV_E_FINDINGS,
		    "claviger cluster dns --register",
		    "DNS does not have the name of %s as it should", n->id);
	case DNS_SILENT:
		return cli_fail(c, CLV_E_TIMEOUT, NULL,
		    "the DNS server of %s was not to be asked", n->id);
	default:
		return cli_fail(c, CLV_E_DENIED,
		    "man ocf_claviger_master-secret, section DNS",
		    "the name of %s cannot be %s", n->id,
		    again ? "registered" : "looked at");
	}
}

static int
do_all(struct cli *c, struct cib *cib)
{
	const char *only = cli_opt(c, "resource");
	bool again = cli_opt(c, "register") != NULL;
	struct cib_element *rsc;
	struct name name;
	size_t n = 0, done = 0;
	int r = CLV_OK, one;

	for (; (rsc = cib_find(cib, NULL,
		    "configuration/resources//primitive[@class='ocf' and "
		    "@provider='claviger' and "
		    "instance_attributes/nvpair[@name='dns_server']]",
		    n)) != NULL;
	     n++) {
		read_name(cib, rsc, &name);
		if (only != NULL && strcmp(only, name.id) != 0)
			continue;
		one = do_name(c, &name, again);
		r = r == CLV_OK ? one : r;
		done++;
	}
	if (done == 0)
		return cli_fail(c, CLV_E_NOT_FOUND,
		    "man ocf_claviger_master-secret, section DNS",
		    only != NULL ? "there is no resource '%s' with dns_server"
				 : "no resource has dns_server%s",
		    only != NULL ? only : "");
	return r;
}

int
cli_cluster_dns(struct cli *c)
{
	struct cib *cib = NULL;
	int r = doctor_cib_ask(&cib);

	if (r == CLV_E_NOT_FOUND)
		return cli_fail(c, r, "run it on a node of the cluster",
		    "there is no cluster software on this host");
	if (r != CLV_OK)
		return cli_fail(c, r, NULL, "Pacemaker does not answer");
	r = do_all(c, cib);
	cib_free(&cib);
	return r;
}
