/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/age_impl.h"

#define VERSION_PREFIX "age-encryption.org/"
#define VERSION_LINE VERSION_PREFIX "v1"
#define VERSION_LINE_MAX 128
#define MAC_PREFIX "--- "
#define MAC_MARK_LEN 3
#define MAC_LEN crypto_auth_hmacsha256_BYTES
#define BODY_COLUMNS 64

void
clv__age_header_init(struct clv__age_header *h)
{
	memset(h, 0, sizeof(*h));
	clv_buf_init(&h->text);
	h->text.max = CLV__AGE_HEADER_MAX;
}

void
clv__age_header_fini(struct clv__age_header *h)
{
	clv_buf_fini(&h->text);
}

static bool
is_vchar(char c)
{
	return c > 0x20 && c < 0x7f;
}

static bool
has_prefix(struct clv__age_span line, const char *prefix)
{
	size_t len = strlen(prefix);

	return line.len >= len && memcmp(line.p, prefix, len) == 0;
}

static int
version_line(struct clv__age_header *h, struct clv__age_span line)
{
	if (!has_prefix(line, VERSION_PREFIX) ||
	    line.len == strlen(VERSION_PREFIX) || line.len > VERSION_LINE_MAX)
		return CLV_E_FORMAT;
	for (size_t i = 0; i < line.len; i++) {
		if (!is_vchar(line.p[i]))
			return CLV_E_FORMAT;
	}
	if (line.len != strlen(VERSION_LINE) ||
	    memcmp(line.p, VERSION_LINE, line.len) != 0)
		return CLV_E_VERSION;
	h->state = CLV__AGE_STANZA_LINE;
	return CLV_OK;
}

/* arg-line = "-> " argument *(SP argument); line is what follows "-> ". */
static int
split_args(struct clv__age_span line, struct clv__age_stanza *ret)
{
	size_t start = 0;

	for (size_t i = 0; i <= line.len; i++) {
		if (i < line.len && is_vchar(line.p[i]))
			continue;
		if ((i < line.len && line.p[i] != ' ') || i == start)
			return CLV_E_FORMAT;
		if (ret->args < CLV__AGE_ARGS_KEPT)
			ret->arg[ret->args] =
			    (struct clv__age_span){line.p + start, i - start};
		ret->args++;
		start = i + 1;
	}
	return CLV_OK;
}

/* end = "--- " 43base64char LF */
static int
mac_line(struct clv__age_header *h, struct clv__age_span line)
{
	struct clv__age_span text;
	uint8_t mac[MAC_LEN];

	if (!has_prefix(line, MAC_PREFIX))
		return CLV_E_FORMAT;
	text.p = line.p + strlen(MAC_PREFIX);
	text.len = line.len - strlen(MAC_PREFIX);
	if (h->stanzas == 0 ||
	    clv__age_base64(text, mac, sizeof(mac)) != CLV_OK)
		return CLV_E_FORMAT;
	/* "An scrypt stanza, if present, MUST be the only stanza." */
	if (h->scrypt && h->stanzas > 1)
		return CLV_E_FORMAT;
	h->mac_at = h->line;
	h->state = CLV__AGE_HEADER_DONE;
	return CLV_OK;
}

static int
stanza_line(struct clv__age_header *h, struct clv__age_span line)
{
	struct clv__age_stanza stanza = {0};
	int r;

	if (has_prefix(line, "---"))
		return mac_line(h, line);
	if (!has_prefix(line, "-> "))
		return CLV_E_FORMAT;
	r = split_args(
	    (struct clv__age_span){line.p + 3, line.len - 3}, &stanza);
	if (r != CLV_OK)
		return r;
	h->stanzas++;
	if (clv__age_stanza_is(&stanza, "scrypt"))
		h->scrypt = true;
	h->state = CLV__AGE_BODY_LINE;
	return CLV_OK;
}

