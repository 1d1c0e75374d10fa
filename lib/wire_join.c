/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <claviger/buf.h>
#include <claviger/result.h>
#include <claviger/wire.h>

/*
 * Offer: raw challenge 32, raw binding 32, raw thumbprints 2 x 32.
 * Join: raw token's public key 32, raw proof 64, bytes party.
 */

void
clv_wire_offer_format(const struct clv_wire_offer *o, struct clv_buf *ret)
{
	clv_buf_raw(ret, o->challenge, sizeof(o->challenge));
	clv_buf_raw(ret, o->binding, sizeof(o->binding));
	clv_buf_raw(ret, o->thumb, sizeof(o->thumb));
}

int
clv_wire_offer_parse(const void *p, size_t len, struct clv_wire_offer *ret)
{
	struct clv_wire_offer o;
	struct clv_rd r;

	clv_rd_init(&r, p, len);
	clv_rd_copy(&r, o.challenge, sizeof(o.challenge));
	clv_rd_copy(&r, o.binding, sizeof(o.binding));
	clv_rd_copy(&r, o.thumb, sizeof(o.thumb));
	if (clv_rd_end(&r) != CLV_OK)
		return CLV_E_FORMAT;
	*ret = o;
	return CLV_OK;
}

int
clv_wire_join_format(const struct clv_wire_join *j,
    const struct clv_identity *id, struct clv_buf *ret)
{
	struct clv_buf party = {0}, b = {0};
	int r = clv_party_format(id, j->party.thumb, &party);

	clv_buf_raw(&b, j->token_pk, sizeof(j->token_pk));
	clv_buf_raw(&b, j->proof, sizeof(j->proof));
	clv_buf_bytes(&b, party.data, party.len);
	if (r == CLV_OK)
		r = clv_buf_result(&b);
	if (r == CLV_OK) {
		clv_buf_raw(ret, b.data, b.len);
		r = clv_buf_result(ret);
	}
	clv_buf_fini(&party);
	clv_buf_fini(&b);
	return r;
}

int
clv_wire_join_parse(const void *p, size_t len, struct clv_wire_join *ret)
{
	struct clv_wire_join j;
	const uint8_t *party;
	size_t party_len;
	struct clv_rd rd;
	int r;

	clv_rd_init(&rd, p, len);
	clv_rd_copy(&rd, j.token_pk, sizeof(j.token_pk));
	clv_rd_copy(&rd, j.proof, sizeof(j.proof));
	party = clv_rd_bytes(&rd, &party_len);
	r = clv_rd_end(&rd);
	if (r == CLV_OK)
		r = clv_party_parse(party, party_len, &j.party);
	if (r == CLV_OK)
		*ret = j;
	return r;
}
