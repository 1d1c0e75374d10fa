/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "agents/address_params.h"
#include "agents/dns.h"
#include "agents/mss.h"
#include "agents/mss_times.h"

static const struct ocf_param params[] = {
    ADDRESS_PARAMS(false,
	"The floating address that the active server is reached under, for "
	"example 192.0.2.10 or 2001:db8::10. With it this one resource is the "
	"whole set-up. Without it the agent carries no address: then a "
	"resource of ocf:claviger:network-name stands beside this one, with "
	"the promoted role.",
	"With yes a node does not start without the key file and the program "
	"that registers the name. A promotion never waits for DNS, and what "
	"DNS says never takes the role away: the other node has the same "
	"name and address. So this says less than in "
	"ocf:claviger:network-name."),
    {.name = "binary",
	.type = OCF_STRING,
	.def = CLV_SBINDIR "/clavigerd",
	.shortdesc = "The daemon",
	.longdesc = "Path of clavigerd."},
    {.name = "config",
	.type = OCF_STRING,
	.def = CLV_SYSCONFDIR "/claviger/claviger.conf",
	.shortdesc = "Configuration file",
	.longdesc = "Path of the daemon's configuration file, which claviger "
		    "init or claviger join writes."},
    {.name = "socket",
	.type = OCF_STRING,
	.def = CTL_SOCKET,
	.group = "socket",
	.shortdesc = "Control socket",
	.longdesc = "Path of the daemon's control socket: control.sock in its "
		    "run_dir."},
};

static const struct ocf_action actions[] = {
    {.name = "start",
	.timeout_s = MSS_START_S,
	.handler = mss_start,
	.strict = true,
	.root = true},
    {.name = "stop",
	.timeout_s = MSS_STOP_S,
	.handler = mss_stop,
	.root = true},
    {.name = "promote",
	.timeout_s = MSS_PROMOTE_S,
	.handler = mss_promote,
	.strict = true,
	.root = true},
    {.name = "demote",
	.timeout_s = MSS_DEMOTE_S,
	.handler = mss_demote,
	.root = true},
    {.name = "monitor",
	.timeout_s = MSS_PROMOTED_S,
	.interval_s = MSS_PROMOTED_INTERVAL_S,
	.role = "Promoted",
	.handler = mss_monitor},
    {.name = "monitor",
	.timeout_s = MSS_UNPROMOTED_S,
	.interval_s = MSS_UNPROMOTED_INTERVAL_S,
	.role = "Unpromoted",
	.handler = mss_monitor},
    {.name = "reload-agent",
	.timeout_s = 20,
	.handler = dns_reload,
	.strict = true},
    {.name = "validate-all",
	.timeout_s = 20,
	.handler = mss_validate,
	.strict = true},
    {.name = "meta-data", .timeout_s = 5},
    {.name = "notify", .handler = ocf_nothing, .hidden = true},
};

static const struct ocf_section sections[] = {
    {"EXIT STATUS",
	".Bl -tag -width Ds\n"
	".It 0\nstarted, stopped; standby and ready.\n"
	".It 1\nfailed, or the daemon does not answer; the exit reason says\n"
	"why.\n"
	".It 2\npromoted-max is not 1 (promote: another node may serve, and is "
	"not\nto be stopped for that).\n"
	".It 4\nnot root.\n"
	".It 5\nthe daemon or its configuration is missing on this node, or\n"
	"with\n.Cm dns_required\nthe key (start).\n"
	".It 6\na parameter is wrong, promoted-max is not 1, or the clone is\n"
	"globally unique (start, promote and validate-all, never a monitor, "
	"and\n"
	"for promoted-max not promote).\n"
	".It 7\nnot running, and no address is left.\n"
	".It 8\nactive.\n"
	".It 9\nthe address and the server do not fit together.\n"
	".It 190\nstandby, but not ready; the exit reason says why, and\n"
	".Cm pcs status\nshows it.\n"
	".It 191\nactive with limits, for example decryption only; or DNS "
	"says\nsomething else or nothing (level 10).\n"
	".El\n"},
    {"MONITOR", NULL, monitor_man},
    DNS_SECTION("It answers 191 then.\n"),
    {"EXAMPLES",
	".Bd -literal\n"
	"pcs resource create mss ocf:claviger:master-secret "
	"ip=192.0.2.10 \\e\n"
	"    cidr_netmask=24 nic=eth0 network_name=secrets.example \\e\n"
	"    promotable\n"
	"crm configure primitive mss ocf:claviger:master-secret \\e\n"
	"    params ip=192.0.2.10 cidr_netmask=24 nic=eth0 \\e\n"
	"    op start timeout=30s op stop timeout=30s \\e\n"
	"    op promote timeout=30s op demote timeout=20s \\e\n"
	"    op monitor interval=5s role=Promoted timeout=10s \\e\n"
	"    op monitor interval=10s role=Unpromoted timeout=20s\n"
	"crm configure clone mss-clone mss meta promotable=true\n"
	".Ed\n"},
    {"PROMOTION",
	"The agent writes the node attribute\n.Cm master-NAME :\n"
	"100 active, 50 standby and proven, and \\-INFINITY in every other\n"
	"case, always.\nNo migration-threshold and no constraint is needed.\n"},
    {"SEE ALSO", ".Xr claviger 1 ,\n.Xr ocf_claviger_network-name 7 ,\n"
		 ".Xr clavigerd 8\n"},
};

static const struct ocf_agent agent = {
    .name = "master-secret",
    .version = PACKAGE_VERSION,
    .shortdesc = "Master secret server, with its floating address",
    .longdesc =
	"Drives the server role of clavigerd as a promotable clone: each "
	"instance is a warm standby, the promoted one is the active master "
	"secret server. With ip set the active one has the floating address "
	"too.\n\n"
	"A start starts clavigerd if it does not run; a stop ends it only if "
	"the agent had started it. A node that cannot serve is never "
	"promoted: its monitor shows why.",
    .params = params,
    .param_count = sizeof(params) / sizeof(params[0]),
    .actions = actions,
    .action_count = sizeof(actions) / sizeof(actions[0]),
    .check = mss_check,
    .sections = sections,
    .section_count = sizeof(sections) / sizeof(sections[0]),
};

int
main(int argc, char **argv)
{
	return ocf_main(&agent, argc, argv);
}
