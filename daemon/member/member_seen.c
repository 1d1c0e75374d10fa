/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/member/member.h"

int
member_seen_load(struct member *m)
{
	void *p = NULL;
	size_t len;
	int r;

	r = state_load(m->dir, &m->seen);
	if (r != CLV_OK && r != CLV_E_NOT_FOUND) {
		log_error("%s/state: %s; it says what this host has accepted, "
			  "so it is not guessed: join again",
		    m->dir, clv_result_text(r));
		return r;
	}
	memcpy(m->system_id, m->seen.system_id, sizeof(m->system_id));
	m->system_known = !sodium_is_zero(m->system_id, sizeof(m->system_id));
	r = file_read(m->dir, "evidence", MEMBER_EVIDENCE_MAX, &p, &len);
	if (r == CLV_OK)
		clv_buf_raw(&m->evidence, p, len);
	free(p);
	return CLV_OK; /* without evidence there is none to show */
}

int
member_seen_raise(struct member *m, const struct clv_wire_answer *a,
    const void *body, size_t len)
{
	struct state on_disk, s = m->seen;
	struct clv_buf evidence;
	int r;

	if (a->epoch == s.epoch && a->list_version == s.list_version &&
	    a->generation == s.generation && m->system_known)
		return CLV_OK;
	/* `claviger fetch` writes it, too. */
	if (!m->is_server_node && state_load(m->dir, &on_disk) == CLV_OK &&
	    (on_disk.epoch > a->epoch ||
		on_disk.list_version > a->list_version ||
		on_disk.generation > a->generation)) {
		m->seen = on_disk;
		return CLV_E_STALE;
	}
	memcpy(s.system_id, a->system_id, sizeof(s.system_id));
	s.epoch = a->epoch;
	s.list_version = a->list_version;
	s.generation = a->generation;
	if ((r = state_save(m->dir, &s)) != CLV_OK)
		return r;
	m->seen = s;
	memcpy(m->system_id, s.system_id, sizeof(m->system_id));
	m->system_known = true;
	if (!m->is_server_node) /* whose database HELLO must be of */
		memcpy(m->k->seen.system_id, s.system_id,
		    sizeof(m->k->seen.system_id));
	clv_buf_init(&evidence);
	r = clv_wire_evidence_cut(body, len, &evidence);
	if (r == CLV_OK)
		r = file_replace(
		    m->dir, "evidence", evidence.data, evidence.len, 0600);
	if (r == CLV_OK) {
		clv_buf_fini(&m->evidence);
		m->evidence = evidence; /* transferred */
	} else {
		clv_buf_fini(&evidence);
	}
	return r;
}
