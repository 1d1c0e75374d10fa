/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_CERT_H
#define CLAVIGER_CLI_CERT_H

#include "daemon/keeper/acks.h"
#include "daemon/cli/cli.h"
#include "daemon/keeper/tlsnext.h"

/* What the active server says of the network name's certificates:
 * ADMIN_CERT_STATE. */
struct cli_cert_hosts {
	uint32_t n;
	char names[ACKS_NAMES_MAX];
};
struct cli_cert_state {
	uint8_t phase; /* enum tlsnext_phase */
	uint8_t thumb[CLV_LIST_CERTS][32];
	char why[160];
	struct cli_cert_hosts host[ACKS]; /* by enum ack */
	struct cli_cert_hosts not_live;
};
/* Ask for it, silently. */
int cli_cert_state(struct cli *c, struct cli_cert_state *ret);
/* cli_cert_change.c. As part of another command, with --now and --yes of its
 * own: what cert rotate --server does. Prints, unless with --json. */
int cli_cert_renew(struct cli *c);
/* An array of their names, as far as these are known. */
void cli_cert_hosts_json(
    struct cli_json *j, const char *key, const struct cli_cert_hosts *h);

/* What the local daemon says of this host's own: CTL_CERT. */
struct cli_cert_own {
	bool waits; /* another one is on its way */
	uint8_t thumb[32], next[32];
	char why[320]; /* it waits */
};
/* CLV_E_NO_SERVER: none runs. */
int cli_cert_own(struct cli *c, struct cli_cert_own *ret);
int cli_cert_rotate_member(struct cli *c);
/* cli_cert_other.c: of another host, on a server node. */
int cli_cert_rotate_other(struct cli *c, const char *name);

/* cli_cert_change.c: while a change is waited for. */
uint64_t cli_cert_now_ms(void);
void cli_cert_pause(void);
void cli_cert_draw(const char *why); /* one line, drawn over itself */
void cli_cert_end_line(void);
int cli_cert_confirm(struct cli *c); /* the question was put */

#endif
