/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ini.h>
#include <sodium.h>

#include <claviger/result.h>
#include "daemon/config.h"
#include "daemon/state.h"

#define WHY_LEN 256
#define FILE_MAX 65536
#define LINE_LEN 2048

struct key;
typedef bool (*check_fn)(const char *value);

enum key_type { KEY_TEXT, KEY_PORT, KEY_BOOL };

struct key {
	const char *name;
	enum key_type type;
	size_t offset;
	size_t size;
	const char *def; /* NULL: the host's own name */
	check_fn check;
	const char *must; /* "<key> must be <must>" */
	const char *comment;
};

static bool
is_of(const char *s, const char *set)
{
	return s[0] != '\0' && s[strspn(s, set)] == '\0';
}

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGIT "0123456789"

static bool
is_name(const char *s)
{
	return is_of(s, LOWER UPPER DIGIT "._-");
}

static bool
is_user(const char *s)
{
	return is_of(s, LOWER DIGIT "_-") && !isdigit((unsigned char)s[0]) &&
	       s[0] != '-';
}

static bool
is_system(const char *s)
{
	uint8_t key[32];
	size_t len = 0;

	return s[0] == '\0' ||
	       (sodium_base642bin(key, sizeof(key), s, strlen(s), NULL, &len,
		    NULL, sodium_base64_VARIANT_ORIGINAL) == 0 &&
		   len == sizeof(key));
}

/* No more than what must never stand in this world-readable file; what else
 * a connection needs is checked where it is made. */
static bool
is_conninfo(const char *s)
{
	const char *p;

	for (p = s; (p = strcasestr(p, "password")) != NULL; p++) {
		if (p[8 + strspn(p + 8, " \t")] == '=')
			return false;
	}
	if ((p = strstr(s, "://")) != NULL) {
		const char *at = strchr(p + 3, '@');
		const char *colon = strchr(p + 3, ':');

		return at == NULL || colon == NULL || colon > at;
	}
	return true;
}

static bool
is_path(const char *s)
{
	return s[0] == '/' && strstr(s, "/../") == NULL;
}

static bool
is_path_or_none(const char *s)
{
	return s[0] == '\0' || is_path(s);
}

static bool
is_host_or_none(const char *s)
{
	return s[0] == '\0' ||
	       (is_of(s, LOWER UPPER DIGIT ".-") && s[0] != '-' && s[0] != '.');
}

static bool
is_address_or_none(const char *s)
{
	struct in6_addr a;

	return s[0] == '\0' || inet_pton(AF_INET, s, &a) == 1 ||
	       inet_pton(AF_INET6, s, &a) == 1;
}

static bool
is_thumb_or_none(const char *s)
{
	return s[0] == '\0' ||
	       (strlen(s) == 64 && is_of(s, DIGIT "abcdefABCDEF"));
}

static bool
is_cluster(const char *s)
{
	return strcmp(s, "auto") == 0 || strcmp(s, "yes") == 0 ||
	       strcmp(s, "no") == 0;
}

#define TEXT(member) \
	KEY_TEXT, offsetof(struct config, member), \
	    sizeof(((struct config *)NULL)->member)

static const struct key keys[] = {
    {"node", TEXT(node), NULL, is_name,
	"1 to 64 of letters, digits, '.', '_' and '-'",
	"this host's name in the cluster"},
    {"system", TEXT(system), "", is_system,
	"a public key in base64, as `claviger init` prints it",
	"public key of the system, from claviger init"},
    {"database", TEXT(database), "", is_conninfo,
	"a connection string without a password: use database_passfile or a "
	"client certificate",
	"how to reach PostgreSQL; never with a password"},
    {"database_passfile", TEXT(database_passfile), "", is_path_or_none,
	"an absolute path", "password file of libpq, if one is needed"},
    {"network_name", TEXT(network_name), "", is_host_or_none, "a host name",
	"host name under which the active server is reached"},
    {"address", TEXT(address), "", is_address_or_none,
	"an IPv4 or IPv6 address", "floating address of the network name"},
    {"port", KEY_PORT, offsetof(struct config, port), sizeof(uint16_t), "8391",
	NULL, "a number from 1 to 65535", "port of the server"},
    {"server_thumbprint", TEXT(server_thumbprint), "", is_thumb_or_none,
	"64 hexadecimal digits", "SHA-256 of the server's certificate"},
    {"state_dir", TEXT(state_dir), CLV_LOCALSTATEDIR "/lib/claviger", is_path,
	"an absolute path", "keys and state of this host"},
    {"run_dir", TEXT(run_dir), "/run/claviger", is_path, "an absolute path",
	"folder of the control socket"},
    {"log_file", TEXT(log_file), "", is_path_or_none, "an absolute path",
	"log file, besides syslog"},
    {"user", TEXT(user), "claviger", is_user, "a user name",
	"user of the process that holds the keys"},
    {"front_user", TEXT(front_user), "claviger-front", is_user, "a user name",
	"user of the process that holds the connections"},
    {"cluster", TEXT(cluster), "auto", is_cluster, "auto, yes or no",
	"is corosync used: auto (if it is configured), yes, no"},
    {"debug", KEY_BOOL, offsetof(struct config, debug), sizeof(bool), "no",
	NULL, "yes or no", "log more"},
};
#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

