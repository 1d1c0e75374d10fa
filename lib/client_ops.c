/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "client.h"

/* The operations: what each writes into its question and reads from its
 * answer, as claviger/api.h has it. */

int
clv__secret_new(const void *p, size_t len, struct clv_secret **ret)
{
	struct clv_secret *s = malloc(sizeof(*s) + len + 1);

	if (s == NULL)
		return CLV_E_NOMEM;
	*s = (struct clv_secret){.data = (uint8_t *)(s + 1), .len = len};
	if (len > 0)
		memcpy(s->data, p, len);
	s->data[len] = '\0';
	*ret = s;
	return CLV_OK;
}

void
clv_secret_free(struct clv_secret **secret)
{
	struct clv_secret *s = *secret;

	*secret = NULL;
	if (s == NULL)
		return;
	sodium_memzero(s, sizeof(*s) + s->len);
	free(s);
}

static int
read_secret(struct clv_client *c, struct clv_rd *rd, struct clv_secret **ret)
{
	const uint8_t *p;
	size_t len;
	int r;

	p = clv_rd_bytes(rd, &len);
	r = clv__client_read_all(c, rd);
	if (r == CLV_OK && clv__secret_new(p, len, ret) != CLV_OK)
		r = clv__client_fail(c, CLV_E_NOMEM, NULL);
	return r;
}

int
clv_client_get(struct clv_client *c, const char *app, const char *name,
    uint64_t version, unsigned flags, struct clv_secret **ret)
{
	uint64_t found = 0;
	bool cached = false;
	struct clv_buf b;
	struct clv_rd rd;
	int r;

	clv__client_begin(c, &b);
	clv_buf_str(&b, app);
	clv_buf_str(&b, name);
	clv_buf_u64(&b, version);
	r = clv__client_call(c, CLV_API_GET, flags, &b, &rd);
	if (r == CLV_OK) {
		found = clv_rd_u64(&rd);
		cached = clv_rd_u8(&rd) != 0;
		r = read_secret(c, &rd, ret);
	}
	if (r == CLV_OK) {
		(*ret)->version = found;
		(*ret)->cached = cached;
	}
	clv__client_end(c);
	return r;
}

static int
write_it(struct clv_client *c, enum clv_api_op op, struct clv_buf *b,
    uint64_t *ret_version)
{
	uint64_t version = 0;
	struct clv_rd rd;
	int r;

	r = clv__client_call_once(c, op, b, &rd);
	if (r == CLV_OK) {
		version = clv_rd_u64(&rd);
		r = clv__client_read_all(c, &rd);
	}
	if (r == CLV_OK && ret_version != NULL)
		*ret_version = version;
	clv__client_end(c);
	return r;
}

static void
put_op_id(struct clv_buf *b)
{
	uint8_t id[CLV_API_ID_LEN];

	randombytes_buf(id, sizeof(id));
	clv_buf_raw(b, id, sizeof(id));
}

int
clv_client_put(struct clv_client *c, const char *app, const char *name,
    const void *p, size_t len, uint32_t keep, uint64_t *ret_version)
{
	struct clv_buf b;

	clv__client_begin(c, &b);
	clv_buf_str(&b, app);
	clv_buf_str(&b, name);
	put_op_id(&b);
	clv_buf_u32(&b, keep);
	clv_buf_bytes(&b, p, len);
	return write_it(c, CLV_API_PUT, &b, ret_version);
}

int
clv_client_delete(struct clv_client *c, const char *app, const char *name,
    uint64_t *ret_version)
{
	struct clv_buf b;

	clv__client_begin(c, &b);
	clv_buf_str(&b, app);
	clv_buf_str(&b, name);
	put_op_id(&b);
	return write_it(c, CLV_API_DELETE, &b, ret_version);
}

int
clv_client_list(struct clv_client *c, const char *app, const char *after,
    struct clv_secret_name **ret, size_t *ret_n, bool *ret_more)
{
	struct clv_secret_name *names = NULL;
	bool more = false;
	struct clv_buf b;
	struct clv_rd rd;
	uint32_t n = 0;
	int r;

	clv__client_begin(c, &b);
	clv_buf_str(&b, app);
	clv_buf_str(&b, after);
	r = clv__client_call(c, CLV_API_LIST, 0, &b, &rd);
	if (r == CLV_OK) {
		more = clv_rd_u8(&rd) != 0;
		n = clv_rd_u32(&rd);
		if (n > CLV__BODY_MAX / 12)
			rd.failed = true;
		else if ((names = calloc(n + 1, sizeof(*names))) == NULL)
			r = clv__client_fail(c, CLV_E_NOMEM, NULL);
		for (uint32_t i = 0; names != NULL && i < n; i++) {
			clv_rd_str(&rd, names[i].name, sizeof(names[i].name));
			names[i].version = clv_rd_u64(&rd);
		}
	}
	if (r == CLV_OK)
		r = clv__client_read_all(c, &rd);
	clv__client_end(c);
	if (r != CLV_OK) {
		free(names);
		return r;
	}
	*ret = names;
	*ret_n = n;
	*ret_more = more;
	return CLV_OK;
}

int
clv_client_history(struct clv_client *c, const char *app, const char *name,
    struct clv_secret_version **ret, size_t *ret_n)
{
	struct clv_secret_version *v = NULL;
	struct clv_buf b;
	struct clv_rd rd;
	uint32_t n = 0;
	int r;

