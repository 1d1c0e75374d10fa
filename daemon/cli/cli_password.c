/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include "daemon/cli/cli.h"
#include "daemon/base/state.h"

/*
 * The password of this host's database login is renewed. The new one lies
 * beside the file in force, whole and synced, before PostgreSQL hears of it;
 * whoever is refused with the one tries the other (clv_store_connect()), so
 * that no connection fails in between, and open ones live on. Then it has shown
 * to be good, and takes the place of the former one, which stays beside for a
 * database that is set back. Wherever this is interrupted, the files say how
 * far it is.
 */
#define PASSWORD_LEN 33 /* base64 of 24 bytes, with NUL */
#define LOGIN_MAX 128
#define OTHERS_MAX 32
#define LEFT_OUT " ..."

struct renewal {
	const char *file;
	char next[PATH_MAX], former[PATH_MAX], temp[PATH_MAX];
	char login[LOGIN_MAX];
	char other[OTHERS_MAX][64]; /* addresses */
	size_t other_count;
	const char *state;
};

/* A line of libpq's file: host:port:database:login:password, where ':' and '\'
 * have a '\' before them. Where its n-th field begins; NULL: there is none. */
static const char *
field(const char *line, const char *end, unsigned n)
{
	for (; n > 0; n--) {
		while (line < end && *line != ':')
			line += *line == '\\' && line + 1 < end ? 2 : 1;
		if (line >= end)
			return NULL;
		line++;
	}
	return line;
}

static bool
is_login(const char *p, const char *end, const char *login)
{
	if (end - p == 1 && *p == '*')
		return true;
	for (; p < end; p++, login++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		if (*p != *login)
			return false;
	}
	return *login == '\0';
}

/* Where the password of a line begins that is this login's, or NULL. */
static const char *
password_of(const struct renewal *t, const char *line, const char *end)
{
	const char *login = field(line, end, 3);
	const char *p = login != NULL ? field(login, end, 1) : NULL;

	if (*line == '#' || p == NULL || !is_login(login, p - 1, t->login))
		return NULL;
	return p;
}

static const char *
line_end(const char *line)
{
	return line + strcspn(line, "\n");
}

/* As the service's user, whose the file must be. *ret is the guard's. */
static int
read_file(struct cli *c, const char *path, char **ret)
{
	struct config front = c->config;
	char why[256] = "";
	int r;

	snprintf(front.user, sizeof(front.user), "%s", front.front_user);
	r = cli_become(c, &front);
	if (r != CLV_OK)
		return r;
	r = cli_pass_lines(c->guard, path, ret, why);
	cli_unbecome();
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r, "give it to that user (chown), mode 0600",
	    "user '%s' cannot use %s: %s", front.front_user, path,
	    why[0] != '\0' ? why : clv_result_text(r));
}

static int
sync_folder(const char *path)
{
	char copy[PATH_MAX];
	int fd, rc;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	rc = fsync(fd);
	close(fd);
	return rc;
}

static int
not_written(struct cli *c, const char *path)
{
	return cli_fail(c, CLV_E_SYSTEM, "mend that, then repeat the command",
	    "%s cannot be written: %s", path, strerror(errno));
}

/* Owner and mode are those of the file in force. */
static int
write_next(struct cli *c, const struct renewal *t, const struct clv_buf *b)
{
	struct stat st;
	int fd, r = CLV_OK;

	if (stat(t->file, &st) != 0)
		return not_written(c, t->next);
	unlink(t->temp);
	fd = open(t->temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd < 0)
		return not_written(c, t->next);
	if (fchown(fd, st.st_uid, st.st_gid) != 0 ||
	    file_write_all(fd, b->data, b->len) != CLV_OK || fsync(fd) != 0)
		r = CLV_E_SYSTEM;
	if (close(fd) != 0 || r != CLV_OK || rename(t->temp, t->next) != 0 ||
	    sync_folder(t->next) != 0) {
		r = not_written(c, t->next);
		unlink(t->temp);
	}
	return r;
}

