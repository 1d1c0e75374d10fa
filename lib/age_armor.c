/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/age_impl.h"

/* age.md, "ASCII armor": the strict PEM of RFC 7468, section 3, figure 3. */
#define BEGIN_LINE "-----BEGIN AGE ENCRYPTED FILE-----"
#define END_LINE "-----END AGE ENCRYPTED FILE-----"

int
clv__age_armor_begin(
    struct clv__age_armor_writer *a, clv_age_sink sink, void *arg)
{
	memset(a, 0, sizeof(*a));
	a->sink = sink;
	a->arg = arg;
	return sink(arg, BEGIN_LINE "\n", strlen(BEGIN_LINE "\n"));
}

static int
write_line(struct clv__age_armor_writer *a)
{
	char line[CLV__AGE_ARMOR_COLUMNS + 2];
	size_t len;

	if (a->len == 0)
		return CLV_OK;
	sodium_bin2base64(line, sizeof(line), a->bytes, a->len,
	    sodium_base64_VARIANT_ORIGINAL);
	len = strlen(line);
	line[len++] = '\n';
	a->len = 0;
	return a->sink(a->arg, line, len);
}

int
clv__age_armor_put(
    struct clv__age_armor_writer *a, const uint8_t *p, size_t len)
{
	int r = CLV_OK;

	while (r == CLV_OK && len > 0) {
		size_t n = sizeof(a->bytes) - a->len;

		n = n < len ? n : len;
		memcpy(a->bytes + a->len, p, n);
		a->len += n;
		p += n;
		len -= n;
		if (a->len == sizeof(a->bytes))
			r = write_line(a);
	}
	return r;
}

int
clv__age_armor_end(struct clv__age_armor_writer *a)
{
	int r = write_line(a);

	if (r != CLV_OK)
		return r;
	return a->sink(a->arg, END_LINE "\n", strlen(END_LINE "\n"));
}

bool
clv__age_is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_line(const struct clv__age_armor_reader *a, const char *want)
{
	return a->len == strlen(want) && memcmp(a->line, want, a->len) == 0;
}

/* Canonical base64, of full lines but for the last one. */
static int
body_line(struct clv__age_armor_reader *a, clv_age_sink sink, void *arg)
{
	uint8_t bytes[CLV__AGE_ARMOR_BYTES];
	size_t len;

	if (a->len == 0 || a->len > CLV__AGE_ARMOR_COLUMNS)
		return CLV_E_FORMAT;
	if (clv__age_base64_decode(a->line, a->len,
		sodium_base64_VARIANT_ORIGINAL, bytes, sizeof(bytes),
		&len) != CLV_OK)
		return CLV_E_FORMAT;
	if (len < sizeof(bytes))
		a->state = CLV__AGE_ARMOR_END;
	return sink(arg, bytes, len);
}

/* One line without its LF. */
static int
whole_line(struct clv__age_armor_reader *a, clv_age_sink sink, void *arg)
{
	if (a->len > 0 && a->line[a->len - 1] == '\r')
		a->len--;
	if (a->state == CLV__AGE_ARMOR_BEGIN) {
		a->state = CLV__AGE_ARMOR_BODY;
		return is_line(a, BEGIN_LINE) ? CLV_OK : CLV_E_FORMAT;
	}
	if (is_line(a, END_LINE)) {
		a->state = CLV__AGE_ARMOR_AFTER;
		return CLV_OK;
	}
	if (a->state == CLV__AGE_ARMOR_END)
		return CLV_E_FORMAT;
	return body_line(a, sink, arg);
}

static int
after_end(struct clv__age_armor_reader *a, uint8_t c)
{
	if (!clv__age_is_space(c) || ++a->space > CLV__AGE_ARMOR_SPACE_MAX)
		return CLV_E_FORMAT;
	return CLV_OK;
}

int
clv__age_armor_read(struct clv__age_armor_reader *a, const uint8_t *p,
    size_t len, clv_age_sink sink, void *arg)
{
	int r = CLV_OK;

	for (size_t i = 0; r == CLV_OK && i < len; i++) {
		if (a->state == CLV__AGE_ARMOR_AFTER) {
			r = after_end(a, p[i]);
		} else if (p[i] == '\n') {
			r = whole_line(a, sink, arg);
			a->len = 0;
		} else if (a->len == sizeof(a->line)) {
			r = CLV_E_FORMAT;
		} else {
			a->line[a->len++] = (char)p[i];
		}
	}
	return r;
}

int
clv__age_armor_read_end(
    struct clv__age_armor_reader *a, clv_age_sink sink, void *arg)
{
	if (a->state != CLV__AGE_ARMOR_AFTER && a->len > 0) {
		int r = whole_line(a, sink, arg);
		a->len = 0;
		if (r != CLV_OK)
			return CLV_E_TRUNCATED;
	}
	return a->state == CLV__AGE_ARMOR_AFTER ? CLV_OK : CLV_E_TRUNCATED;
}