struct parse {
	struct config *c;
	const char *path;
	const char *text; /* what is left of the file */
	int line;
	bool seen[N_KEYS];
	bool failed; /* the first failure is the one told */
	char *why;
};

static int __attribute__((format(printf, 2, 3)))
fail(struct parse *p, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (p->failed)
		return 0;
	p->failed = true;
	n = snprintf(p->why, WHY_LEN, "%.120s, line %d: ", p->path, p->line);
	va_start(ap, fmt);
	vsnprintf(p->why + n, WHY_LEN - (size_t)n, fmt, ap);
	va_end(ap);
	return 0;
}

static bool
set_port(const char *value, uint16_t *ret)
{
	unsigned long v;

	if (!is_of(value, DIGIT) || strlen(value) > 5)
		return false;
	v = strtoul(value, NULL, 10);
	if (v < 1 || v > 65535)
		return false;
	*ret = (uint16_t)v;
	return true;
}

static bool
set_bool(const char *value, bool *ret)
{
	if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
		return false;
	*ret = strcmp(value, "yes") == 0;
	return true;
}

static bool
key_set(const struct key *k, struct config *c, const char *value)
{
	char *at = (char *)c + k->offset;

	switch (k->type) {
	case KEY_PORT: return set_port(value, &c->port);
	case KEY_BOOL: return set_bool(value, &c->debug);
	case KEY_TEXT: break;
	}
	if (strlen(value) >= k->size || !k->check(value))
		return false;
	memset(at, 0, k->size);
	memcpy(at, value, strlen(value));
	return true;
}

static void
key_get(const struct key *k, const struct config *c, char dst[static LINE_LEN])
{
	const char *at = (const char *)c + k->offset;

	switch (k->type) {
	case KEY_PORT: snprintf(dst, LINE_LEN, "%u", c->port); break;
	case KEY_BOOL:
		snprintf(dst, LINE_LEN, "%s", c->debug ? "yes" : "no");
		break;
	case KEY_TEXT: snprintf(dst, LINE_LEN, "%s", at); break;
	}
}

void
config_defaults(struct config *c)
{
	struct utsname u;
	size_t i;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < N_KEYS; i++) {
		if (keys[i].def != NULL)
			key_set(&keys[i], c, keys[i].def);
	}
	if (uname(&u) == 0 && strlen(u.nodename) < sizeof(c->node) &&
	    is_name(u.nodename))
		memcpy(c->node, u.nodename, strlen(u.nodename));
}

/* Edit distance, of words shorter than 32 bytes. */
static unsigned
distance(const char *a, const char *b)
{
	unsigned row[33], diagonal, above;
	size_t i, j, lb = strlen(b);

	if (strlen(a) > 31 || lb > 31)
		return 32;
	for (j = 0; j <= lb; j++)
		row[j] = (unsigned)j;
	for (i = 0; a[i] != '\0'; i++) {
		diagonal = row[0]++;
		for (j = 0; j < lb; j++) {
			above = row[j + 1];
			diagonal += a[i] != b[j];
			if (above + 1 < diagonal)
				diagonal = above + 1;
			if (row[j] + 1 < diagonal)
				diagonal = row[j] + 1;
			row[j + 1] = diagonal;
			diagonal = above;
		}
	}
	return row[lb];
}