/* Every line of this login gets the same new password; others stay. */
static size_t
renew_lines(const struct renewal *t, const char *text, struct clv_buf *ret)
{
	uint8_t raw[24];
	char password[PASSWORD_LEN];
	const char *end, *p;
	size_t n = 0;

	randombytes_buf(raw, sizeof(raw));
	sodium_bin2base64(password, sizeof(password), raw, sizeof(raw),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	for (; *text != '\0'; text = *end == '\0' ? end : end + 1) {
		end = line_end(text);
		p = password_of(t, text, end);
		clv_buf_raw(ret, text, (size_t)((p != NULL ? p : end) - text));
		if (p != NULL)
			clv_buf_raw(ret, password, sizeof(password) - 1);
		clv_buf_raw(ret, "\n", 1);
		n += p != NULL;
	}
	sodium_memzero(raw, sizeof(raw));
	sodium_memzero(password, sizeof(password));
	return n;
}

static int
make_next(struct cli *c, const struct renewal *t)
{
	struct clv_buf b;
	char *text = NULL;
	int r = read_file(c, t->file, &text);

	if (r != CLV_OK)
		return r;
	clv_buf_init(&b);
	if (renew_lines(t, text, &b) == 0)
		r = cli_fail(c, CLV_E_NOT_FOUND,
		    "write host:port:database:login:password there",
		    "%s has no line for the login %s", t->file, t->login);
	else
		r = clv_buf_result(&b);
	if (r == CLV_OK)
		r = write_next(c, t, &b);
	clv_buf_fini(&b);
	clv_guard_put(c->guard, text);
	return r;
}

/* Out of its line, in place: without what it has before ':' and '\'. */
static void
unescape(char *p, const char *end)
{
	char *to = p;

	for (; p < end; p++) {
		if (*p == '\\' && p + 1 < end)
			p++;
		*to++ = *p;
	}
	*to = '\0';
}

static int
set_password(struct cli *c, const struct renewal *t, struct clv_store *s)
{
	const char *line, *end, *p = NULL;
	char *text = NULL;
	int r = read_file(c, t->next, &text);

	if (r != CLV_OK)
		return r;
	for (line = text; p == NULL && *line != '\0';
	     line = *end == '\0' ? end : end + 1) {
		end = line_end(line);
		p = password_of(t, line, end);
	}
	if (p != NULL) {
		char *password = text + (p - text);

		unescape(password, line_end(password));
		r = clv_store_set_password(s, password, CLI_TIMEOUT_MS);
	} else {
		r = cli_fail(c, CLV_E_NOT_FOUND, "remove it, and repeat this",
		    "%s has no line for the login %s", t->next, t->login);
	}
	clv_guard_put(c->guard, text);
	return r;
}

/* What has shown to be good takes the place of the other: there is a file in
 * force at each moment. */
static int
take_up(struct cli *c, const struct renewal *t)
{
	unlink(t->temp);
	if (link(t->file, t->temp) != 0 || rename(t->temp, t->former) != 0 ||
	    rename(t->next, t->file) != 0 || sync_folder(t->file) != 0)
		return not_written(c, t->file);
	return CLV_OK;
}

static bool
is_good(struct cli *c, const struct renewal *t)
{
	struct clv_store *s = NULL;
	bool good;

	if (access(t->next, F_OK) != 0)
		return false;
	c->quiet = true;
	good =
	    cli_db_open(c, c->config.database, t->next, true, &s) == CLV_OK &&
	    clv_store_used_password(s);
	c->quiet = false;
	clv_store_free(&s);
	return good;
}

static int
look_for_others(struct cli *c, struct renewal *t, struct clv_store *s)
{
	const char *p;
	size_t len;
	int r = clv_store_same_login(s, CLI_TIMEOUT_MS);

	if (r != CLV_OK)
		return cli_fail(c, r, "look into PostgreSQL's log",
		    "it is not known who has the login %s: %s", t->login,
		    clv_store_text(s));
	for (size_t i = 0; i < clv_store_rows(s) && i < OTHERS_MAX; i++) {
		p = clv_store_get(s, i, 0, &len);
		snprintf(t->other[i], sizeof(t->other[i]), "%.*s", (int)len,
		    len > 0 ? p : "(local)");
		cli_printable(t->other[i]);
		t->other_count++;
	}
	return CLV_OK;
}

/* Only a login can tell. */
static int
not_changed(struct cli *c, const struct renewal *t, struct clv_store *s, int r)
{
	if (r == CLV_OK || r == CLV_E_UNKNOWN)
		return cli_fail(c, CLV_E_UNKNOWN,
		    "keep both files, and repeat the command: it finds out",
		    "it is not known which password %s has now: that of %s, "
		    "or that of %s",
		    t->login, t->file, t->next);
	return cli_fail(c, r,
	    "look into PostgreSQL's log, then repeat the command: it goes on "
	    "with the same password",
	    "the password of %s was not changed: %s", t->login,
	    clv_store_text(s)[0] != '\0' ? clv_store_text(s)
					 : clv_result_text(r));
}

static int
change(struct cli *c, struct renewal *t, struct clv_store *s)
{
	int r;

	r = set_password(c, t, s);
	if (is_good(c, t))
		return take_up(c, t);
	return not_changed(c, t, s, r);
}

static int
renew(struct cli *c, struct renewal *t, struct clv_store *s)
{
	int r = CLV_OK;

	if (!clv_store_used_password(s))
		return cli_fail(c, CLV_E_INVALID,
		    "look into pg_hba.conf of PostgreSQL",
		    "PostgreSQL lets %s in without a password", t->login);
	if (access(t->next, F_OK) != 0)
		r = make_next(c, t);
	if (r == CLV_OK)
		r = look_for_others(c, t, s);
	if (r != CLV_OK)
		return r;
	if (t->other_count > 0 && cli_opt(c, "shared") == NULL) {
		t->state = "prepared";
		return CLV_OK;
	}
	t->state = "changed";
	return change(c, t, s);
}

static int
go_on(struct cli *c, struct renewal *t)
{
	struct clv_store *s = NULL;
	int r;

	if (is_good(c, t)) {
		t->state = "taken-up";
		return take_up(c, t);
	}
	r = cli_db_open(c, c->config.database, t->file, true, &s);
	if (r == CLV_OK) {
		snprintf(t->login, sizeof(t->login), "%s", clv_store_login(s));
		r = renew(c, t, s);
	}
	clv_store_free(&s);
	return r;
}

static int
check(struct cli *c, struct renewal *t)
{
	struct stat st;

	if (cli_opt(c, "rotate") == NULL)
		return cli_fail(c, CLV_E_USAGE, NULL,
		    "what of the password? Give --rotate");
	t->file = c->config.database_passfile;
	if (c->config.database[0] == '\0' || t->file[0] == '\0')
		return cli_fail(c, CLV_E_NOT_FOUND,
		    "a client certificate is renewed by whoever issues it",
		    "this host logs in to no database by a password file "
		    "(database_passfile in %s)",
		    c->path);
	snprintf(
	    t->next, sizeof(t->next), "%s" CLV_STORE_PASSFILE_NEXT, t->file);
	snprintf(t->former, sizeof(t->former), "%s" CLV_STORE_PASSFILE_FORMER,
	    t->file);
	snprintf(t->temp, sizeof(t->temp), "%s.temp", t->file);
	if (lstat(t->file, &st) != 0 || !S_ISREG(st.st_mode))
		return cli_fail(c, CLV_E_PERMISSION,
		    "name the file itself in database_passfile, not a link",
		    "%s is not a file", t->file);
	return cli_guard(c);
}

static void
print_text(const struct renewal *t)
{
	if (strcmp(t->state, "prepared") != 0) {
		printf("the new password of the database login is in force, "
		       "and in %s;\nthe former one is in %s\n",
		    t->file, t->former);
		return;
	}
	printf("the database login %s is in use at other addresses, too:",
	    t->login);
	for (size_t i = 0; i < t->other_count; i++)
		printf(" %s", t->other[i]);
	printf("%s\ncopy %s to each of these hosts, beside the "
	       "password file there and with the\nsame ending, for the same "
	       "user and mode; then repeat the command here with\n--shared. "
	       "Nothing was changed in PostgreSQL\n",
	    t->other_count == OTHERS_MAX ? LEFT_OUT : "", t->next);
}

static void
print(const struct cli *c, const struct renewal *t)
{
	struct cli_json *j;

	if (cli_opt(c, "json") == NULL) {
		print_text(t);
		return;
	}
	j = cli_json_new();
	cli_json_str(j, "state", t->state);
	cli_json_str(j, "file", t->file);
	cli_json_array(j, "others");
	for (size_t i = 0; i < t->other_count; i++)
		cli_json_str_push(j, "others", t->other[i]);
	cli_json_print(j);
}

/* One at a time: two would take each other's new password for theirs. */
static int
lock(struct cli *c, int *ret_fd)
{
	*ret_fd = open(c->path, O_RDONLY | O_CLOEXEC);
	if (*ret_fd >= 0 && flock(*ret_fd, LOCK_EX | LOCK_NB) == 0)
		return CLV_OK;
	return cli_fail(c, errno == EWOULDBLOCK ? CLV_E_BUSY : CLV_E_SYSTEM,
	    "wait until it has ended",
	    "another command renews the password, says the lock on %s",
	    c->path);
}

int
cli_settings_password(struct cli *c)
{
	struct renewal t = {.state = ""};
	int fd = -1, r = check(c, &t);

	if (r == CLV_OK)
		r = lock(c, &fd);
	if (r == CLV_OK)
		r = go_on(c, &t);
	if (fd >= 0)
		close(fd);
	if (r != CLV_OK)
		return r;
	print(c, &t);
	return strcmp(t.state, "prepared") == 0 ? CLV_E_LEFT : CLV_OK;
}
