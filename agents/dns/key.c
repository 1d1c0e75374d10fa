/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agents/dns/dns.h"

/* What tsig-keygen(8) writes:
 *	key "name" {
 *		algorithm hmac-sha256;
 *		secret "base64";
 *	};
 * with the comments of named.conf(5). */
#define FILE_MAX 4096
#define WORD_MAX 512

struct reader {
	const char *p;
	unsigned line;
};

/* Not md5, which RFC 8945 forbids; the others ldns does not know. */
static const char *const algorithms[] = {
    "hmac-sha256", "hmac-sha512", "hmac-sha1"};

static void
skip_to(struct reader *r, const char *end)
{
	const char *to = strstr(r->p, end);

	if (to == NULL)
		to = r->p + strlen(r->p);
	for (; r->p < to; r->p++)
		r->line += *r->p == '\n';
}

static void
skip_blanks(struct reader *r)
{
	for (;;) {
		if (*r->p == '#' || strncmp(r->p, "//", 2) == 0) {
			skip_to(r, "\n");
		} else if (strncmp(r->p, "/*", 2) == 0) {
			skip_to(r, "*/");
			r->p += *r->p != '\0' ? 2 : 0;
		} else if (isspace((unsigned char)*r->p)) {
			r->line += *r->p == '\n';
			r->p++;
		} else {
			return;
		}
	}
}

/* A word, a quoted string or one of { } ; */
static bool
next(struct reader *r, char *ret, size_t cap)
{
	const char *from;
	size_t len;
	bool quoted;

	skip_blanks(r);
	quoted = *r->p == '"';
	from = r->p + quoted;
	if (quoted)
		len = strcspn(from, "\"\n");
	else if (*from != '\0' && strchr("{};", *from) != NULL)
		len = 1;
	else
		len = strcspn(from, "{};\" \t\r\n");
	if (len >= cap || (quoted && from[len] != '"') || (!quoted && len == 0))
		return false;
	memcpy(ret, from, len);
	ret[len] = '\0';
	r->p = from + len + quoted;
	return true;
}

static bool
expect(struct reader *r, const char *what)
{
	char word[WORD_MAX];
	bool ok = next(r, word, sizeof(word)) && strcmp(word, what) == 0;

	explicit_bzero(word, sizeof(word));
	return ok;
}