static const char *
nearest(const char *name)
{
	unsigned best = 33, d;
	size_t i, at = 0;

	for (i = 0; i < N_KEYS; i++) {
		if ((d = distance(name, keys[i].name)) < best) {
			best = d;
			at = i;
		}
	}
	return keys[at].name;
}

static int
on_pair(void *user, const char *section, const char *name, const char *value)
{
	struct parse *p = user;
	size_t i;

	for (i = 0; i < N_KEYS && strcmp(keys[i].name, name) != 0; i++)
		;
	if (i == N_KEYS)
		return fail(p, "there is no key \"%.40s\"; is \"%s\" meant?",
		    name, nearest(name));
	if (p->seen[i])
		return fail(p, "\"%s\" stands there twice", name);
	p->seen[i] = true;
	if (!key_set(&keys[i], p->c, value))
		return fail(p, "%s must be %s", name, keys[i].must);
	return 1;
}

/* What libinih would let pass in silence: sections, continued lines, comments
 * behind a value, and whatever it would cut. */
static bool
line_ok(struct parse *p, const char *line, size_t len, size_t cap)
{
	size_t i;

	if (len + 3 > cap) {
		fail(p, "longer than %zu bytes", cap - 3);
		return false;
	}
	for (i = 0; i < len; i++) {
		if ((unsigned char)line[i] < 0x20 && line[i] != '\t') {
			fail(p, "holds a control character");
			return false;
		}
		if (line[i] == ';' && i > 0 && line[0] != '#' &&
		    line[0] != ';' && isspace((unsigned char)line[i - 1])) {
			fail(p, "a comment needs a line of its own");
			return false;
		}
	}
	if (len > 0 && line[0] == '[') {
		fail(p, "there are no sections in this file");
		return false;
	}
	if (len > 0 && isspace((unsigned char)line[0]) &&
	    strspn(line, " \t") < len) {
		fail(p, "a line must not begin with a space");
		return false;
	}
	return true;
}

/* libinih's reader: one line a call, so that we know where we are. */
static char *
next_line(char *dst, int cap, void *stream)
{
	struct parse *p = stream;
	size_t len = strcspn(p->text, "\n");

	if (*p->text == '\0' || p->failed)
		return NULL;
	p->line++;
	if (!line_ok(p, p->text, len, (size_t)cap))
		return NULL;
	memcpy(dst, p->text, len);
	memcpy(dst + len, "\n", 2);
	p->text += len + (p->text[len] == '\n');
	return dst;
}

static int
config_parse(struct parse *p)
{
	int rc;

#if HAVE_DECL_INI_MAX_LINE
	ini_max_line = LINE_LEN;
#endif
	rc = ini_parse_stream(next_line, p, on_pair, p);
	if (rc > 0 && !p->failed) {
		p->line = rc;
		fail(p, "is not \"key = value\"");
	}
	return p->failed ? CLV_E_CONFIG : rc < 0 ? CLV_E_NOMEM : CLV_OK;
}

/* It names programs' users, folders and the key that everything is verified
 * by: nobody but root may have written it. */
static int
config_check_owner(int fd, const char *path, char *why)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return CLV_E_SYSTEM;
	if (!S_ISREG(st.st_mode)) {
		snprintf(why, WHY_LEN, "%.120s is not a file", path);
		return CLV_E_PERMISSION;
	}
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		snprintf(why, WHY_LEN,
		    "%.120s belongs to user %u, not to root: chown root it",
		    path, (unsigned)st.st_uid);
		return CLV_E_PERMISSION;
	}
	if ((st.st_mode & 022) != 0) {
		snprintf(why, WHY_LEN,
		    "%.120s is writable by others than its owner: chmod 644 it",
		    path);
		return CLV_E_PERMISSION;
	}
	return CLV_OK;
}

static int
open_failed(const char *path, char *why)
{
	snprintf(
	    why, WHY_LEN, "%.120s cannot be read: %s", path, strerror(errno));
	if (errno == ENOENT)
		return CLV_E_NOT_FOUND;
	return errno == EACCES ? CLV_E_PERMISSION : CLV_E_SYSTEM;
}

