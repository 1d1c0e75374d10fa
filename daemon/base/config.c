/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini.h>

#include <claviger/result.h>
#include "daemon/base/config_key.h"
#include "daemon/base/state.h"

#define FILE_MAX 65536

struct parse {
	struct config *c;
	const char *path;
	const char *text; /* what is left of the file */
	int line;
	bool seen[CONFIG_N_KEYS];
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
	n = snprintf(
	    p->why, CONFIG_WHY_LEN, "%.120s, line %d: ", p->path, p->line);
	va_start(ap, fmt);
	vsnprintf(p->why + n, CONFIG_WHY_LEN - (size_t)n, fmt, ap);
	va_end(ap);
	return 0;
}

static int
on_pair(void *user, const char *section, const char *name, const char *value)
{
	struct parse *p = user;
	const struct config_key *k = config_key_find(name);
	char why[CONFIG_WHY_LEN];

	if (k == NULL)
		return fail(p, "there is no key \"%.40s\"; is \"%s\" meant?",
		    name, config_key_nearest(name));
	if (p->seen[config_key_index(k)])
		return fail(p, "\"%s\" stands there twice", name);
	p->seen[config_key_index(k)] = true;
	if (!config_key_set(k, p->c, value, why))
		return fail(p, "%s", why);
	p->c->lines[config_key_index(k)] = (uint32_t)p->line;
	return 1;
}

uint32_t
config_line(const struct config *c, const char *key)
{
	const struct config_key *k = config_key_find(key);

	return k != NULL ? c->lines[config_key_index(k)] : 0;
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
	ini_max_line = CONFIG_LINE_LEN;
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
		snprintf(why, CONFIG_WHY_LEN, "%.120s is not a file", path);
		return CLV_E_PERMISSION;
	}
	if (st.st_uid != 0 && st.st_uid != geteuid()) {
		snprintf(why, CONFIG_WHY_LEN,
		    "%.120s belongs to user %u, not to root: chown root it",
		    path, (unsigned)st.st_uid);
		return CLV_E_PERMISSION;
	}
	if ((st.st_mode & 022) != 0) {
		snprintf(why, CONFIG_WHY_LEN,
		    "%.120s is writable by others than its owner: chmod 644 it",
		    path);
		return CLV_E_PERMISSION;
	}
	return CLV_OK;
}

static int
open_failed(const char *path, char *why)
{
	snprintf(why, CONFIG_WHY_LEN, "%.120s cannot be read: %s", path,
	    strerror(errno));
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
		snprintf(why, CONFIG_WHY_LEN,
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
config_load(
    const char *path, struct config *c, char ret_why[static CONFIG_WHY_LEN])
{
	struct config loaded;
	struct parse p = {.c = &loaded, .path = path, .why = ret_why};
	char *text = NULL;
	int rc;

	ret_why[0] = '\0';
	config_defaults(&loaded);
	if (strlen(path) >= sizeof(loaded.path)) {
		snprintf(ret_why, CONFIG_WHY_LEN,
		    "the path of the file is too long");
		return CLV_E_CONFIG;
	}
	memcpy(loaded.path, path, strlen(path));
	if ((rc = config_read(path, &text, ret_why)) != CLV_OK)
		return rc;
	p.text = text;
	rc = config_parse(&p);
	free(text);
	if (rc == CLV_OK && loaded.node[0] == '\0') {
		snprintf(ret_why, CONFIG_WHY_LEN,
		    "%.120s: \"node\" is needed, because "
		    "the host's own name is not a valid one",
		    path);
		rc = CLV_E_CONFIG;
	}
	if (rc == CLV_OK)
		*c = loaded;
	return rc;
}

bool
config_is_server(const struct config *c)
{
	return strcmp(c->role, "server") == 0 && c->database[0] != '\0';
}

/* The node's name is the system's from then on, whatever becomes of the host's.
 */
static bool
is_saved(const struct config *c, const struct config_key *k)
{
	return c->system[0] != '\0' && strcmp(config_key_name(k), "node") == 0;
}

size_t
config_text(const struct config *c, char dst[static CONFIG_TEXT_MAX])
{
	const size_t cap = CONFIG_TEXT_MAX;
	char value[CONFIG_LINE_LEN], def[CONFIG_LINE_LEN];
	const struct config_key *k;
	struct config d;
	size_t i, len = 0;

	config_defaults(&d);
	len += (size_t)snprintf(dst, cap,
	    "# Configuration of claviger; see clavigerd(8). No secret stands "
	    "here.\n");
	for (i = 0; (k = config_key_at(i)) != NULL; i++) {
		config_key_get(k, c, value);
		config_key_get(k, &d, def);
		if (strcmp(value, def) != 0 || is_saved(c, k))
			len += (size_t)snprintf(dst + len, cap - len,
			    "\n# %s\n%s = %s\n", config_key_comment(k),
			    config_key_name(k), value);
	}
	return len;
}

int
config_from_text(
    const char *text, struct config *c, char ret_why[static CONFIG_WHY_LEN])
{
	struct parse p = {
	    .c = c, .path = "clavigerd", .text = text, .why = ret_why};

	ret_why[0] = '\0';
	config_defaults(c);
	return config_parse(&p);
}

/* What does not read back as the same must not replace a good file. */
static int
config_reads_back(
    const struct config *c, const char *text, const char *path, char *why)
{
	struct config again;
	struct parse p = {.c = &again, .path = path, .text = text, .why = why};
	const struct config_key *k;
	size_t i;
	int rc;

	config_defaults(&again);
	if ((rc = config_parse(&p)) != CLV_OK)
		return rc;
	for (i = 0; (k = config_key_at(i)) != NULL; i++) {
		if (!config_key_same(k, c, &again)) {
			snprintf(why, CONFIG_WHY_LEN,
			    "%s would not read back as it is",
			    config_key_name(k));
			return CLV_E_CONFIG;
		}
	}
	return CLV_OK;
}

int
config_save(const struct config *c, const char *path,
    char ret_why[static CONFIG_WHY_LEN])
{
	char text[CONFIG_TEXT_MAX], dir[256], *slash;
	size_t len;
	int rc;

	ret_why[0] = '\0';
	if (strlen(path) >= sizeof(dir) || path[0] != '/') {
		snprintf(ret_why, CONFIG_WHY_LEN,
		    "%.120s is not an absolute path", path);
		return CLV_E_CONFIG;
	}
	memcpy(dir, path, strlen(path) + 1);
	slash = strrchr(dir, '/');
	*slash = '\0';
	len = config_text(c, text);
	if ((rc = config_reads_back(c, text, path, ret_why)) != CLV_OK)
		return rc;
	rc = file_replace(
	    dir[0] == '\0' ? "/" : dir, slash + 1, text, len, 0644);
	if (rc != CLV_OK)
		snprintf(ret_why, CONFIG_WHY_LEN,
		    "%.120s cannot be written: %s", path, strerror(errno));
	return rc;
}
