/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/keeper/member_answers.h"

/*
 * The lease: it is the database's to give, runs on CLOCK_BOOTTIME from when it
 * was asked for, and is renewed as long as there is quorum. Whoever takes the
 * epoch from a server that may be in its lease serves at once, and tells
 * nobody to encrypt before that lease must have ended: never do two servers.
 */

static void on_renew(void *arg);

static void
on_end(void *arg)
{
	struct keeper *k = arg;

	lease_fini(k);
	serving_event(k, ROLE_EV_LEASE_LOST, "");
	db_poll_soon(k);
}

static void
granted(struct keeper *k)
{
	uint64_t now = loop_now_ms();
	uint64_t until = k->lease.asked_ms + KEEPER_LEASE_MS;

	k->lease.until_ms = until;
	(void)loop_timer_set(
	    k->loop, &k->lease.end, until > now ? until - now : 0, on_end, k);
	(void)loop_timer_set(
	    k->loop, &k->lease.renew, KEEPER_RENEW_MS, on_renew, k);
}

/* The answer to one before, of an epoch that is over perhaps, may still be on
 * its way. */
void *
lease_ask(struct keeper *k)
{
	k->lease.asked_ms = loop_now_ms();
	return (void *)++k->lease.ask;
}

bool
lease_is_last(const struct keeper *k, const void *arg)
{
	return (uintptr_t)arg == k->lease.ask;
}

static void
on_renewed(struct keeper *k, void *arg, const struct db_result *r)
{
	if (k->serving.state != ROLE_ACTIVE || !lease_is_last(k, arg))
		return;
	if (r->result == CLV_OK && db_u64(r, 0, 0) != 0) {
		granted(k);
		return;
	}
	if (r->result == CLV_OK || r->result == CLV_E_STALE_EPOCH)
		db_poll_soon(k); /* HELLO tells who holds it now */
	(void)loop_timer_set(
	    k->loop, &k->lease.renew, KEEPER_RETRY_MS, on_renew, k);
}

static void
on_renew(void *arg)
{
	struct keeper *k = arg;
	uint8_t epoch[8], lease[8];
	struct clv_param p[3] = {
	    clv_param_u64(k->serving.epoch, epoch),
	    {k->instance, sizeof(k->instance)},
	    clv_param_u64(KEEPER_LEASE_MS, lease),
	};

	if (k->serving.state != ROLE_ACTIVE)
		return; /* a claim is under way, and it begins a new lease */
	if (!witness_quorate(k)) {
		(void)loop_timer_set(
		    k->loop, &k->lease.renew, KEEPER_RETRY_MS, on_renew, k);
		return;
	}
	db_call(k, CLV_STMT_RENEW_LEASE, p, 3, KEEPER_SQL_MS, on_renewed,
	    lease_ask(k));
}

/* No lease is longer than ours are, whatever the database says. */
static uint64_t
until(uint64_t left_ms)
{
	return loop_now_ms() +
	       (left_ms < KEEPER_LEASE_MS ? left_ms : KEEPER_LEASE_MS);
}

static void
on_alone(void *arg)
{
	member_notice(arg);
}

static void
wait_for_others(struct keeper *k)
{
	struct lease *l = &k->lease;
	uint64_t end = l->before_until_ms > l->others_until_ms
			   ? l->before_until_ms
			   : l->others_until_ms;

	log_notice("%s may be in its lease: no encryption until that has "
		   "ended, or it says that it serves nobody",
	    keeper_node_name(k, l->before));
	(void)loop_timer_set(
	    k->loop, &l->alone, end - loop_now_ms(), on_alone, k);
}

void
lease_begin(struct keeper *k, uint64_t before_ms, uint64_t others_ms)
{
	struct lease *l = &k->lease;

	l->after = k->peers.stamp;
	l->before_until_ms = until(before_ms);
	l->others_until_ms = until(others_ms);
	if (!lease_is_alone(k))
		wait_for_others(k);
	granted(k);
}

bool
lease_is_alone(const struct keeper *k)
{
	const struct lease *l = &k->lease;
	uint64_t now = loop_now_ms();

	/* Or it has said, later than that, that it serves nobody. */
	return now >= l->others_until_ms &&
	       (now >= l->before_until_ms ||
		   peers_idle(k, l->before, l->after));
}

static void
on_released(struct keeper *k, void *arg, const struct db_result *r)
{
	(void)k;
	(void)arg;
	if (r->result != CLV_OK)
		log_debug("lease not released: %s", r->text);
}

void
lease_end(struct keeper *k)
{
	uint8_t epoch[8];
	struct clv_param p[2] = {
	    clv_param_u64(k->serving.epoch, epoch),
	    {k->instance, sizeof(k->instance)},
	};

	if (k->lease.until_ms != 0 && k->db.up)
		db_call(k, CLV_STMT_RELEASE, p, 2, KEEPER_SQL_MS, on_released,
		    NULL);
	k->lease.ask++; /* what is under way gives none any more */
	lease_fini(k);
}

void
lease_fini(struct keeper *k)
{
	k->lease.until_ms = 0;
	loop_timer_del(k->loop, &k->lease.end);
	loop_timer_del(k->loop, &k->lease.renew);
	loop_timer_del(k->loop, &k->lease.alone);
}
