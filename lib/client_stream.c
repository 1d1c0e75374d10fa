/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include "client.h"

/*
 * Data of any length, claviger-formats(7): a key for this stream alone, sealed
 * by the daemon, then libsodium's crypto_secretstream in chunks of 64 KiB, of
 * which the last one, shorter, perhaps empty, says that it is.
 *
 *	"claviger-stream1" | bytes sealed key | header 24 | chunks
 */
#define CHUNK 65536
#define SEALED_MAX 256
#define EXTRA crypto_secretstream_xchacha20poly1305_ABYTES
#define HEADER_LEN crypto_secretstream_xchacha20poly1305_HEADERBYTES
#define KEY_LEN crypto_secretstream_xchacha20poly1305_KEYBYTES
#define FINAL crypto_secretstream_xchacha20poly1305_TAG_FINAL
static const char magic[16] = {'c', 'l', 'a', 'v', 'i', 'g', 'e', 'r', '-', 's',
    't', 'r', 'e', 'a', 'm', '1'};

struct stream {
	struct clv_client *c;
	const struct clv_stream_io *io;
	crypto_secretstream_xchacha20poly1305_state state;
	uint8_t plain[CHUNK];
	uint8_t cipher[CHUNK + EXTRA];
};

/* As much as there is, up to len. */
static int
fill(struct stream *s, void *p, size_t len, size_t *ret_len)
{
	uint8_t *at = p;
	ssize_t n = 1;

	while (len > 0 && (n = s->io->read(s->io->arg, at, len)) > 0) {
		if ((size_t)n > len)
			return clv__client_fail(s->c, CLV_E_INVALID, NULL);
		at += n;
		len -= (size_t)n;
	}
	if (n < 0)
		return clv__client_fail(s->c, CLV_E_SYSTEM, strerror(errno));
	*ret_len = (size_t)(at - (uint8_t *)p);
	return CLV_OK;
}

static int
put(struct stream *s, const void *p, size_t len)
{
	if (len > 0 && s->io->write(s->io->arg, p, len) < 0)
		return clv__client_fail(s->c, CLV_E_SYSTEM, strerror(errno));
	return CLV_OK;
}

/* The daemon's context: no sealed piece of data is a stream's key. */
static int
key_context(struct clv_client *c, const char *context, char ret[256])
{
	int n = snprintf(ret, 256, "claviger-stream:%s", context);

	if (n < 0 || n >= 256)
		return clv__client_fail(c, CLV_E_INVALID,
		    "a stream's context is at most 239 bytes");
	return CLV_OK;
}

static int
write_head(struct stream *s, const char *app, const char *context)
{
	uint8_t key[KEY_LEN], header[HEADER_LEN];
	struct clv_secret *sealed = NULL;
	struct clv_buf b;
	char full[256];
	int r;

	crypto_secretstream_xchacha20poly1305_keygen(key);
	r = key_context(s->c, context, full);
	if (r == CLV_OK)
		r = clv_client_seal(s->c, app, full, key, sizeof(key), &sealed);
	crypto_secretstream_xchacha20poly1305_init_push(&s->state, header, key);
	sodium_memzero(key, sizeof(key));
	if (r != CLV_OK)
		return r;
	clv_buf_init(&b);
	clv_buf_raw(&b, magic, sizeof(magic));
	clv_buf_bytes(&b, sealed->data, sealed->len);
	clv_buf_raw(&b, header, sizeof(header));
	r = clv_buf_result(&b);
	if (r == CLV_OK)
		r = put(s, b.data, b.len);
	clv_buf_fini(&b);
	clv_secret_free(&sealed);
	return r;
}

static int
seal_chunks(struct stream *s)
{
	size_t len;
	int r;

	do {
		r = fill(s, s->plain, CHUNK, &len);
		if (r != CLV_OK)
			return r;
		crypto_secretstream_xchacha20poly1305_push(&s->state, s->cipher,
		    NULL, s->plain, len, NULL, 0, len < CHUNK ? FINAL : 0);
		r = put(s, s->cipher, len + EXTRA);
	} while (r == CLV_OK && len == CHUNK);
	return r;
}

static struct stream *
stream_new(struct clv_client *c, const struct clv_stream_io *io)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s != NULL) {
		s->c = c;
		s->io = io;
	}
	return s;
}

