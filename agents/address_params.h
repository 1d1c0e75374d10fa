/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_ADDRESS_PARAMS_H
#define CLAVIGER_ADDRESS_PARAMS_H

#include "agents/dns_helper.h"
#include "ocf/ocf.h"

/*
 * What both agents take: the address and its host name, for their tables. They
 * differ in whether there must be one.
 */
#define ADDRESS_PARAMS(ip_required, ip_text, required_text) \
	{.name = "ip", \
	    .type = OCF_STRING, \
	    .required = ip_required, \
	    .group = "address", \
	    .shortdesc = "IPv4 or IPv6 address", \
	    .longdesc = ip_text}, \
	    {.name = "nic", \
		.type = OCF_STRING, \
		.shortdesc = "Network interface", \
		.longdesc = \
		    "The interface that carries the address, by its name or " \
		    "an alternative name. Without it the interface is the " \
		    "one whose directly connected network has the address. " \
		    "It is needed for a link-local IPv6 address.\n\n" \
		    "The form eth0:label is understood as in IPaddr2; use " \
		    "iflabel instead."}, \
	    {.name = "cidr_netmask", \
		.type = OCF_STRING, \
		.shortdesc = "Prefix length", \
		.longdesc = \
		    "The length of the network prefix, for example 24. " \
		    "Without it, it is that of the connected network. A " \
		    "dotted mask is understood for IPv4."}, \
	    {.name = "broadcast", \
		.type = OCF_STRING, \
		.shortdesc = "Broadcast address", \
		.longdesc = \
		    "IPv4 only: the broadcast address, or + to set or - to " \
		    "reset all host bits of the prefix. Without it, as +."}, \
	    {.name = "iflabel", \
		.type = OCF_STRING, \
		.shortdesc = "Interface label", \
		.longdesc = \
		    "IPv4 only: a label that is shown behind the name of " \
		    "the interface, as in eth0:label; with it at most 15 " \
		    "characters."}, \
	    {.name = "arp_count", \
		.type = OCF_INTEGER, \
		.def = "5", \
		.min = 1, \
		.max = 1000, \
		.reloadable = true, \
		.shortdesc = "Number of announcements", \
		.longdesc = \
		    "How often the neighbours are told where the address " \
		    "is now: each time a gratuitous ARP request and reply " \
		    "for IPv4, an unsolicited neighbour advertisement for " \
		    "IPv6. The first goes out at once."}, \
	    {.name = "arp_interval", \
		.type = OCF_INTEGER, \
		.def = "200", \
		.min = 1, \
		.max = 60000, \
		.reloadable = true, \
		.shortdesc = "Milliseconds between announcements", \
		.longdesc = "The time from one announcement to the next, " \
			    "in milliseconds."}, \
	    {.name = "arp_bg", \
		.type = OCF_BOOLEAN, \
		.def = "true", \
		.reloadable = true, \
		.shortdesc = "Announce in the background", \
		.longdesc = \
		    "Whether the announcements are sent in the background. " \
		    "They end by themselves when the address is stopped."}, \
	    {.name = "nodad", \
		.type = OCF_BOOLEAN, \
		.def = "true", \
		.shortdesc = "No duplicate address detection", \
		.longdesc = \
		    "IPv6 only: use the address at once. Membership and " \
		    "fencing make sure that no other node has it. With " \
		    "false a start waits for the kernel's duplicate address " \
		    "detection, one to two seconds, and fails if another " \
		    "host answers. (In IPaddr2 the default is false.)"}, \
	    {.name = "noprefixroute", \
		.type = OCF_BOOLEAN, \
		.def = "false", \
		.shortdesc = "No route for the prefix", \
		.longdesc = "Do not make a route for the network of the " \
			    "address (see noprefixroute in ip-address(8))."}, \
	    {.name = "check_link_status", \
		.type = OCF_BOOLEAN, \
		.def = "true", \
		.reloadable = true, \
		.shortdesc = "Check that the link is up", \
		.longdesc = "Whether an interface without a carrier is a " \
			    "failure of the address."}, \
	    {.name = "network_name", \
		.type = OCF_STRING, \
		.reloadable = true, \
		.shortdesc = "Host name of the address", \
		.longdesc = \
		    "The name by which the address is known. With " \
		    "dns_server it is registered in DNS, with its domain as " \
		    "in secrets.example; else it is for people to read."}, \
	    {.name = "dns_server", \
		.type = OCF_STRING, \
		.reloadable = true, \
		.shortdesc = "DNS server that takes updates", \
		.longdesc = \
		    "The primary DNS server of the name's zone, by its " \
		    "address: ADDRESS, ADDRESS:PORT or " \
		    "[IPv6-ADDRESS]:PORT. With it the node that has the " \
		    "address registers the name by signed dynamic updates " \
		    "(RFC 2136, RFC 8945) over TCP. See DNS below."}, \
	    {.name = "dns_key_file", \
		.type = OCF_STRING, \
		.reloadable = true, \
		.shortdesc = "TSIG key for the DNS server", \
		.longdesc = \
		    "The file with the key, as tsig-keygen writes it; it " \
		    "must belong to root with mode 0600. Required with " \
		    "dns_server. The file is needed on every node."}, \
	    {.name = "ttl", \
		.type = OCF_INTEGER, \
		.def = "60", \
		.min = 1, \
		.max = 604800, \
		.reloadable = true, \
		.shortdesc = "Time to live in DNS", \
		.longdesc = \
		    "For how many seconds others may keep what DNS says of " \
		    "the name."}, \
	{ \
		.name = "dns_required", .type = OCF_BOOLEAN, .def = "no", \
		.reloadable = true, .shortdesc = "DNS must have the name", \
		.longdesc = required_text \
	}

