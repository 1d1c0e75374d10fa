/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/age.h>
#include "daemon/cli/escrow/cli_recovery.h"

#define TRIES 5

/* What was read so far; lies in guarded memory. */
struct shares {
	size_t n;
	struct clv_slip39_share of[CLV_SLIP39_COUNT_MAX];
	const char *file[CLV_SLIP39_COUNT_MAX]; /* NULL: typed */
	uint8_t secret[CLV_SLIP39_SECRET_MAX];
};

void
cli_share_normalise(char *text)
{
	char *to = text;

	for (const char *p = text; *p != '\0'; p++) {
		if (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n') {
			if (to > text && to[-1] != ' ')
				*to++ = ' ';
		} else {
			*to++ = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
		}
	}
	if (to > text && to[-1] == ' ')
		to--;
	sodium_memzero(to, strlen(to));
}

void
cli_share_why(int result, size_t word, char ret_why[static 256])
{
	switch (result) {
	case CLV_E_WORD:
		snprintf(ret_why, 256,
		    "word %zu is not of the word list: it is mistyped", word);
		break;
	case CLV_E_CHECKSUM:
		if (word > 0)
			snprintf(ret_why, 256,
			    "a word is mistyped: word %zu, if it is but one",
			    word);
		else
			snprintf(
			    ret_why, 256, "words are mistyped, more than one");
		break;
	case CLV_E_TRUNCATED:
		snprintf(ret_why, 256,
		    "it has not as many words as a share has: words are "
		    "missing, or there are too many");
		break;
	case CLV_E_FORMAT: snprintf(ret_why, 256, "it is no share"); break;
	default: snprintf(ret_why, 256, "%s", clv_result_text(result));
	}
}

/* "share 2", "share 2 (FILE)" */
static const char *
name_of(const struct shares *s, size_t i, char ret[static 256])
{
	if (s->file[i] == NULL)
		snprintf(ret, 256, "share %zu", i + 1);
	else
		snprintf(ret, 256, "share %zu (%.200s)", i + 1, s->file[i]);
	return ret;
}

static const char *
trouble(int result)
{
	return result == CLV_E_DUPLICATE
		   ? "was given already"
		   : "is of another set than the others: not made "
		     "together with them";
}

/* Those that are needed stand in front, or it says which are missing. */
static int
sort_out(struct cli *c, struct shares *s)
{
	bool wrong[CLV_SLIP39_COUNT_MAX] = {false};
	char name[256];
	int r;

	if (s->of[0].groups > 1)
		return cli_fail(c, CLV_E_SHARES,
		    "give exactly as many of each group as are needed",
		    "these shares are of several groups, and not as many as "
		    "are needed");
	if (s->n < s->of[0].threshold)
		return cli_fail(c, CLV_E_SHARES, "give more of them",
		    "%zu shares were given, and %u are needed", s->n,
		    (unsigned)s->of[0].threshold);
	r = clv_slip39_sort_out(c->guard, s->of, s->n, wrong);
	for (size_t i = 0; r == CLV_OK && i < s->n; i++) {
		if (wrong[i])
			cli_warn(c,
			    "%s is wrong: it does not agree with the others",
			    name_of(s, i, name));
	}
	if (r == CLV_OK)
		s->n = s->of[0].threshold;
	return r;
}

static int
combine(struct cli *c, struct shares *s)
{
	size_t len = 0, at;
	int r = clv_slip39_check(s->of, s->n, &at);

	if (r == CLV_E_SHARES)
		r = sort_out(c, s);
	if (r == CLV_OK)
		r = clv_slip39_combine(
		    c->guard, s->of, s->n, NULL, s->secret, &len, NULL);
	if (r == CLV_OK && len != CLV_AGE_KEY_LEN)
		r = cli_fail(c, CLV_E_INVALID,
		    "look for the shares of the recovery identity",
		    "these shares are of a secret of %zu bytes, which is no "
		    "identity of age",
		    len);
	return r;
}

static int
parse(struct cli *c, struct shares *s, const char *text, const char *file,
    size_t *ret_word)
{
	s->file[s->n] = file;
	return clv_slip39_parse(
	    c->guard, text, strlen(text), &s->of[s->n], ret_word);
}

/* ---- from files ---- */

static int
take_line(struct cli *c, struct shares *s, const char *line, const char *file)
{
	char why[256], name[256];
	size_t word = 0;
	int r;

	if (line[0] == '\0')
		return CLV_OK;
	if (s->n == CLV_SLIP39_COUNT_MAX)
		return cli_fail(c, CLV_E_SHARES, "give the shares of one set",
		    "more than %d shares were given", CLV_SLIP39_COUNT_MAX);
	r = parse(c, s, line, file, &word);
	if (r == CLV_OK) {
		s->n++;
		return CLV_OK;
	}
	cli_share_why(r, word, why);
	return cli_fail(c, r, "compare it with what was written down",
	    "%s was not read: %s", name_of(s, s->n, name), why);
}

