/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_EXPIRY_H
#define CLAVIGERD_EXPIRY_H

#include <stddef.h>
#include <stdint.h>

/*
 * When do the certificates end? The log says it once at each step: so many
 * days before, and when it has ended. The signed list decides who is trusted,
 * not the clock: this is for people alone, but for enforce_expiry (tls.h).
 */
#define EXPIRY_LOOK_MS 3600000

enum expiry_step {
	EXPIRY_NONE,
	EXPIRY_MONTH,	  /* 30 days are left, or fewer, */
	EXPIRY_FORTNIGHT, /* 14, */
	EXPIRY_WEEK,	  /* 7, */
	EXPIRY_DAY,	  /* 1 */
	EXPIRY_ENDED
};
enum expiry_step expiry_step_of(int64_t left_s); /* below 0: it has ended */

enum expiry_whose { EXPIRY_HOST, EXPIRY_NAME, EXPIRY_WHOSE };
struct expiry {
	struct loop_timer *timer;
	/* since 1970; 0: not known, as is the network name's on a host that is
	 * no server node */
	int64_t end_s[EXPIRY_WHOSE];
	enum expiry_step told[EXPIRY_WHOSE];
};

struct keeper;
void expiry_fini(struct keeper *k);
/* This host has another one. */
void expiry_look(struct keeper *k);
/* The network name has this one, DER. */
void expiry_of_name(struct keeper *k, const void *der, size_t len);

#endif