/* 64 columns are whole bytes, so canonical lines make a canonical body. */
static int
body_line(struct clv__age_header *h, struct clv__age_span line)
{
	uint8_t bytes[BODY_COLUMNS / 4 * 3];
	size_t len;

	if (line.len > BODY_COLUMNS)
		return CLV_E_FORMAT;
	if (clv__age_base64_decode(line.p, line.len,
		sodium_base64_VARIANT_ORIGINAL_NO_PADDING, bytes, sizeof(bytes),
		&len) != CLV_OK)
		return CLV_E_FORMAT;
	if (line.len < BODY_COLUMNS)
		h->state = CLV__AGE_STANZA_LINE;
	return CLV_OK;
}

/* The line from h->line up to its LF, which is the last byte so far. */
static int
whole_line(struct clv__age_header *h)
{
	struct clv__age_span line;
	int r;

	line.p = (const char *)h->text.data + h->line;
	line.len = h->text.len - h->line - 1;
	switch (h->state) {
	case CLV__AGE_VERSION_LINE: r = version_line(h, line); break;
	case CLV__AGE_STANZA_LINE: r = stanza_line(h, line); break;
	case CLV__AGE_BODY_LINE: r = body_line(h, line); break;
	default: r = CLV_E_FORMAT; break;
	}
	h->line = h->text.len;
	return r;
}

/* A file of another kind is refused by its first bytes, not when it ends. */
static int
begin_of_version(const struct clv__age_header *h)
{
	size_t len = h->text.len;

	if (h->state != CLV__AGE_VERSION_LINE || len == 0)
		return CLV_OK;
	if (len > VERSION_LINE_MAX)
		return CLV_E_FORMAT;
	if (len > strlen(VERSION_PREFIX))
		len = strlen(VERSION_PREFIX);
	return memcmp(h->text.data, VERSION_PREFIX, len) == 0 ? CLV_OK
							      : CLV_E_FORMAT;
}

int
clv__age_header_put(
    struct clv__age_header *h, const uint8_t *p, size_t len, size_t *ret_used)
{
	size_t used = 0;
	int r = CLV_OK;

	while (r == CLV_OK && used < len && h->state != CLV__AGE_HEADER_DONE) {
		const uint8_t *lf = memchr(p + used, '\n', len - used);
		size_t n =
		    lf != NULL ? (size_t)(lf - (p + used)) + 1 : len - used;

		clv_buf_raw(&h->text, p + used, n);
		used += n;
		r = clv_buf_result(&h->text);
		if (r == CLV_E_FULL)
			r = CLV_E_FORMAT;
		else if (r == CLV_OK && lf != NULL)
			r = whole_line(h);
		else if (r == CLV_OK)
			r = begin_of_version(h);
	}
	*ret_used = used;
	return r;
}

/* The next line of checked text; *at goes behind its LF. */
static struct clv__age_span
next_line(const struct clv__age_header *h, size_t *at)
{
	const char *p = (const char *)h->text.data + *at;
	const char *lf = memchr(p, '\n', h->text.len - *at);
	struct clv__age_span line = {p, (size_t)(lf - p)};

	*at += line.len + 1;
	return line;
}

bool
clv__age_header_next(
    const struct clv__age_header *h, size_t *at, struct clv__age_stanza *ret)
{
	struct clv__age_stanza stanza = {0};
	struct clv__age_span line;
	size_t body;

	if (*at == 0)
		next_line(h, at); /* version */
	if (*at >= h->mac_at)
		return false;
	line = next_line(h, at);
	split_args((struct clv__age_span){line.p + 3, line.len - 3}, &stanza);
	body = *at;
	do {
		line = next_line(h, at);
	} while (line.len == BODY_COLUMNS);
	stanza.body.p = (const char *)h->text.data + body;
	stanza.body.len = *at - body;
	*ret = stanza;
	return true;
}