	clv__client_begin(c, &b);
	clv_buf_str(&b, app);
	clv_buf_str(&b, name);
	r = clv__client_call(c, CLV_API_HISTORY, 0, &b, &rd);
	if (r == CLV_OK) {
		n = clv_rd_u32(&rd);
		if (n > CLV__BODY_MAX / 22)
			rd.failed = true;
		else if ((v = calloc(n + 1, sizeof(*v))) == NULL)
			r = clv__client_fail(c, CLV_E_NOMEM, NULL);
		for (uint32_t i = 0; v != NULL && i < n; i++) {
			v[i].version = clv_rd_u64(&rd);
			v[i].deleted = clv_rd_u8(&rd) != 0;
			v[i].current = clv_rd_u8(&rd) != 0;
			v[i].age_s = clv_rd_u64(&rd);
			v[i].key_version = clv_rd_u32(&rd);
		}
	}
	if (r == CLV_OK)
		r = clv__client_read_all(c, &rd);
	clv__client_end(c);
	if (r != CLV_OK) {
		free(v);
		return r;
	}
	*ret = v;
	*ret_n = n;
	return CLV_OK;
}

static int
seal_or_unseal(struct clv_client *c, enum clv_api_op op, const char *app,
    const char *context, const void *p, size_t len, struct clv_secret **ret)
{
	struct clv_buf b;
	struct clv_rd rd;
	int r;

	clv__client_begin(c, &b);
	clv_buf_str(&b, app);
	clv_buf_str(&b, context);
	clv_buf_bytes(&b, p, len);
	r = clv__client_call(c, op, 0, &b, &rd);
	if (r == CLV_OK)
		r = read_secret(c, &rd, ret);
	clv__client_end(c);
	return r;
}

int
clv_client_seal(struct clv_client *c, const char *app, const char *context,
    const void *p, size_t len, struct clv_secret **ret)
{
	return seal_or_unseal(c, CLV_API_SEAL, app, context, p, len, ret);
}

int
clv_client_unseal(struct clv_client *c, const char *app, const char *context,
    const void *p, size_t len, struct clv_secret **ret)
{
	return seal_or_unseal(c, CLV_API_OPEN, app, context, p, len, ret);
}

int
clv_client_apps(struct clv_client *c, const char *after,
    struct clv_client_app **ret, size_t *ret_n, bool *ret_more)
{
	struct clv_client_app *apps = NULL;
	bool more = false;
	struct clv_buf b;
	struct clv_rd rd;
	uint32_t n = 0;
	int r;

	clv__client_begin(c, &b);
	clv_buf_str(&b, after);
	r = clv__client_call(c, CLV_API_APPS, 0, &b, &rd);
	if (r == CLV_OK) {
		more = clv_rd_u8(&rd) != 0;
		n = clv_rd_u32(&rd);
		if (n > CLV__BODY_MAX / 6)
			rd.failed = true;
		else if ((apps = calloc(n + 1, sizeof(*apps))) == NULL)
			r = clv__client_fail(c, CLV_E_NOMEM, NULL);
		for (uint32_t i = 0; apps != NULL && i < n; i++) {
			clv_rd_str(&rd, apps[i].name, sizeof(apps[i].name));
			apps[i].roles = clv_rd_u8(&rd);
		}
	}
	if (r == CLV_OK)
		r = clv__client_read_all(c, &rd);
	clv__client_end(c);
	if (r != CLV_OK) {
		free(apps);
		return r;
	}
	*ret = apps;
	*ret_n = n;
	*ret_more = more;
	return CLV_OK;
}

static int
ask_status(
    struct clv_client *c, enum clv_api_op op, struct clv_client_status *ret)
{
	struct clv_client_status s;
	struct clv_buf b;
	struct clv_rd rd;
	int r;

	clv__client_begin(c, &b);
	r = clv__client_call(c, op, 0, &b, &rd);
	if (r == CLV_OK && clv__client_read_status(&rd, &s) != CLV_OK)
		r = clv__client_fail(c, CLV_E_PROTOCOL, NULL);
	clv__client_end(c);
	if (r == CLV_OK)
		*ret = s;
	return r;
}

int
clv_client_get_status(struct clv_client *c, struct clv_client_status *ret)
{
	return ask_status(c, CLV_API_STATUS, ret);
}

int
clv_client_subscribe(struct clv_client *c, struct clv_client_status *ret)
{
	int r = ask_status(c, CLV_API_SUBSCRIBE, ret);

	if (r == CLV_OK)
		c->subscribed = true;
	return r;
}

int
clv_client_ask(struct clv_client *c, enum clv_api_op op, const void *p,
    size_t len, void *ret, size_t cap, size_t *ret_len)
{
	struct clv_buf b;
	struct clv_rd rd;
	int r;

	clv__client_begin(c, &b);
	clv_buf_raw(&b, p, len);
	r = clv__client_call(c, op, 0, &b, &rd);
	if (r == CLV_OK && rd.len > cap)
		r = clv__client_fail(c, CLV_E_PROTOCOL, NULL);
	if (r == CLV_OK) {
		memcpy(ret, rd.p, rd.len);
		*ret_len = rd.len;
	}
	clv__client_end(c);
	return r;
}

int
clv_client_admin(struct clv_client *c, const void *p, size_t len, void *ret,
    size_t cap, size_t *ret_len)
{
	return clv_client_ask(c, CLV_API_ADMIN, p, len, ret, cap, ret_len);
}