/* Each line of p, which is the guard's. */
static int
take_lines(struct cli *c, struct shares *s, char *p, const char *file)
{
	int r = CLV_OK;

	while (r == CLV_OK && *p != '\0') {
		size_t len = strcspn(p, "\n");
		bool last = p[len] == '\0';

		p[len] = '\0';
		r = take_line(c, s, p, file);
		p += len + !last;
	}
	return r;
}

static int
take_file(struct cli *c, struct shares *s, const char *file)
{
	char *text = NULL, why[256] = "";
	int r = cli_pass_lines(c->guard, file, &text, why);

	if (r != CLV_OK)
		return cli_fail(c, r,
		    "give files that only you may read (chmod 600)",
		    "the shares in %s cannot be used: %s", file, why);
	r = take_lines(c, s, text, file);
	clv_guard_put(c->guard, text);
	return r;
}

static int
take_files(struct cli *c, struct shares *s, char *files)
{
	char *save = NULL;
	int r = CLV_OK;

	for (char *f = strtok_r(files, ",", &save); r == CLV_OK && f != NULL;
	     f = strtok_r(NULL, ",", &save))
		r = take_file(c, s, f);
	return r;
}

static int
judge_files(struct cli *c, struct shares *s)
{
	char name[256];
	size_t at = 0;
	int r;

	if (s->n == 0)
		return cli_fail(
		    c, CLV_E_SHARES, "one share a line", "no share was given");
	r = clv_slip39_check(s->of, s->n, &at);
	if (r == CLV_E_MIXED || r == CLV_E_DUPLICATE)
		return cli_fail(c, r, "leave it out, or give the right one",
		    "%s %s", name_of(s, at, name), trouble(r));
	r = combine(c, s);
	if (r == CLV_E_DIGEST)
		r = cli_fail(c, r, "give one share more: then it is named",
		    "one of the shares is wrong: together they make no secret");
	return r;
}

/* ---- from the terminal ---- */

/* The next share; what is wrong with it is said, and it is asked for again. */
static int
ask_share(struct cli *c, struct shares *s, size_t *ret_fault)
{
	char prompt[64], why[256], *text = NULL;
	size_t word = 0;
	int r;

	snprintf(prompt, sizeof(prompt), "Share %zu", s->n + 1);
	r = cli_ask(c, prompt, &text);
	if (r != CLV_OK)
		return r;
	cli_share_normalise(text);
	r = parse(c, s, text, NULL, &word);
	clv_guard_put(c->guard, text);
	if (r == CLV_OK) {
		r = clv_slip39_check(s->of, s->n + 1, ret_fault);
		if (r == CLV_OK || r == CLV_E_SHARES) {
			s->n++;
			return r;
		}
		snprintf(why, sizeof(why), "it %s", trouble(r));
	} else {
		cli_share_why(r, word, why);
	}
	cli_warn(c, "that share is not taken: %s", why);
	return CLV_E_AGAIN;
}

/* Until they are enough; a wrong one is found by one more. */
static int
ask_shares(struct cli *c, struct shares *s)
{
	unsigned tries = 0;
	size_t fault;
	int r;

	while (s->n < CLV_SLIP39_COUNT_MAX && tries < TRIES) {
		r = ask_share(c, s, &fault);
		if (r == CLV_E_AGAIN) {
			tries++;
			continue;
		}
		if (r != CLV_OK && r != CLV_E_SHARES)
			return r;
		if (r == CLV_E_SHARES &&
		    (s->of[0].groups > 1 || s->n < s->of[0].threshold))
			continue;
		r = combine(c, s);
		if (r != CLV_E_DIGEST)
			return r;
		cli_warn(c, "one of these shares is wrong: type one more, so "
			    "that it can be named");
	}
	return cli_fail(c, CLV_E_SHARES,
	    "compare what was written down, then begin again",
	    "no secret came of these shares");
}

int
cli_shares_combine(struct cli *c, uint8_t **ret_secret)
{
	const char *files = cli_opt(c, "share-file");
	struct shares *s = NULL;
	uint8_t *secret = NULL;
	char names[4096];
	int r = cli_guard(c);

	if (r != CLV_OK)
		return r;
	s = clv_guard_get(c->guard, sizeof(*s));
	secret = clv_guard_get(c->guard, CLV_AGE_KEY_LEN);
	if (s == NULL || secret == NULL)
		r = cli_fail(c, CLV_E_FULL, NULL, "no locked memory left");
	else if (files == NULL)
		r = ask_shares(c, s);
	else if (snprintf(names, sizeof(names), "%s", files) >=
		 (int)sizeof(names))
		r = cli_fail(c, CLV_E_INVALID, NULL, "too many files");
	else
		r = take_files(c, s, names);
	if (r == CLV_OK && files != NULL)
		r = judge_files(c, s);
	if (r == CLV_OK) {
		memcpy(secret, s->secret, CLV_AGE_KEY_LEN);
		*ret_secret = secret;
		secret = NULL; /* transferred */
	}
	clv_guard_put(c->guard, secret);
	clv_guard_put(c->guard, s);
	return r;
}
