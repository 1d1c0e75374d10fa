/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_FRONT_NET_H
#define CLAVIGERD_FRONT_NET_H

#include "daemon/front/front.h"

/* The server port, between its files only. */

#define CHAINS 4096 /* of known connections, by their thumbprints */

struct front_net {
	struct front *front;
	struct front_pins *pins;
	struct tls_ctx *ctx;
	struct front_listener listener;
	int epoll;
	struct front_conn **table; /* by slot, NULL is free */
	uint32_t size;
	uint32_t hint; /* where to look for a free slot */
	uint32_t count;
	uint32_t unknown;
	uint32_t known_max;
	uint32_t joiners; /* known, but not enrolled */
	uint64_t join_until_ms;
	struct front_conn *strangers; /* that are not known */
	struct front_conn *chains[CHAINS];
	uint64_t serial;
	struct loop_timer *sweep;
	unsigned log_lines;
	uint64_t log_until_ms;
};

/* front_table.c */
struct front_conn *front_table_find(const struct front_net *net, uint64_t id);
void front_table_drop_all(struct front_net *net);
/* May hosts connect that are not enrolled? */
bool front_table_is_join_open(const struct front_net *net);

#endif
