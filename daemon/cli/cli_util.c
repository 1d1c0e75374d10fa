/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/cli/cli.h"
#include "daemon/base/system_pin.h"

/* Room for a keyring as text several times over, and for age's own keys. */
#define GUARD_LEN (256u << 10)

static void __attribute__((format(printf, 3, 0)))
say(const struct cli *c, const char *kind, const char *fmt, va_list ap)
{
	fflush(stdout); /* so that the order is right on one terminal */
	fprintf(stderr, "claviger%s%s: %s", c->verb != NULL ? " " : "",
	    c->verb != NULL ? c->verb->name : "", kind);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

/* What to do next when nothing better is known. */
static const char *
usual_next(const struct cli *c, int result, char *buf, size_t cap)
{
	switch (result) {
	case CLV_E_USAGE:
	case CLV_E_INVALID:
		snprintf(buf, cap, "claviger %s --help",
		    c->verb != NULL ? c->verb->name : "VERB");
		return buf;
	case CLV_E_NOMEM:
	case CLV_E_FULL:
	case CLV_E_NOT_LOCKED:
		return "free memory, or raise the limit of locked memory "
		       "(ulimit -l)";
	default: return "mend that, then repeat the command";
	}
}

static void __attribute__((format(printf, 3, 0)))
keep(struct cli_failure *f, const char *next, const char *fmt, va_list ap)
{
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	snprintf(f->next, sizeof(f->next), "%s", next);
}

int
cli_fail(
    const struct cli *c, int result, const char *next, const char *fmt, ...)
{
	char buf[128];
	va_list ap;

	if (c->quiet)
		return result;
	if (next == NULL)
		next = usual_next(c, result, buf, sizeof(buf));
	va_start(ap, fmt);
	if (c->kept != NULL)
		keep(c->kept, next, fmt, ap);
	else
		say(c, "", fmt, ap);
	va_end(ap);
	if (c->kept == NULL && next[0] != '\0')
		fprintf(stderr, "  next: %s\n", next);
	return result;
}

void
cli_warn(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet || c->kept != NULL)
		return;
	va_start(ap, fmt);
	say(c, "warning: ", fmt, ap);
	va_end(ap);
}

void
cli_progress(const char *fmt, ...)
{
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(ap, fmt);
	fputs("... ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

int
cli_guard(struct cli *c)
{
	int r = CLV_OK;

	if (c->guard == NULL)
		r = clv_guard_new(GUARD_LEN, &c->guard);
	if (r == CLV_OK)
		return CLV_OK;
	return cli_fail(c, r,
	    "raise the limit of locked memory (ulimit -l) to 1024 or more",
	    "%u KiB of memory for secrets cannot be locked: %s",
	    GUARD_LEN >> 10, clv_result_text(r));
}

/* Colons either between all pairs or nowhere: what openssl and we print. */
int
cli_thumb_parse(const char *text, uint8_t ret[static 32])
{
	char hex[CLI_HEX];
	size_t step = strchr(text, ':') != NULL ? 3 : 2;
	size_t len = strlen(text);

	if (len != (step == 3 ? 95 : 64))
		return CLV_E_INVALID;
	for (size_t i = 0; i < 32; i++) {
		const char *p = text + i * step;

		if (!isxdigit((unsigned char)p[0]) ||
		    !isxdigit((unsigned char)p[1]) ||
		    (step == 3 && i < 31 && p[2] != ':'))
			return CLV_E_INVALID;
		hex[2 * i] = p[0];
		hex[2 * i + 1] = p[1];
	}
	if (sodium_hex2bin(ret, 32, hex, 64, NULL, &len, NULL) != 0)
		return CLV_E_INVALID;
	return len == 32 ? CLV_OK : CLV_E_INVALID;
}

int
cli_key_parse(const char *text, uint8_t ret[static 32])
{
	uint8_t key[32];
	const char *end;
	size_t len;

	if (strlen(text) != CLI_BASE64 - 1 ||
	    sodium_base642bin(key, sizeof(key), text, CLI_BASE64 - 1, NULL,
		&len, &end, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    len != sizeof(key) || *end != '\0')
		return CLV_E_INVALID;
	memcpy(ret, key, sizeof(key));
	return CLV_OK;
}

const char *
cli_hex(const uint8_t *p, char ret[static CLI_HEX])
{
	return sodium_bin2hex(ret, CLI_HEX, p, 32);
}

const char *
cli_base64(const uint8_t *p, char ret[static CLI_BASE64])
{
	return sodium_bin2base64(
	    ret, CLI_BASE64, p, 32, sodium_base64_VARIANT_ORIGINAL);
}

/* As claviger-keyring(5) writes it: 8-4-4-4-12. */
const char *
cli_uuid(const uint8_t *p, char ret[static CLI_UUID])
{
	size_t at = 0;

	for (size_t i = 0; i < CLV_SYSTEM_ID_LEN; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			ret[at++] = '-';
		snprintf(ret + at, 3, "%02x", p[i]);
		at += 2;
	}
	return ret;
}

int
cli_number_parse(const char *text, uint32_t min, uint32_t max, uint32_t *ret)
{
	uint64_t v = 0;

	if (text[0] == '\0')
		return CLV_E_INVALID;
	for (const char *p = text; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || v > UINT32_MAX)
			return CLV_E_INVALID;
		v = v * 10 + (uint64_t)(*p - '0');
	}
	if (v < min || v > max)
		return CLV_E_INVALID;
	*ret = (uint32_t)v;
	return CLV_OK;
}

const char *
cli_age_text(uint64_t age_s, char *dst, size_t cap)
{
	static const struct {
		const char *unit;
		uint64_t s;
	} units[] = {
	    {"day", 86400}, {"hour", 3600}, {"minute", 60}, {"second", 1}};
	size_t i = 0;
	uint64_t n;

	while (i < 3 && age_s < units[i].s)
		i++;
	n = age_s / units[i].s;
	snprintf(
	    dst, cap, "%" PRIu64 " %s%s", n, units[i].unit, n == 1 ? "" : "s");
	return dst;
}

int
cli_system_pk(const struct cli *c, uint8_t ret[static CLV_SIGN_PK_LEN])
{
	if (system_pin_load(&c->config, ret) != CLV_E_CONFIG)
		return CLV_OK;
	return cli_fail(c, CLV_E_CONFIG,
	    "write there the public key that claviger init printed",
	    "the line 'system =' of %s is not a public key (44 characters of "
	    "base64)",
	    c->path);
}

char *
cli_printable(char *text)
{
	for (char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	}
	return text;
}

int
cli_typed(const struct cli *c, const char *want, const char *done)
{
	char line[128] = "", next[192];

	if (fgets(line, sizeof(line), stdin) != NULL)
		line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, want) == 0)
		return CLV_OK;
	snprintf(next, sizeof(next), "repeat the command, and type %s", want);
	return cli_fail(c, CLV_E_CANCELLED, next, "nothing was %s", done);
}

int
cli_confirm(const struct cli *c, const char *would, const char *question)
{
	if (cli_opt(c, "yes") != NULL)
		return CLV_OK;
	if (!isatty(STDIN_FILENO))
		return cli_fail(
		    c, CLV_E_DENIED, "repeat it with --yes", "%s", would);
	fprintf(stderr, "%s (yes)? ", question);
	return cli_typed(c, "yes", "changed");
}

const char *
cli_date(int64_t t, char ret[static CLI_DATE])
{
	time_t s = (time_t)t;
	struct tm tm;

	if (gmtime_r(&s, &tm) == NULL ||
	    strftime(ret, CLI_DATE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(ret, CLI_DATE, "unknown");
	return ret;
}