/* What stands in both manual pages of the name in DNS. */
#define DNS_SECTION(level_10) \
	{ \
		"DNS", \
		    "With\n.Cm dns_server\n" \
		    "the name has one record, A or AAAA, with this address:\n" \
		    "those of the same type are replaced, those of the other " \
		    "type\nstay.\n" \
		    "Where the server has the reverse zone too, the address " \
		    "has the\n" \
		    "name (PTR); that this fails is only logged.\n" \
		    ".Pp\n" \
		    "A program beside the agent,\n" \
		    ".Pa " DNS_HELPER " ,\n" \
		    "does it in the background after the address is up, and " \
		    "tries\n" \
		    "for ten seconds.\n" \
		    "It works as nobody, and writes its result to the system " \
		    "log.\n" \
		    "A stop removes nothing: every node registers the same, " \
		    "and a\n" \
		    "name without an address would be kept for longer.\n" \
		    ".Pp\n" \
		    "A monitor with\n.Ev OCF_CHECK_LEVEL\n" \
		    "10 asks the server and compares; it takes up to three\n" \
		    "seconds, and changes nothing in DNS.\n" level_10 ".Pp\n" \
		    "It is registered again by\n" \
		    ".Cm claviger cluster dns --register ,\n" \
		    "and when one of these parameters changes.\n" \
		    "At level 10\n.Cm validate-all\n" \
		    "asks the server whether it knows the key and has the " \
		    "zone.\n" \
		    ".Pp\n" \
		    "For BIND, with a key that may change this name alone:\n" \
		    ".Bd -literal -offset indent\n" \
		    "umask 077\n" \
		    "tsig-keygen secrets-key > /etc/claviger/dns.key\n" \
		    ".Ed\n.Pp\nand on the server, with the same key, in\n.Pa " \
		    "named.conf :\n" \
		    ".Bd -literal -offset indent\n" \
		    "zone \"example\" {\n" \
		    "\ttype primary;\n" \
		    "\tfile \"example.db\";\n" \
		    "\tupdate-policy {\n" \
		    "\t\tgrant secrets-key name secrets.example A AAAA;\n" \
		    "\t};\n" \
		    "};\n" \
		    ".Ed\n" \
	}

#endif
