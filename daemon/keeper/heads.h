/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_HEADS_H
#define CLAVIGERD_HEADS_H

#include <stddef.h>
#include <stdint.h>
#include <claviger/manifest.h>
#include "daemon/base/loop.h"

/*
 * The highest counter of each application's manifest that this host has seen,
 * in either role, and its link: a database that knows less is older than that,
 * and one that has another link there was set back and then written on. In a
 * checked file, two copies, like daemon/base/state.h, but written some time
 * after a change, for that happens with each write of an application. What a
 * crash may forget the active server remembers, and every member tells that
 * one.
 */
struct heads;

/* With what is on disk; save_ms: how long a change may wait to be written.
 * CLV_E_DAMAGED (neither copy can be used; logged), CLV_E_VERSION. */
int heads_open(
    struct loop *loop, const char *dir, uint64_t save_ms, struct heads **ret);
void heads_close(struct heads **h); /* writes what is not written yet */

uint64_t heads_get(const struct heads *h, const char *app); /* 0: never seen */
/* All of it; zeros: never seen. */
struct clv_head heads_look(const struct heads *h, const char *app);
/* It was at that counter; which one that was is not known. */
void heads_raise(struct heads *h, const char *app, uint64_t counter);
/* This host has verified that manifest, or written it. */
void heads_see(struct heads *h, const char *app, uint64_t counter,
    const uint8_t mac[static CLV_MANIFEST_MAC_LEN]);
/* Others say so. Their link is taken only where ours says nothing any more:
 * theirs may be of a database that was set back, and ours is what finds that.
 */
void heads_learn(struct heads *h, const char *app, const struct clv_head *said);

/* The next in order of names after `after`, NULL at the end; borrowed until one
 * is raised. */
const char *heads_next(const struct heads *h, const char *after);

/* It grows with each raise: what was known then, for who asks and waits. */
uint64_t heads_serial(const struct heads *h);
/* 0 also when it was raised later than that. */
uint64_t heads_get_then(
    const struct heads *h, const char *app, uint64_t serial);

#endif
