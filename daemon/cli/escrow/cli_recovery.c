/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/age.h>
#include "daemon/admin/admin.h"
#include "daemon/cli/escrow/cli_recovery.h"
#include "daemon/base/state.h"

#define WORDS_ASKED 3
#define TRIES 3
#define SCREEN_MAX 2048

/*
 * A recovery identity in shares. Its private half is here for as long as the
 * ceremony lasts, and nowhere else; the system keeps the recipient.
 */
enum verify { VERIFY_NOTHING, VERIFY_WORDS, VERIFY_WHOLE };

struct ceremony {
	uint8_t needed, n;
	enum verify verify;
	const char *directory; /* NULL: on the terminal */
	int dir;
	int tty;
	unsigned files; /* so many were made */
	uint8_t *sk;	/* the guard's, as all that follows */
	struct clv_slip39_share *shares;
	char *text;
	char *screen;
	char recipient[CLV_AGE_RECIPIENT_MAX];
};

static int
parse_shares(struct cli *c, struct ceremony *s)
{
	const char *text = cli_opt(c, "shares");
	const char *slash = strchr(text, '/');
	uint32_t k = 0, n = 0;
	char first[4] = "";

	if (slash != NULL && (size_t)(slash - text) < sizeof(first))
		memcpy(first, text, (size_t)(slash - text));
	if (cli_number_parse(first, 2, CLV_SLIP39_COUNT_MAX, &k) != CLV_OK ||
	    cli_number_parse(slash + 1, k, CLV_SLIP39_COUNT_MAX, &n) != CLV_OK)
		return cli_fail(c, CLV_E_USAGE,
		    "as 2/3: three shares, any two of which recover",
		    "--shares is K/N with 2 <= K <= N <= %d, not '%s'",
		    CLV_SLIP39_COUNT_MAX, text);
	s->needed = (uint8_t)k;
	s->n = (uint8_t)n;
	return CLV_OK;
}

static int
parse_verify(struct cli *c, struct ceremony *s)
{
	const char *text = cli_opt(c, "verify");

	if (text == NULL)
		s->verify =
		    s->directory != NULL ? VERIFY_NOTHING : VERIFY_WORDS;
	else if (strcmp(text, "words") == 0)
		s->verify = VERIFY_WORDS;
	else if (strcmp(text, "whole") == 0)
		s->verify = VERIFY_WHOLE;
	else
		return cli_fail(c, CLV_E_USAGE, NULL,
		    "--verify is words or whole, not '%s'", text);
	return CLV_OK;
}

static int
open_tty(struct cli *c, struct ceremony *s)
{
	if (s->directory != NULL && s->verify == VERIFY_NOTHING)
		return CLV_OK;
	s->tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (s->tty >= 0)
		return CLV_OK;
	return cli_fail(c, CLV_E_USAGE,
	    "give --directory DIR, and no --verify: one file a share",
	    "there is no terminal to show the shares at");
}

static void
file_name(const struct ceremony *s, unsigned i, char ret[static 32])
{
	snprintf(ret, 32, "share-%u-of-%u.txt", i + 1, (unsigned)s->n);
}

