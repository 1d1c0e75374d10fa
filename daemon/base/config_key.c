/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include <sodium.h>

#include <claviger/result.h>
#include <claviger/store.h>
#include "daemon/base/config_key.h"

struct config_key;
typedef bool (*check_fn)(const char *value);

struct config_key {
	const char *name;
	enum key_type type;
	size_t offset;
	size_t size;
	const char *def;  /* NULL: the host's own name */
	check_fn check;	  /* NULL: a connection string */
	const char *must; /* "<key> must be <must>" */
	const char *comment;
	uint32_t min, max; /* of a number */
	bool live;	   /* a running daemon takes it */
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

static bool
is_path(const char *s)
{
	const char *up;

	for (up = s; (up = strstr(up, "/..")) != NULL; up++) {
		if (up[3] == '/' || up[3] == '\0')
			return false;
	}
	return s[0] == '/';
}

static bool
is_path_or_none(const char *s)
{
	return s[0] == '\0' || is_path(s);
}

/* Absolute paths joined by ','. */
static bool
is_paths_or_none(const char *s)
{
	char one[256];
	size_t len;

	for (; *s != '\0'; s += len + (s[len] == ',')) {
		len = strcspn(s, ",");
		if (len == 0 || len >= sizeof(one) ||
		    (s[len] == ',' && s[len + 1] == '\0'))
			return false;
		memcpy(one, s, len);
		one[len] = '\0';
		if (!is_path(one))
			return false;
	}
	return true;
}

static bool
is_command(const char *s)
{
	for (; *s != '\0'; s++)
		if (iscntrl((unsigned char)*s))
			return false;
	return true;
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
is_role(const char *s)
{
	return strcmp(s, "server") == 0 || strcmp(s, "member") == 0;
}

static bool
is_cache(const char *s)
{
	return strcmp(s, "none") == 0 || strcmp(s, "sealed") == 0;
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

#define NUMBER(member) \
	KEY_NUMBER, offsetof(struct config, member), sizeof(uint32_t)
#define BOOL(member) KEY_BOOL, offsetof(struct config, member), sizeof(bool)

static const struct config_key keys[] = {
    {"role", TEXT(role), "server", is_role, "server or member",
	"a server node, or a host that only fetches keys"},
    {"node", TEXT(node), NULL, is_name,
	"1 to 64 of letters, digits, '.', '_' and '-'",
	"this host's name in the cluster"},
    {"system", TEXT(system), "", is_system,
	"a public key in base64, as `claviger init` prints it",
	"public key of the system, from claviger init"},
    {"database", TEXT(database), "", NULL, NULL,
	"how to reach PostgreSQL; never with a password"},
    {"database_passfile", TEXT(database_passfile), "", is_path_or_none,
	"an absolute path", "password file of libpq, if one is needed"},
    {"database_connections", NUMBER(database_connections), "4", NULL,
	"a number from 1 to 32", "connections to PostgreSQL at the same time",
	1, 32},
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
    {"refresh_interval", NUMBER(refresh_interval), "60", NULL,
	"a number of seconds from 1 to 3600",
	"seconds between two refreshes of the keys", 1, 3600, .live = true},
    {"cache", TEXT(cache), "none", is_cache, "none or sealed",
	"sealed: keys outlive a restart while the server is away"},
    {"cache_max_age", NUMBER(cache_max_age), "86400", NULL,
	"a number of seconds from 60 to 31536000",
	"seconds after which the sealed cache is worth nothing", 60, 31536000,
	.live = true},
    {"reencrypt_rate", NUMBER(reencrypt_rate), "1000", NULL,
	"a number from 0 to 1000000",
	"records a second that rotate --reencrypt rewrites, 0: no bound", 0,
	1000000, .live = true},
    {"encrypt_when_away", BOOL(encrypt_when_away), "no", NULL, "yes or no",
	"may secrets be written while the server is away", .live = true},
    {"enforce_expiry", BOOL(enforce_expiry), "no", NULL, "yes or no",
	"is a certificate that has ended refused, although it is pinned",
	.live = true},
    {"backup_to", TEXT(backup_to), "", is_paths_or_none,
	"absolute paths of directories, joined by ','",
	"where claviger backup --scheduled writes", .live = true},
    {"backup_command", TEXT(backup_command), "", is_command, "a command line",
	"gets each scheduled backup at its standard input", .live = true},
    {"backup_interval", NUMBER(backup_interval), "86400", NULL,
	"a number of seconds from 600 to 31536000",
	"seconds between two scheduled backups", 600, 31536000, .live = true},
    {"backup_keep", NUMBER(backup_keep), "30", NULL,
	"a number from 1 to 100000", "scheduled backups kept in each directory",
	1, 100000, .live = true},
    {"backup_passphrase_file", TEXT(backup_passphrase_file), "",
	is_path_or_none, "an absolute path",
	"passphrase of scheduled backups; else the recovery recipient's",
	.live = true},
    {"on_event", TEXT(on_event), "", is_command, "a command line",
	"is run when the server goes or comes, with what happened",
	.live = true},
    {"debug", BOOL(debug), "no", NULL, "yes or no", "log more"},
};
_Static_assert(
    sizeof(keys) / sizeof(keys[0]) == CONFIG_N_KEYS, "every key is counted");

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
set_number(const struct config_key *k, const char *value, uint32_t *ret)
{
	unsigned long v;

	if (!is_of(value, DIGIT) || strlen(value) > 9)
		return false;
	v = strtoul(value, NULL, 10);
	if (v < k->min || v > k->max)
		return false;
	*ret = (uint32_t)v;
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

/* "host=x password=y" and the like: the sentence is the store's. */
static bool
check_conninfo(const char *name, const char *value, char *why)
{
	char text[256];

	if (value[0] == '\0' || clv_store_check_conninfo(value, text) == CLV_OK)
		return true;
	snprintf(why, CONFIG_WHY_LEN, "%s must be a connection string: %.200s",
	    name, text);
	return false;
}

bool
config_key_set(const struct config_key *k, struct config *c, const char *value,
    char ret_why[static CONFIG_WHY_LEN])
{
	char *at = (char *)c + k->offset;
	bool ok = false;

	switch (k->type) {
	case KEY_PORT: ok = set_port(value, &c->port); break;
	case KEY_NUMBER:
		ok = set_number(k, value, (uint32_t *)(void *)at);
		break;
	case KEY_BOOL: ok = set_bool(value, (bool *)(void *)at); break;
	case KEY_TEXT:
		if (k->check == NULL &&
		    !check_conninfo(k->name, value, ret_why))
			return false;
		ok = strlen(value) < k->size &&
		     (k->check == NULL || k->check(value));
		break;
	}
	if (!ok) {
		snprintf(ret_why, CONFIG_WHY_LEN, "%s must be %s", k->name,
		    k->must != NULL ? k->must : "shorter");
		return false;
	}
	if (k->type == KEY_TEXT) {
		memset(at, 0, k->size);
		memcpy(at, value, strlen(value));
	}
	return true;
}

enum key_type
config_key_type(const struct config_key *k)
{
	return k->type;
}

bool
config_key_is_live(const struct config_key *k)
{
	return k->live;
}

bool
config_key_same(
    const struct config_key *k, const struct config *a, const struct config *b)
{
	char va[CONFIG_LINE_LEN], vb[CONFIG_LINE_LEN];

	config_key_get(k, a, va);
	config_key_get(k, b, vb);
	return strcmp(va, vb) == 0;
}

void
config_take_live(struct config *c, const struct config *from)
{
	for (const struct config_key *k = keys; k < keys + CONFIG_N_KEYS; k++)
		if (k->live)
			memcpy((char *)c + k->offset,
			    (const char *)from + k->offset, k->size);
}

void
config_key_get(const struct config_key *k, const struct config *c,
    char ret[static CONFIG_LINE_LEN])
{
	const char *at = (const char *)c + k->offset;

	switch (k->type) {
	case KEY_PORT: snprintf(ret, CONFIG_LINE_LEN, "%u", c->port); break;
	case KEY_NUMBER:
		snprintf(ret, CONFIG_LINE_LEN, "%u",
		    *(const uint32_t *)(const void *)at);
		break;
	case KEY_BOOL:
		snprintf(ret, CONFIG_LINE_LEN, "%s",
		    *(const bool *)(const void *)at ? "yes" : "no");
		break;
	case KEY_TEXT: snprintf(ret, CONFIG_LINE_LEN, "%s", at); break;
	}
}

void
config_defaults(struct config *c)
{
	char why[CONFIG_WHY_LEN];
	struct utsname u;
	size_t i;

	memset(c, 0, sizeof(*c));
	for (i = 0; i < CONFIG_N_KEYS; i++) {
		if (keys[i].def != NULL)
			config_key_set(&keys[i], c, keys[i].def, why);
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

const char *
config_key_nearest(const char *name)
{
	unsigned best = 33, d;
	size_t i, at = 0;

	for (i = 0; i < CONFIG_N_KEYS; i++) {
		if ((d = distance(name, keys[i].name)) < best) {
			best = d;
			at = i;
		}
	}
	return keys[at].name;
}

const struct config_key *
config_key_at(size_t i)
{
	return i < CONFIG_N_KEYS ? &keys[i] : NULL;
}

size_t
config_key_index(const struct config_key *k)
{
	return (size_t)(k - keys);
}

const struct config_key *
config_key_find(const char *name)
{
	size_t i;

	for (i = 0; i < CONFIG_N_KEYS; i++) {
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	}
	return NULL;
}

const char *
config_key_name(const struct config_key *k)
{
	return k->name;
}

const char *
config_key_comment(const struct config_key *k)
{
	return k->comment;
}
