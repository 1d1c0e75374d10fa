/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include <claviger/result.h>

#include "daemon/base/log.h"
#include "daemon/member/member.h"
#include "daemon/base/state.h"
#include "daemon/base/system_pin.h"

/*
 * The system's signing key was changed while we looked away: what the server
 * says is signed by a key that we do not know. It is asked for the successions
 * that led from ours to its own; only what they prove is believed, and the new
 * key is on disk before anything that it has signed counts.
 */

/* A server node goes by the signed list alone. */
static int
look_at_list(struct keeper *k, const uint8_t *p, size_t len)
{
	const struct clv_succession *next =
	    k->secret.list != NULL ? clv_list_next_key(k->secret.list) : NULL;
	struct clv_wire_answer a;

	if (next == NULL ||
	    clv_wire_answer_parse(p, len, next->new_pk, &a) != CLV_OK)
		return CLV_E_SIGNATURE;
	db_poll_soon(k);
	return CLV_E_AGAIN;
}

static int
pin(struct keeper *k, const uint8_t pk[static CLV_SIGN_PK_LEN])
{
	int r = system_pin_save(k->config, pk);

	if (r != CLV_OK) {
		log_error("%s/successor cannot be written: %s",
		    k->config->state_dir, file_why(r));
		return r;
	}
	memcpy(k->system_pk, pk, sizeof(k->system_pk));
	log_notice("the system signs by a new key, which the one before has "
		   "named");
	return CLV_OK;
}

static int
take_chain(struct member *m, const uint8_t *p, size_t len)
{
	uint8_t pk[CLV_SIGN_PK_LEN];
	struct clv_wire_answer a;
	int r = clv_wire_answer_follow(p, len, m->k->system_pk, &a, pk);

	if (r == CLV_OK)
		r = clv_wire_answer_match(&a, &m->question);
	return r == CLV_OK ? pin(m->k, pk) : r;
}

int
member_successor(struct member *m, const uint8_t *p, size_t len)
{
	int r;

	if (m->is_server_node)
		return look_at_list(m->k, p, len);
	if (clv_wire_answer_op(p, len) != CLV_WIRE_CHAIN) {
		member_refresh_chain(m);
		return m->step == MEMBER_CHAIN ? CLV_E_AGAIN : CLV_E_SIGNATURE;
	}
	if (m->step != MEMBER_CHAIN)
		return CLV_E_SIGNATURE;
	r = take_chain(m, p, len);
	member_refresh_on_chain(m, r);
	return r;
}
