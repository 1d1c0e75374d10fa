/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include "daemon/keeper/acks.h"
#include "daemon/admin/admin.h"
#include "daemon/keeper/keeper.h"

/* ADMIN_CERT_STATE: how far a change of the network name's certificate is.
 * ADMIN_CERTIFICATE: that certificate itself. */

static void
format(struct keeper *k, struct clv_buf *b)
{
	const struct clv_list *list = k->secret.list;
	enum tlsnext_phase phase = tlsnext_phase(list);
	struct acks a, live;

	acks_count(k, 0, &live);
	acks_count(k, phase == TLSNEXT_NONE ? 0 : k->tlsnext.version, &a);
	clv_buf_u8(b, (uint8_t)phase);
	clv_buf_raw(b, list->cert_thumb, sizeof(list->cert_thumb));
	clv_buf_str(b, phase == TLSNEXT_NONE ? "" : k->tlsnext.why);
	for (unsigned i = 0; i < ACKS; i++) {
		clv_buf_u32(b, a.n[i]);
		clv_buf_str(b, a.names[i]);
	}
	clv_buf_u32(b, live.n[ACK_AWAY]);
	clv_buf_str(b, live.names[ACK_AWAY]);
}

void
admin_cert_state(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args)
{
	admin_say_state(k, from, args, format);
}

void
admin_certificate(
    struct keeper *k, const struct admin_origin *from, struct clv_rd *args)
{
	struct clv_buf data;
	int r = CLV_OK;

	clv_buf_init(&data);
	if (clv_rd_end(args) != CLV_OK)
		r = CLV_E_PROTOCOL;
	else if (!k->secret.tls_loaded)
		r = CLV_E_NOT_READY;
	else
		clv_buf_bytes(
		    &data, k->secret.tls_cert.data, k->secret.tls_cert.len);
	if (r == CLV_OK)
		r = clv_buf_result(&data);
	admin_answer(k, from, r, r == CLV_OK ? "" : clv_result_text(r), "",
	    r == CLV_OK ? &data : NULL);
	clv_buf_fini(&data);
}
