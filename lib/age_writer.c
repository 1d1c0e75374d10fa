/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/age_impl.h"

struct clv_age_writer {
	clv_age_sink sink;
	void *arg;
	bool armored;
	bool finished;
	int result; /* the first failure stays */
	struct clv__age_armor_writer armor;
	struct clv__age_stream stream;
};

/* Whom the file is for: either recipients or a passphrase. */
struct target {
	const uint8_t (*pk)[CLV_AGE_KEY_LEN];
	size_t n;
	const char *passphrase;
	unsigned logn;
};

static int
emit(void *arg, const void *p, size_t len)
{
	struct clv_age_writer *w = arg;

	if (w->armored)
		return clv__age_armor_put(&w->armor, p, len);
	return w->sink(w->arg, p, len);
}

static int
put_stanzas(
    struct clv__age_secret *s, const struct target *t, struct clv_buf *text)
{
	int r = CLV_OK;

	if (t->passphrase != NULL)
		return clv__age_scrypt_wrap(s, t->passphrase, t->logn, text);
	for (size_t i = 0; r == CLV_OK && i < t->n; i++)
		r = clv__age_x25519_wrap(s, t->pk[i], text);
	return r;
}

/* Header and payload nonce; leaves the payload key in w->stream. */
static int
begin_file(struct clv_age_writer *w, struct clv__age_secret *s,
    struct clv_guard *guard, const struct target *t)
{
	uint8_t nonce[CLV__AGE_NONCE_LEN];
	struct clv_buf text;
	int r;

	clv_buf_init(&text);
	randombytes_buf(s->file_key, sizeof(s->file_key));
	randombytes_buf(nonce, sizeof(nonce));
	clv__age_header_begin(&text);
	r = put_stanzas(s, t, &text);
	if (r != CLV_OK)
		goto out;
	clv__age_header_end(&text, s->file_key);
	clv_buf_raw(&text, nonce, sizeof(nonce));
	r = clv_buf_result(&text);
	if (r == CLV_OK)
		r = clv__age_stream_init(
		    &w->stream, guard, s->file_key, nonce, emit, w);
	if (r == CLV_OK && w->armored)
		r = clv__age_armor_begin(&w->armor, w->sink, w->arg);
	if (r == CLV_OK)
		r = emit(w, text.data, text.len);
out:
	clv_buf_fini(&text);
	return r;
}

static int
new_writer(struct clv_guard *guard, const struct target *t, bool armor,
    clv_age_sink sink, void *arg, struct clv_age_writer **ret)
{
	struct clv__age_secret *s = NULL;
	struct clv_age_writer *w;
	int r = CLV_E_NOMEM;

	if (sodium_init() < 0)
		return CLV_E_SYSTEM;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		goto out;
	w->sink = sink;
	w->arg = arg;
	w->armored = armor;
	s = clv_guard_get(guard, sizeof(*s));
	r = s == NULL ? CLV_E_FULL : begin_file(w, s, guard, t);
	if (r != CLV_OK)
		goto out;
	*ret = w;
	w = NULL; /* transferred */
out:
	clv_guard_put(guard, s);
	clv_age_writer_free(&w);
	return r;
}

int
clv_age_write_recipients(struct clv_guard *guard,
    const uint8_t (*pk)[CLV_AGE_KEY_LEN], size_t n, bool armor,
    clv_age_sink sink, void *arg, struct clv_age_writer **ret)
{
	struct target t = {.pk = pk, .n = n};

	if (n < 1 || n > CLV__AGE_RECIPIENTS_MAX)
		return CLV_E_INVALID;
	return new_writer(guard, &t, armor, sink, arg, ret);
}

int
clv_age_write_passphrase(struct clv_guard *guard, const char *passphrase,
    unsigned logn, bool armor, clv_age_sink sink, void *arg,
    struct clv_age_writer **ret)
{
	struct target t = {.passphrase = passphrase, .logn = logn};

	if (passphrase[0] == '\0' || logn < 1 || logn > CLV_AGE_SCRYPT_LOGN_MAX)
		return CLV_E_INVALID;
	return new_writer(guard, &t, armor, sink, arg, ret);
}

int
clv_age_writer_put(struct clv_age_writer *w, const void *p, size_t len)
{
	if (w->result == CLV_OK && w->finished)
		w->result = CLV_E_INVALID;
	if (w->result == CLV_OK)
		w->result = clv__age_stream_encrypt(&w->stream, p, len);
	return w->result;
}

int
clv_age_writer_finish(struct clv_age_writer *w)
{
	if (w->result != CLV_OK || w->finished)
		return w->result;
	w->finished = true;
	w->result = clv__age_stream_encrypt_last(&w->stream);
	if (w->result == CLV_OK && w->armored)
		w->result = clv__age_armor_end(&w->armor);
	return w->result;
}

void
clv_age_writer_free(struct clv_age_writer **w)
{
	if (*w == NULL)
		return;
	if ((*w)->stream.guard != NULL)
		clv__age_stream_fini(&(*w)->stream);
	free(*w);
	*w = NULL;
}
