/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "agents/address_params.h"
#include "agents/dns.h"
#include "agents/monitor_table.h"

static int
refuse_clone(const struct ocf *o)
{
	if (ocf_meta("clone_max") == NULL && ocf_meta("clone") == NULL)
		return OCF_SUCCESS;
	return ocf_fail(o, OCF_ERR_CONFIGURED,
	    "a floating address is on one node at a time: network-name cannot "
	    "be cloned");
}

static int
check(struct ocf *o)
{
	struct address a;
	int rc = refuse_clone(o);

	if (rc == OCF_SUCCESS)
		rc = address_read(o, &a);
	return rc == OCF_SUCCESS ? dns_read(o, &a) : rc;
}

static int
on_start(struct ocf *o)
{
	struct address a;
	int rc;

	address_read(o, &a);
	rc = address_start(o, &a);
	if (rc == OCF_SUCCESS && dns_is_required(o))
		rc = dns_register_wait(o, &a);
	else if (rc == OCF_SUCCESS)
		dns_register(o, &a);
	return rc;
}

static int
on_stop(struct ocf *o)
{
	struct address a;

	address_read(o, &a);
	return address_stop(o, &a);
}

/* Is the interface gone that it belongs to? */
static bool
is_link_gone(const struct address *a)
{
	struct rtnl_link link;
	int fd, err;

	if (a->nic[0] == '\0' || rtnl_open(0, &fd) != 0)
		return false;
	err = rtnl_peek_link(fd, a->nic, 0, &link);
	close(fd);
	return err == -ENODEV;
}

static enum nt_address
judge(const struct address *a, enum address_state state)
{
	switch (state) {
	case ADDRESS_RIGHT: return NT_RIGHT;
	case ADDRESS_WRONG: return NT_WRONG;
	case ADDRESS_NOT_CARRIED:
	case ADDRESS_ABSENT: break;
	}
	return is_link_gone(a) ? NT_NO_LINK : NT_ABSENT;
}

/* Level 10. That the server says nothing is no reason to take the address
 * down: those who know it still reach it. */
static int
look_at_dns(const struct ocf *o, const struct address *a)
{
	char why[OCF_REASON_MAX];
	int status = dns_compare(o, a, why);

	if (status == DNS_OK)
		return OCF_SUCCESS;
	if (status == DNS_DIFFERS && dns_is_required(o))
		return ocf_fail(o, OCF_ERR_GENERIC, "%s", why);
	ocf_reason("%s", why);
	return OCF_DEGRADED;
}

static int
on_monitor(struct ocf *o)
{
	char why[OCF_REASON_MAX];
	const struct nt_row *row;
	struct address a;
	int state, rc;

	address_read(o, &a);
	state = address_look(&a, why);
	if (state < 0)
		return ocf_fail(o, OCF_ERR_GENERIC,
		    "cannot look at the addresses of this host: %s",
		    strerror(-state));
	row = monitor_name_answer(judge(&a, (enum address_state)state));
	rc = o->is_probe ? row->probe : row->rc;
	if (rc == OCF_ERR_GENERIC)
		ocf_fail(o, rc, "%s: %s", row->why,
		    row->address == NT_NO_LINK ? a.nic : why);
	if (rc == OCF_SUCCESS && o->level >= 10 && !o->is_probe)
		rc = look_at_dns(o, &a);
	return rc;
}

static int
on_validate(struct ocf *o)
{
	struct address a;
	int rc;

	if (o->level < 10)
		return OCF_SUCCESS; /* all is checked by now */
	address_read(o, &a);
	rc = address_validate(o, &a);
	return rc == OCF_SUCCESS ? dns_validate(o, &a) : rc;
}

static const struct ocf_param params[] = {
    ADDRESS_PARAMS(true,
	"The floating address, for example 192.0.2.10 or 2001:db8::10. It "
	"belongs to this resource alone: a stop removes it from every "
	"interface of the node, with whatever prefix length.",
	"With yes a start waits, for ten seconds at most, until the name is "
	"registered, and fails if it is not; and a monitor at level 10 fails "
	"when DNS says something else, so that the resource is started anew. "
	"A DNS server that is away then keeps the address from being started. "
	"With no a failure is only shown: registering goes on in the "
	"background."),
};

static const struct ocf_action actions[] = {
    {.name = "start",
	.timeout_s = 20,
	.handler = on_start,
	.strict = true,
	.root = true},
    {.name = "stop", .timeout_s = 20, .handler = on_stop, .root = true},
    {.name = "monitor",
	.timeout_s = 20,
	.interval_s = 10,
	.handler = on_monitor},
    {.name = "reload-agent",
	.timeout_s = 20,
	.handler = dns_reload,
	.strict = true},
    {.name = "validate-all",
	.timeout_s = 20,
	.handler = on_validate,
	.strict = true},
    {.name = "meta-data", .timeout_s = 5},
};

static const struct ocf_section sections[] = {
    {"EXIT STATUS", ".Bl -tag -width Ds\n"
		    ".It 0\nstarted, stopped, or there and usable.\n"
		    ".It 1\nfailed; the exit reason says why.\n"
		    ".It 4\nnot root.\n"
		    ".It 5\nthe interface is missing on this node (start).\n"
		    ".It 6\na parameter is wrong, or the resource is cloned\n"
		    "(start and validate-all, never a monitor).\n"
		    ".It 7\nnot running: the address is on no interface.\n"
		    ".It 190\nrunning, but DNS says something else or "
		    "nothing (level 10).\n"
		    ".El\n"},
    {"MONITOR", NULL, monitor_name_man},
    DNS_SECTION("It answers 190 then; with\n.Cm dns_required\n"
		"1 when DNS says something else.\n"),
    {"EXAMPLES", ".Bd -literal\n"
		 "pcs resource create name ocf:claviger:network-name "
		 "ip=192.0.2.10 \\e\n"
		 "    cidr_netmask=24 nic=eth0 op monitor interval=10s\n"
		 "crm configure primitive name ocf:claviger:network-name \\e\n"
		 "    params ip=192.0.2.10 cidr_netmask=24 nic=eth0 \\e\n"
		 "    op monitor interval=10s timeout=20s\n"
		 ".Ed\n"},
    {"COMPATIBILITY",
	"The parameters are those of\n.Cm ocf:heartbeat:IPaddr2 .\n"
	"Different are: the default of\n.Cm nodad ;\n"
	"a missing interface is 5 at start and not 6, which would ban the\n"
	"resource from the whole cluster; a stop looks at all interfaces.\n"
	"Cloned use (cluster IP) and LVS are not supported.\n"},
    {"SEE ALSO", ".Xr ocf_claviger_master-secret 7 ,\n.Xr clavigerd 8\n"},
};

static const struct ocf_agent agent = {
    .name = "network-name",
    .version = PACKAGE_VERSION,
    .shortdesc = "Floating IPv4 or IPv6 address of a network name",
    .longdesc =
	"Brings a floating address up on one node of the cluster and tells "
	"the neighbours of it. A stop removes it from all interfaces, makes "
	"sure that it is gone, and resets its TCP connections.\n\n"
	"The agent ocf:claviger:master-secret carries an address by itself; "
	"this one is for those who place the address on their own.",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .actions = actions,
    .action_count = sizeof(actions) / sizeof(actions[0]),
    .check = check,
    .sections = sections,
    .section_count = sizeof(sections) / sizeof(sections[0]),
};

int
main(int argc, char **argv)
{
	return ocf_main(&agent, argc, argv);
}
