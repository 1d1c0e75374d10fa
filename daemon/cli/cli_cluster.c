/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include "agents/mss_times.h"
#include "daemon/cli/cli.h"
#include "daemon/cli/cli_cluster.h"

/* Two monitors need two intervals. */
const struct cluster_op cluster_ops[] = {
    {"start", "", 0, MSS_START_S},
    {"promote", "", 0, MSS_PROMOTE_S},
    {"demote", "", 0, MSS_DEMOTE_S},
    {"stop", "", 0, MSS_STOP_S},
    {"monitor", "Promoted", MSS_PROMOTED_INTERVAL_S, MSS_PROMOTED_S},
    {"monitor", "Unpromoted", MSS_UNPROMOTED_INTERVAL_S, MSS_UNPROMOTED_S},
    {NULL, NULL, 0, 0},
};

struct resource {
	const char *name, *nic, *cidr;
	const struct clv_list *list;
	const char *config; /* NULL: where the agent looks anyway */
	char socket[320];   /* "": the same */
};

static void
print_parameters(const struct resource *r, const char *indent)
{
	printf("%sip=%s network_name=%s", indent, r->list->address,
	    r->list->network_name);
	if (r->nic != NULL)
		printf(" nic=%s", r->nic);
	if (r->cidr != NULL)
		printf(" cidr_netmask=%s", r->cidr);
	if (r->config != NULL)
		printf(" config=%s", r->config);
	if (r->socket[0] != '\0')
		printf(" socket=%s", r->socket);
	puts(" \\");
}

static void
print_ops(const char *indent)
{
	for (const struct cluster_op *op = cluster_ops; op->name != NULL;
	     op++) {
		printf("%sop %s interval=%us timeout=%us", indent, op->name,
		    op->interval_s, op->timeout_s);
		if (op->role[0] != '\0')
			printf(" role=%s", op->role);
		puts(" \\");
	}
}

static void
print_pcs(const struct resource *r)
{
	printf(
	    "pcs resource create %s ocf:claviger:master-secret \\\n", r->name);
	print_parameters(r, "    ");
	print_ops("    ");
	puts("    promotable promoted-max=1 clone-node-max=1 notify=false");
}

/* In one commit: a primitive alone would start before it is a clone. */
static void
print_crm(const struct resource *r)
{
	puts("crm configure <<'END'");
	printf("primitive %s ocf:claviger:master-secret \\\n", r->name);
	print_parameters(r, "    params ");
	print_ops("    ");
	puts("    meta target-role=Started");
	printf("clone %s-clone %s \\\n"
	       "    meta promotable=true promoted-max=1 clone-node-max=1 "
	       "notify=false\n"
	       "commit\n"
	       "END\n",
	    r->name, r->name);
}

static int
check_values(struct cli *c, const struct resource *r)
{
	uint32_t bits;
	bool v6 = strchr(r->list->address, ':') != NULL;

	if (clv_name_check(r->name) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID, NULL,
		    "'%s' is not a name of a resource", r->name);
	if (r->nic != NULL &&
	    (clv_name_check(r->nic) != CLV_OK || strlen(r->nic) > 15))
		return cli_fail(c, CLV_E_INVALID, NULL,
		    "'%s' is not a name of an interface", r->nic);
	if (r->cidr != NULL &&
	    cli_number_parse(r->cidr, 1, v6 ? 128 : 32, &bits) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID, NULL,
		    "'%s' is not a prefix length for %s", r->cidr,
		    r->list->address);
	return CLV_OK;
}

int
cli_cluster_commands(struct cli *c)
{
	bool pcs = cli_opt(c, "pcs") != NULL;
	const char *name = cli_opt(c, "resource");
	struct clv_list *list = NULL;
	struct resource res = {.name = name != NULL ? name : "mss",
	    .nic = cli_opt(c, "nic"),
	    .cidr = cli_opt(c, "cidr")};
	int r;

	if (pcs == (cli_opt(c, "crm") != NULL))
		return cli_fail(c, CLV_E_USAGE,
		    "claviger cluster commands --help",
		    "give either --pcs or --crm");
	r = cli_list_need(c, &list);
	if (r != CLV_OK)
		return r;
	res.list = list;
	if (strcmp(c->path, CONFIG_PATH) != 0)
		res.config = c->path;
	snprintf(res.socket, sizeof(res.socket), "%s/control.sock",
	    c->config.run_dir);
	if (strcmp(res.socket, CTL_SOCKET) == 0)
		res.socket[0] = '\0';
	r = check_values(c, &res);
	if (r == CLV_OK && pcs)
		print_pcs(&res);
	else if (r == CLV_OK)
		print_crm(&res);
	clv_list_free(&list);
	return r;
}
