/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_DNS_H
#define CLAVIGER_DNS_H

#include "agents/address.h"
#include "agents/dns_helper.h"
#include "ocf/ocf.h"

/*
 * The name of the address in DNS, for both agents: what they ask dns-update
 * for. All does nothing, with success, when dns_server is not set.
 */

/* OCF_SUCCESS, or OCF_ERR_CONFIGURED with the reason given, and that only in a
 * start and in validate-all: a name is no reason to stop what runs. */
int dns_read(const struct ocf *o, const struct address *a);
bool dns_is_required(const struct ocf *o);

/* In the background: it costs a fork, and is tried for DNS_REGISTER_S. */
void dns_register(const struct ocf *o, const struct address *a);
/* Wait for it. OCF_SUCCESS, or the exit code with the reason given. */
int dns_register_wait(const struct ocf *o, const struct address *a);
/* Could this node? There is the program and the key. The same result. */
int dns_is_installed(const struct ocf *o, const struct address *a);
/* Would the server do it? Level 10 of validate-all. The same result. */
int dns_validate(const struct ocf *o, const struct address *a);
/* Level 10 of a monitor: -> enum dns_status, why[OCF_REASON_MAX] says what. */
int dns_compare(const struct ocf *o, const struct address *a, char *why);

/* The action reload-agent: with the address the name is registered anew. */
int dns_reload(struct ocf *o);

#endif