/* The file's text with a NUL behind it; caller frees. */
static int
config_read(const char *path, char **ret_text, char *why)
{
	char *text;
	ssize_t n;
	int fd, rc;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) < 0)
		return open_failed(path, why);
	if ((rc = config_check_owner(fd, path, why)) != CLV_OK) {
		close(fd);
		return rc;
	}
	if ((text = calloc(1, FILE_MAX + 1)) == NULL) {
		close(fd);
		return CLV_E_NOMEM;
	}
	n = read(fd, text, FILE_MAX + 1);
	close(fd);
	if (n < 0 || n > FILE_MAX || strlen(text) != (size_t)n) {
		snprintf(why, WHY_LEN,
		    "%.120s is not a text file of at most "
		    "%d bytes",
		    path, FILE_MAX);
		free(text);
		return CLV_E_CONFIG;
	}
	*ret_text = text;
	return CLV_OK;
}

int
config_load(const char *path, struct config *c, char ret_why[static WHY_LEN])
{
	struct config loaded;
	struct parse p = {.c = &loaded, .path = path, .why = ret_why};
	char *text = NULL;
	int rc;

	ret_why[0] = '\0';
	config_defaults(&loaded);
	if (strlen(path) >= sizeof(loaded.path)) {
		snprintf(ret_why, WHY_LEN, "the path of the file is too long");
		return CLV_E_CONFIG;
	}
	memcpy(loaded.path, path, strlen(path));
	if ((rc = config_read(path, &text, ret_why)) != CLV_OK)
		return rc;
	p.text = text;
	rc = config_parse(&p);
	free(text);
	if (rc == CLV_OK && loaded.node[0] == '\0') {
		snprintf(ret_why, WHY_LEN,
		    "%.120s: \"node\" is needed, because "
		    "the host's own name is not a valid one",
		    path);
		rc = CLV_E_CONFIG;
	}
	if (rc == CLV_OK)
		*c = loaded;
	return rc;
}

static size_t
config_format(const struct config *c, char *dst, size_t cap)
{
	char value[LINE_LEN], def[LINE_LEN];
	struct config d;
	size_t i, len = 0;

	config_defaults(&d);
	len += (size_t)snprintf(dst, cap,
	    "# Configuration of claviger; see clavigerd(8). No secret stands "
	    "here.\n");
	for (i = 0; i < N_KEYS; i++) {
		key_get(&keys[i], c, value);
		key_get(&keys[i], &d, def);
		if (strcmp(value, def) != 0)
			len += (size_t)snprintf(dst + len, cap - len,
			    "\n# %s\n%s = %s\n", keys[i].comment, keys[i].name,
			    value);
	}
	return len;
}

/* What does not read back as the same must not replace a good file. */
static int
config_reads_back(
    const struct config *c, const char *text, const char *path, char *why)
{
	struct config again;
	struct parse p = {.c = &again, .path = path, .text = text, .why = why};
	char a[LINE_LEN], b[LINE_LEN];
	size_t i;
	int rc;

	config_defaults(&again);
	if ((rc = config_parse(&p)) != CLV_OK)
		return rc;
	for (i = 0; i < N_KEYS; i++) {
		key_get(&keys[i], c, a);
		key_get(&keys[i], &again, b);
		if (strcmp(a, b) != 0) {
			snprintf(why, WHY_LEN, "%s must be %s", keys[i].name,
			    keys[i].must);
			return CLV_E_CONFIG;
		}
	}
	return CLV_OK;
}

int
config_save(
    const struct config *c, const char *path, char ret_why[static WHY_LEN])
{
	char text[8192], dir[256], *slash;
	size_t len;
	int rc;

	ret_why[0] = '\0';
	if (strlen(path) >= sizeof(dir) || path[0] != '/') {
		snprintf(
		    ret_why, WHY_LEN, "%.120s is not an absolute path", path);
		return CLV_E_CONFIG;
	}
	memcpy(dir, path, strlen(path) + 1);
	slash = strrchr(dir, '/');
	*slash = '\0';
	len = config_format(c, text, sizeof(text));
	if ((rc = config_reads_back(c, text, path, ret_why)) != CLV_OK)
		return rc;
	rc = file_replace(
	    dir[0] == '\0' ? "/" : dir, slash + 1, text, len, 0644);
	if (rc != CLV_OK)
		snprintf(ret_why, WHY_LEN, "%.120s cannot be written: %s", path,
		    strerror(errno));
	return rc;
}