static void
stream_free(struct stream *s)
{
	sodium_memzero(s, sizeof(*s));
	free(s);
}

int
clv_client_seal_stream(struct clv_client *c, const char *app,
    const char *context, const struct clv_stream_io *io)
{
	struct stream *s = stream_new(c, io);
	int r;

	if (s == NULL)
		return clv__client_fail(c, CLV_E_NOMEM, NULL);
	r = write_head(s, app, context);
	if (r == CLV_OK)
		r = seal_chunks(s);
	stream_free(s);
	return r;
}

static int
need(struct stream *s, void *p, size_t len)
{
	size_t got;
	int r = fill(s, p, len, &got);

	if (r == CLV_OK && got < len)
		r = clv__client_fail(s->c, CLV_E_TRUNCATED, NULL);
	return r;
}

static int
read_sealed(struct stream *s, uint8_t sealed[SEALED_MAX], size_t *ret_len)
{
	uint8_t head[sizeof(magic) + 4];
	struct clv_rd rd;
	size_t len, got;
	int r;

	r = fill(s, head, sizeof(head), &got);
	if (r != CLV_OK)
		return r;
	if (got < sizeof(magic) || memcmp(head, magic, sizeof(magic)) != 0)
		return clv__client_fail(s->c, CLV_E_FORMAT,
		    "this was not made by claviger encrypt");
	if (got < sizeof(head))
		return clv__client_fail(s->c, CLV_E_TRUNCATED, NULL);
	clv_rd_init(&rd, head + sizeof(magic), 4);
	len = clv_rd_u32(&rd);
	if (len == 0 || len > SEALED_MAX)
		return clv__client_fail(s->c, CLV_E_FORMAT, NULL);
	*ret_len = len;
	return need(s, sealed, len);
}

static int
read_head(struct stream *s, const char *app, const char *context)
{
	uint8_t sealed[SEALED_MAX], header[HEADER_LEN];
	struct clv_secret *key = NULL;
	char full[256];
	size_t len = 0;
	int r;

	r = read_sealed(s, sealed, &len);
	if (r == CLV_OK)
		r = need(s, header, sizeof(header));
	if (r == CLV_OK)
		r = key_context(s->c, context, full);
	if (r == CLV_OK)
		r = clv_client_unseal(s->c, app, full, sealed, len, &key);
	if (r != CLV_OK)
		return r;
	if (key->len != KEY_LEN ||
	    crypto_secretstream_xchacha20poly1305_init_pull(
		&s->state, header, key->data) != 0)
		r = clv__client_fail(s->c, CLV_E_DAMAGED, NULL);
	clv_secret_free(&key);
	return r;
}

/* Only what is authentic is written, and only the last chunk is short. */
static int
unseal_chunks(struct stream *s)
{
	unsigned char tag = 0;
	size_t len;
	int r;

	while (tag != FINAL) {
		r = fill(s, s->cipher, sizeof(s->cipher), &len);
		if (r != CLV_OK)
			return r;
		if (len < EXTRA)
			return clv__client_fail(s->c, CLV_E_TRUNCATED, NULL);
		if (crypto_secretstream_xchacha20poly1305_pull(&s->state,
			s->plain, NULL, &tag, s->cipher, len, NULL, 0) != 0)
			return clv__client_fail(s->c,
			    len < sizeof(s->cipher) ? CLV_E_TRUNCATED
						    : CLV_E_DAMAGED,
			    len < sizeof(s->cipher)
				? "damaged or cut short near its end"
				: NULL);
		if ((tag == FINAL) != (len < sizeof(s->cipher)))
			return clv__client_fail(s->c, CLV_E_DAMAGED, NULL);
		r = put(s, s->plain, len - EXTRA);
		if (r != CLV_OK)
			return r;
	}
	return CLV_OK;
}

int
clv_client_unseal_stream(struct clv_client *c, const char *app,
    const char *context, const struct clv_stream_io *io)
{
	struct stream *s = stream_new(c, io);
	int r;

	if (s == NULL)
		return clv__client_fail(c, CLV_E_NOMEM, NULL);
	r = read_head(s, app, context);
	if (r == CLV_OK)
		r = unseal_chunks(s);
	stream_free(s);
	return r;
}