/* Nobody else may write there, and none of the files is there. */
static int
open_directory(struct cli *c, struct ceremony *s)
{
	struct stat st;
	char name[32];

	if (s->directory == NULL)
		return CLV_OK;
	s->dir = open(s->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0 || fstat(s->dir, &st) != 0)
		return cli_fail(c,
		    errno == ENOENT ? CLV_E_NOT_FOUND : CLV_E_SYSTEM,
		    "make it first, for root alone: mkdir -m 700",
		    "the directory %s cannot be used: %s", s->directory,
		    strerror(errno));
	if ((st.st_uid != 0 && st.st_uid != geteuid()) ||
	    (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return cli_fail(c, CLV_E_PERMISSION,
		    "take that right away (chmod go-w), or choose another one",
		    "others can write in the directory %s", s->directory);
	for (unsigned i = 0; i < s->n; i++) {
		file_name(s, i, name);
		if (fstatat(s->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return cli_fail(c, CLV_E_EXISTS,
			    "choose an empty directory: no share is ever "
			    "overwritten",
			    "%s/%s is there already", s->directory, name);
	}
	return CLV_OK;
}

static int
make(struct cli *c, struct ceremony *s)
{
	struct clv_slip39_scheme scheme = {.extendable = true,
	    .group_threshold = 1,
	    .groups = 1,
	    .group = {{s->needed, s->n}}};
	uint8_t pk[CLV_AGE_KEY_LEN];
	size_t n = 0;
	int r = CLV_E_FULL;

	s->sk = clv_guard_get(c->guard, CLV_AGE_KEY_LEN);
	s->text = clv_guard_get(c->guard, CLV_SLIP39_TEXT_MAX + 1);
	s->screen = clv_guard_get(c->guard, SCREEN_MAX);
	if (s->sk != NULL && s->text != NULL && s->screen != NULL) {
		clv_age_keygen(s->sk, pk);
		r = clv_age_recipient_format(pk, s->recipient);
	}
	if (r == CLV_OK)
		r = clv_slip39_split(c->guard, &scheme, s->sk, CLV_AGE_KEY_LEN,
		    NULL, &s->shares, &n);
	return r == CLV_OK ? r
			   : cli_fail(c, r, NULL, "no shares were made: %s",
				 clv_result_text(r));
}

/* ---- a file a share ---- */

static int
put_file(struct cli *c, struct ceremony *s, unsigned i)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	size_t len = strlen(s->text);
	char name[32];
	int fd, r;

	file_name(s, i, name);
	fd = openat(s->dir, name, flags, 0600);
	if (fd >= 0) {
		s->files = i + 1;
		s->text[len] = '\n';
		r = file_write_all(fd, s->text, len + 1);
		s->text[len] = '\0';
		if (r == CLV_OK && fsync(fd) == 0 && fsync(s->dir) == 0 &&
		    close(fd) == 0)
			return CLV_OK;
	}
	return cli_fail(c, errno == EEXIST ? CLV_E_EXISTS : CLV_E_SYSTEM,
	    "choose another directory", "%s/%s was not written: %s",
	    s->directory, name, strerror(errno));
}

static void
remove_files(const struct ceremony *s)
{
	char name[32];

	for (unsigned i = 0; i < s->files; i++) {
		file_name(s, i, name);
		unlinkat(s->dir, name, 0);
	}
}

/* ---- a screen a share ---- */

#define CLEAR "\033[H\033[2J\033[3J"

/* The words by number, four a row; lies in guarded memory as the words do. */
static size_t
draw(struct ceremony *s, unsigned i)
{
	size_t at = 0, word = 0;
	char *p = s->text;

	at += (size_t)snprintf(s->screen, SCREEN_MAX,
	    CLEAR "Share %u of %u. Any %u of them recover the master "
		  "secret.\n\n",
	    i + 1, (unsigned)s->n, (unsigned)s->needed);
	while (*p != '\0' && at + 32 < SCREEN_MAX) {
		size_t len = strcspn(p, " ");

		snprintf(s->screen + at, 8, "  %3zu  ", ++word);
		at += 7;
		memset(s->screen + at, ' ', 10);
		memcpy(s->screen + at, p, len);
		at += 10;
		if (word % 4 == 0)
			s->screen[at++] = '\n';
		p += len + (p[len] == ' ');
	}
	return at;
}

static int
show(struct cli *c, struct ceremony *s, unsigned i)
{
	static const char wait[] =
	    "\n\nWrite the words down, in this order; they are shown once.\n"
	    "Enter, when that is done";
	size_t len = draw(s, i);
	char *line = NULL;
	int r = file_write_all(s->tty, s->screen, len);

	if (r == CLV_OK)
		r = cli_ask(c, wait, &line);
	clv_guard_put(c->guard, line);
	sodium_memzero(s->screen, SCREEN_MAX);
	(void)file_write_all(s->tty, CLEAR, sizeof(CLEAR) - 1);
	return r;
}

/* ---- what the custodian types back ---- */

static const char *
word_at(const char *text, size_t i, size_t *ret_len)
{
	while (i-- > 0)
		text += strcspn(text, " ") + 1;
	*ret_len = strcspn(text, " ");
	return text;
}

static int
ask_word(struct cli *c, struct ceremony *s, unsigned i, size_t at)
{
	char prompt[64], *typed = NULL;
	const char *word;
	size_t len;
	int r;

	snprintf(prompt, sizeof(prompt), "Share %u, word %zu", i + 1, at + 1);
	r = cli_ask(c, prompt, &typed);
	if (r != CLV_OK)
		return r;
	cli_share_normalise(typed);
	word = word_at(s->text, at, &len);
	if (strlen(typed) != len || sodium_memcmp(typed, word, len) != 0)
		r = CLV_E_AGAIN;
	clv_guard_put(c->guard, typed);
	return r;
}

/* Three words of a third of the share each. */
static int
ask_words(struct cli *c, struct ceremony *s, unsigned i)
{
	const uint32_t part = CLV_SLIP39_WORDS_MAX / WORDS_ASKED;
	int r = CLV_OK;

	for (uint32_t w = 0; r == CLV_OK && w < WORDS_ASKED; w++)
		r = ask_word(c, s, i, w * part + randombytes_uniform(part));
	return r;
}

static int
ask_whole(struct cli *c, struct ceremony *s, unsigned i)
{
	char prompt[64], *typed = NULL;
	int r;

	snprintf(prompt, sizeof(prompt), "Share %u, all its words", i + 1);
	r = cli_ask(c, prompt, &typed);
	if (r != CLV_OK)
		return r;
	cli_share_normalise(typed);
	if (strlen(typed) != strlen(s->text) ||
	    sodium_memcmp(typed, s->text, strlen(typed)) != 0)
		r = CLV_E_AGAIN;
	clv_guard_put(c->guard, typed);
	return r;
}

static int
verify(struct cli *c, struct ceremony *s, unsigned i)
{
	int r = CLV_OK;

	if (s->verify == VERIFY_NOTHING)
		return CLV_OK;
	for (int t = 0; t < TRIES; t++) {
		r = s->verify == VERIFY_WHOLE ? ask_whole(c, s, i)
					      : ask_words(c, s, i);
		if (r != CLV_E_AGAIN)
			return r;
		cli_warn(c, "that is not what was shown");
		if (s->directory == NULL)
			r = show(c, s, i);
		if (r != CLV_OK && r != CLV_E_AGAIN)
			return r;
	}
	return cli_fail(c, CLV_E_MISMATCH, "begin again, with new shares",
	    "share %u was not typed back as it is", i + 1);
}

static int
hand_out(struct cli *c, struct ceremony *s)
{
	int r = CLV_OK;

	for (unsigned i = 0; r == CLV_OK && i < s->n; i++) {
		r = clv_slip39_format(c->guard, &s->shares[i], s->text);
		if (r != CLV_OK)
			return cli_fail(c, r, NULL, "no shares were made: %s",
			    clv_result_text(r));
		r = s->directory != NULL ? put_file(c, s, i) : show(c, s, i);
		if (r == CLV_OK)
			r = verify(c, s, i);
	}
	return r;
}

/* ---- the recipient ---- */

static int
set_recipient(struct cli *c, const char *recipient, struct cli_answer *a)
{
	struct clv_buf b;
	int r;

	cli_admin_begin(&b, ADMIN_SETTING);
	clv_buf_str(&b, "recovery_recipient");
	clv_buf_str(&b, recipient);
	r = cli_admin(c, &b, "set the recovery recipient", a);
	clv_buf_fini(&b);
	return r;
}

static void
print_created(
    const struct cli *c, const struct ceremony *s, const struct cli_answer *a)
{
	struct cli_json *j;
	char path[PATH_MAX], name[32];

	if (cli_opt(c, "json") == NULL) {
		printf("recovery recipient  %s\n"
		       "any %u of %u shares recover the master secret; from "
		       "now on the database has a copy\n"
		       "for them, and each backup has one beside it\n",
		    s->recipient, (unsigned)s->needed, (unsigned)s->n);
		return;
	}
	j = cli_json_new();
	cli_json_str(j, "recipient", s->recipient);
	cli_json_u64(j, "needed", s->needed);
	cli_json_u64(j, "shares", s->n);
	cli_json_array(j, "files");
	for (unsigned i = 0; i < s->files; i++) {
		file_name(s, i, name);
		snprintf(path, sizeof(path), "%s/%s", s->directory, name);
		cli_json_str_push(j, "files", path);
	}
	cli_answer_late(a, j);
	cli_json_print(j);
}

/* What became of it is not known: then the shares may be needed. */
static bool
is_void(int r)
{
	return r != CLV_OK && r != CLV_E_UNKNOWN && r != CLV_E_TIMEOUT;
}

static int
create(struct cli *c, struct ceremony *s)
{
	struct clv_list *list = NULL;
	struct cli_answer a;
	int r = cli_list_need(c, &list); /* before anything is shown */

	clv_list_free(&list);
	cli_answer_init(&a);
	if (r == CLV_OK)
		r = make(c, s);
	if (r == CLV_OK)
		r = hand_out(c, s);
	if (r == CLV_OK)
		r = set_recipient(c, s->recipient, &a);
	if (is_void(r)) {
		remove_files(s);
		if (s->shares != NULL)
			cli_warn(c, "the shares of this ceremony are of no "
				    "use: destroy what was written down");
	}
	if (r == CLV_OK)
		print_created(c, s, &a);
	cli_answer_fini(&a);
	return r;
}

int
cli_recovery_create(struct cli *c)
{
	struct ceremony s = {
	    .dir = -1, .tty = -1, .directory = cli_opt(c, "directory")};
	int r = parse_shares(c, &s);

	if (r == CLV_OK)
		r = parse_verify(c, &s);
	if (r == CLV_OK)
		r = open_tty(c, &s);
	if (r == CLV_OK)
		r = open_directory(c, &s);
	if (r == CLV_OK)
		r = cli_guard(c);
	if (r == CLV_OK)
		r = create(c, &s);
	clv_guard_put(c->guard, s.screen);
	clv_guard_put(c->guard, s.text);
	clv_guard_put(c->guard, s.shares);
	clv_guard_put(c->guard, s.sk);
	if (s.dir >= 0)
		close(s.dir);
	if (s.tty >= 0)
		close(s.tty);
	return r;
}

int
cli_recovery_recipient(struct cli *c)
{
	bool removes = cli_opt(c, "remove") != NULL;
	const char *text = removes ? "" : c->args[0];
	uint8_t pk[CLV_AGE_KEY_LEN];
	struct cli_json *j;
	struct clv_buf b;

	if ((c->args[0] == NULL) != removes)
		return cli_fail(c, CLV_E_USAGE,
		    "claviger recovery recipient AGE1…, or --remove",
		    "give a recipient, or --remove and none");
	if (!removes && clv_age_recipient_parse(text, pk) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "take it as age-keygen -y prints it; the identity itself "
		    "(AGE-SECRET-KEY-1…) must not come here",
		    "that is no X25519 recipient of age (age1…)");
	cli_admin_begin(&b, ADMIN_SETTING);
	clv_buf_str(&b, "recovery_recipient");
	clv_buf_str(&b, text);
	j = cli_json_new();
	cli_json_str(j, "recipient", text);
	return cli_admin_change(c, &b,
	    removes ? "remove the recovery recipient"
		    : "set the recovery recipient",
	    j);
}