bool
clv__age_stanza_is(const struct clv__age_stanza *s, const char *type)
{
	return s->arg[0].len == strlen(type) &&
	       memcmp(s->arg[0].p, type, s->arg[0].len) == 0;
}

int
clv__age_base64(struct clv__age_span text, uint8_t *ret, size_t len)
{
	size_t got;

	if (text.len != CLV__AGE_B64_LEN(len))
		return CLV_E_FORMAT;
	if (clv__age_base64_decode(text.p, text.len,
		sodium_base64_VARIANT_ORIGINAL_NO_PADDING, ret, len,
		&got) != CLV_OK)
		return CLV_E_FORMAT;
	return got == len ? CLV_OK : CLV_E_FORMAT;
}

int
clv__age_stanza_body(
    const struct clv__age_stanza *s, uint8_t ret_body[static CLV__AGE_BODY_LEN])
{
	struct clv__age_span line = {s->body.p, s->body.len - 1};

	return clv__age_base64(line, ret_body, CLV__AGE_BODY_LEN);
}

static void
compute_mac(const uint8_t *text, size_t len,
    const uint8_t file_key[static CLV__AGE_FILE_KEY_LEN],
    uint8_t ret[static MAC_LEN])
{
	crypto_auth_hmacsha256_state state;
	static const uint8_t no_salt[1];
	uint8_t key[32];

	clv__age_hkdf(
	    file_key, CLV__AGE_FILE_KEY_LEN, no_salt, 0, "header", key);
	crypto_auth_hmacsha256_init(&state, key, sizeof(key));
	crypto_auth_hmacsha256_update(&state, text, len);
	crypto_auth_hmacsha256_final(&state, ret);
	sodium_memzero(key, sizeof(key));
	sodium_memzero(&state, sizeof(state));
}

int
clv__age_header_verify(const struct clv__age_header *h,
    const uint8_t file_key[static CLV__AGE_FILE_KEY_LEN])
{
	struct clv__age_span text;
	uint8_t want[MAC_LEN];
	uint8_t found[MAC_LEN];
	int r;

	text.p = (const char *)h->text.data + h->mac_at + strlen(MAC_PREFIX);
	text.len = CLV__AGE_B64_LEN(MAC_LEN);
	r = clv__age_base64(text, found, sizeof(found));
	if (r != CLV_OK)
		return r;
	compute_mac(h->text.data, h->mac_at + MAC_MARK_LEN, file_key, want);
	r = sodium_memcmp(want, found, sizeof(want)) == 0 ? CLV_OK
							  : CLV_E_DAMAGED;
	sodium_memzero(want, sizeof(want));
	return r;
}

static void
put_text(struct clv_buf *text, const char *s)
{
	clv_buf_raw(text, s, strlen(s));
}

void
clv__age_header_begin(struct clv_buf *text)
{
	put_text(text, VERSION_LINE "\n");
}

void
clv__age_header_stanza(struct clv_buf *text, const char *args,
    const uint8_t body[static CLV__AGE_BODY_LEN])
{
	char b64[CLV__AGE_B64_LEN(CLV__AGE_BODY_LEN) + 1];

	sodium_bin2base64(b64, sizeof(b64), body, CLV__AGE_BODY_LEN,
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	put_text(text, "-> ");
	put_text(text, args);
	put_text(text, "\n");
	put_text(text, b64);
	put_text(text, "\n");
}

void
clv__age_header_end(
    struct clv_buf *text, const uint8_t file_key[static CLV__AGE_FILE_KEY_LEN])
{
	char b64[CLV__AGE_B64_LEN(MAC_LEN) + 1];
	uint8_t mac[MAC_LEN];

	put_text(text, "---");
	if (clv_buf_result(text) != CLV_OK)
		return;
	compute_mac(text->data, text->len, file_key, mac);
	sodium_bin2base64(b64, sizeof(b64), mac, sizeof(mac),
	    sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
	put_text(text, " ");
	put_text(text, b64);
	put_text(text, "\n");
}