static bool
set_algorithm(struct dns_key *k, const char *name)
{
	size_t i, len = strcspn(name, ".");

	for (i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (len == strlen(algorithms[i]) &&
		    strncasecmp(name, algorithms[i], len) == 0) {
			snprintf(k->algorithm, sizeof(k->algorithm), "%s.",
			    algorithms[i]);
			return true;
		}
	return false;
}

/* Compared and hashed in small letters (RFC 8945, 4.3.3). */
static bool
set_name(struct dns_key *k, const char *name)
{
	ldns_rdf *rdf;
	size_t i, len = strlen(name);

	if (len == 0 || len >= sizeof(k->name))
		return false;
	for (i = 0; i <= len; i++)
		k->name[i] = (char)tolower((unsigned char)name[i]);
	rdf = ldns_dname_new_frm_str(k->name);
	ldns_rdf_deep_free(rdf);
	return rdf != NULL;
}

/* By hand: a copy that ldns decodes would not be wiped. */
static bool
set_secret(struct dns_key *k, const char *secret)
{
	size_t len = strlen(secret), n, pad;

	n = strspn(secret, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "abcdefghijklmnopqrstuvwxyz0123456789+/");
	pad = strspn(secret + n, "=");
	if (n == 0 || n + pad != len || len % 4 != 0 || pad > 2 ||
	    len >= sizeof(k->secret))
		return false;
	memcpy(k->secret, secret, len + 1);
	return true;
}

/* One `option value;` of the key. */
static int
read_option(struct reader *r, const char *option, struct dns_key *k, char *why)
{
	char value[WORD_MAX];
	int status = DNS_OK;

	/* First: another word may be the secret itself. */
	if (strcmp(option, "algorithm") != 0 && strcmp(option, "secret") != 0)
		return dns_fail(
		    why, DNS_USAGE, "neither \"algorithm\" nor \"secret\"");
	if (!next(r, value, sizeof(value)))
		status = dns_fail(why, DNS_USAGE, "%s has no value", option);
	else if (strcmp(option, "algorithm") == 0 && !set_algorithm(k, value))
		status = dns_fail(why, DNS_USAGE,
		    "the algorithm must be hmac-sha256, hmac-sha512 or "
		    "hmac-sha1");
	else if (strcmp(option, "secret") == 0 && !set_secret(k, value))
		status = dns_fail(why, DNS_USAGE, "the secret is not base64");
	else if (!expect(r, ";"))
		status = dns_fail(why, DNS_USAGE, "no ; after %s", option);
	explicit_bzero(value, sizeof(value));
	return status;
}

static int
read_options(struct reader *r, struct dns_key *k, char *why)
{
	char word[WORD_MAX];
	int status;

	for (;;) {
		if (!next(r, word, sizeof(word)))
			return dns_fail(why, DNS_USAGE, "no closing brace");
		if (strcmp(word, "}") == 0)
			break;
		status = read_option(r, word, k, why);
		explicit_bzero(word, sizeof(word));
		if (status != DNS_OK)
			return status;
	}
	if (k->algorithm[0] == '\0' || k->secret[0] == '\0')
		return dns_fail(
		    why, DNS_USAGE, "the key needs an algorithm and a secret");
	return DNS_OK;
}

static int
parse(struct reader *r, struct dns_key *k, char *why)
{
	char name[WORD_MAX];
	int status;

	if (!expect(r, "key") || !next(r, name, sizeof(name)) ||
	    !set_name(k, name) || !expect(r, "{"))
		return dns_fail(
		    why, DNS_USAGE, "it must begin with: key \"NAME\" {");
	status = read_options(r, k, why);
	if (status != DNS_OK)
		return status;
	if (!expect(r, ";"))
		return dns_fail(why, DNS_USAGE, "no ; after the key");
	skip_blanks(r);
	if (*r->p != '\0')
		return dns_fail(why, DNS_USAGE, "there is more than one key");
	return DNS_OK;
}

/* Whoever can read it can change the name, whoever can write it can stop us. */
static int
check_file(int fd, char *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return dns_fail(why, DNS_USAGE, "not a regular file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return dns_fail(why, DNS_USAGE,
		    "it belongs to uid %u, not to root", (unsigned)st.st_uid);
	if ((st.st_mode & 077) != 0)
		return dns_fail(why, DNS_USAGE,
		    "its mode is %04o: others than its owner have access "
		    "(chmod 600)",
		    (unsigned)st.st_mode & 07777);
	return DNS_OK;
}

static int
read_file(int fd, struct dns_key *k, char *why)
{
	char text[FILE_MAX], inner[DNS_WHY_MAX - 32];
	struct reader r = {.p = text, .line = 1};
	ssize_t n = read(fd, text, sizeof(text) - 1);
	int status;

	if (n < 0)
		return dns_fail(why, DNS_USAGE, "%s", strerror(errno));
	text[n] = '\0';
	if ((size_t)n == sizeof(text) - 1)
		status = dns_fail(why, DNS_USAGE, "it is too long");
	else
		status = parse(&r, k, inner);
	explicit_bzero(text, sizeof(text));
	if (status != DNS_OK && (size_t)n < sizeof(text) - 1)
		dns_fail(why, status, "line %u: %s", r.line, inner);
	return status;
}

int
dns_key_load(const char *path, struct dns_key *ret, char *why)
{
	char inner[DNS_WHY_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), status;

	memset(ret, 0, sizeof(*ret));
	if (fd < 0)
		return dns_fail(
		    why, DNS_USAGE, "%.120s: %s", path, strerror(errno));
	status = check_file(fd, inner);
	if (status == DNS_OK)
		status = read_file(fd, ret, inner);
	close(fd);
	if (status != DNS_OK) {
		explicit_bzero(ret, sizeof(*ret));
		dns_fail(why, status, "%.100s: %.150s", path, inner);
	}
	return status;
}
