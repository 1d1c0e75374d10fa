/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include <claviger/result.h>

#include "daemon/keeper/acks.h"
#include "daemon/admin/admin.h"
#include "daemon/keeper/keeper.h"
#include "daemon/base/log.h"
#include "daemon/keeper/members_live.h"

enum tlsnext_phase
tlsnext_phase(const struct clv_list *list)
{
	if (sodium_is_zero(list->cert_thumb[1], 32))
		return TLSNEXT_NONE;
	return list->cert_switched ? TLSNEXT_SWITCHED : TLSNEXT_NEXT;
}

static void
on_look(void *arg)
{
	tlsnext_wake(arg);
}

static void
look_in(struct keeper *k, uint64_t ms)
{
	(void)loop_timer_set(k->loop, &k->tlsnext.timer, ms, on_look, k);
}

/* A new one, or this server is new: it is waited for from now on. */
static void
notice(struct keeper *k)
{
	const struct clv_list *list = k->secret.list;
	enum tlsnext_phase phase = tlsnext_phase(list);
	struct tlsnext *t = &k->tlsnext;

	if (t->phase == phase && t->epoch == k->serving.epoch &&
	    memcmp(t->thumb, list->cert_thumb[1], 32) == 0)
		return;
	t->phase = phase;
	t->epoch = k->serving.epoch;
	memcpy(t->thumb, list->cert_thumb[1], 32);
	t->version = list->version;
	t->since_ms = loop_now_ms();
	t->why[0] = '\0';
}

/* Does everybody who lives know the next one? */
static bool
is_known(struct keeper *k)
{
	struct tlsnext *t = &k->tlsnext;
	struct acks a;

	acks_count(k, t->version, &a);
	if (a.n[ACK_LATE] > 0)
		snprintf(t->why, sizeof(t->why),
		    "hosts learn of the next certificate first: %.100s",
		    a.names[ACK_LATE]);
	else if (a.n[ACK_AWAY] > 0 &&
		 loop_now_ms() - k->serving.fresh_ms < MEMBERS_MEET_MS)
		snprintf(t->why, sizeof(t->why),
		    "hosts learn of the next certificate first: they have not "
		    "all come yet");
	else
		return true;
	return false;
}

/* Is nobody left who could serve with the one before? */
static bool
is_over(struct keeper *k)
{
	struct tlsnext *t = &k->tlsnext;
	uint64_t for_ms = k->config->refresh_interval * UINT64_C(2000);
	char names[100];

	if (!secret_tls_is_current(k))
		snprintf(t->why, sizeof(t->why),
		    "the certificate in force has not been read here yet");
	else if (peers_late(k, t->version, 0, names, sizeof(names)) > 0)
		snprintf(t->why, sizeof(t->why),
		    "server nodes do not have the list yet: %.100s", names);
	else if (loop_now_ms() - t->since_ms < for_ms)
		snprintf(t->why, sizeof(t->why),
		    "the certificate before stays pinned for two refresh "
		    "intervals");
	else
		return true;
	return false;
}

/* What came of it, the signed list says. */
static void
on_done(struct keeper *k, void *arg, int result, const void *p, size_t len)
{
	struct tlsnext *t = &k->tlsnext;
	char text[ADMIN_TEXT_MAX];
	struct clv_rd answer;

	(void)arg;
	t->writing = false;
	if (result == CLV_OK) {
		tlsnext_wake(k);
		return;
	}
	clv_rd_init(&answer, p, len);
	clv_rd_u32(&answer);
	clv_rd_str(&answer, text, sizeof(text));
	if (answer.failed)
		snprintf(text, sizeof(text), "%s", clv_result_text(result));
	if (strncmp(t->why, text, sizeof(t->why) - 1) != 0)
		log_warning(
		    "the change of the network name's certificate does not go "
		    "on: %s",
		    text);
	snprintf(t->why, sizeof(t->why), "%.159s", text);
	look_in(k, TLSNEXT_RETRY_MS);
}

static void
go_on(struct keeper *k)
{
	struct admin_origin from = {.done = on_done};
	struct clv_buf args;

	clv_buf_init(&args);
	clv_buf_raw(&args, k->tlsnext.thumb, sizeof(k->tlsnext.thumb));
	k->tlsnext.writing = true;
	admin_own(k, &from,
	    k->tlsnext.phase == TLSNEXT_NEXT ? ADMIN_CERT_SWITCH
					     : ADMIN_CERT_DROP,
	    &args);
	clv_buf_fini(&args);
}

void
tlsnext_wake(struct keeper *k)
{
	struct tlsnext *t = &k->tlsnext;

	loop_timer_del(k->loop, &t->timer);
	if (!serving_in_lease(k) || !secret_is_proven(k))
		return;
	notice(k);
	if (t->phase == TLSNEXT_NONE || t->writing)
		return;
	if ((t->phase == TLSNEXT_NEXT ? is_known(k) : is_over(k)) &&
	    k->admin == NULL)
		go_on(k);
	else
		look_in(k, TLSNEXT_LOOK_MS);
}

void
tlsnext_fini(struct keeper *k)
{
	if (k->loop != NULL)
		loop_timer_del(k->loop, &k->tlsnext.timer);
}
