/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_CONFIG_H
#define CLAVIGERD_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * /etc/claviger/claviger.conf: `key = value` lines, no sections, '#' comments
 * (libinih reads it). Unknown keys, doubled keys and bad values are refused
 * with the line and, for an unknown key, the nearest known one. Owner root,
 * not writable by others. No secret stands in it.
 */
#define CONFIG_PATH CLV_SYSCONFDIR "/claviger/claviger.conf"

#define CONFIG_KEYS_MAX 32

struct config {
	char path[256];
	char role[8];	 /* server | member; see config_is_server() */
	char node[65];	 /* this host's name; default: nodename */
	char system[64]; /* system public key, base64; "" before init/join */
	char database[1024]; /* conninfo without a password; "" on a member */
	char database_passfile[256];
	uint32_t database_connections; /* of the lane without order */
	char network_name[254];
	char address[46]; /* floating address; "" on a member: resolve name */
	uint16_t port;	  /* 8391 */
	char server_thumbprint[65]; /* hex; a member's pin of the server */
	char state_dir[256];	    /* /var/lib/claviger */
	char run_dir[256];	    /* /run/claviger */
	char log_file[256];	    /* "" : syslog only */
	char user[33];		    /* keeper: claviger */
	char front_user[33];	    /* front: claviger-front */
	uint32_t refresh_interval;  /* s, of a member; every node is one */
	char cache[8];		    /* none | sealed */
	uint32_t cache_max_age;	    /* s */
	uint32_t reencrypt_rate;    /* records a second, 0: no bound */
	bool encrypt_when_away;
	bool
	    enforce_expiry; /* an ended certificate is refused, pinned or not */
	/* of `claviger backup --scheduled` */
	char backup_to[1024];	  /* directories joined by ',' */
	char backup_command[512]; /* gets the file at its standard input */
	uint32_t backup_interval; /* s */
	uint32_t backup_keep;	  /* files in each directory */
	char backup_passphrase_file[256];
	char on_event[512]; /* a command line: tell.c */
	char cluster[8];    /* auto (corosync.conf exists) | yes | no */
	bool debug;
	uint32_t lines[CONFIG_KEYS_MAX]; /* config_line() */
};

void config_defaults(struct config *c);
/* A server node: without a database no host is one. */
bool config_is_server(const struct config *c);
/* CLV_E_CONFIG with the sentence in ret_why[256]; CLV_E_NOT_FOUND;
 * CLV_E_PERMISSION. */
int config_load(const char *path, struct config *c, char ret_why[static 256]);
/* The line of the file that says so, 0: it is the default. */
uint32_t config_line(const struct config *c, const char *key);
/* Write atomically (temporary file, fsync, rename, fsync directory), only keys
 * that differ from the defaults, with a comment line each. */
int config_save(
    const struct config *c, const char *path, char ret_why[static 256]);

/* What a daemon may take while it runs, out of a file that was changed. */
void config_take_live(struct config *c, const struct config *from);
/* As config_save() writes it, and back. The text's length without its NUL; it
 * is always shorter than CONFIG_TEXT_MAX. */
#define CONFIG_TEXT_MAX 8192
size_t config_text(const struct config *c, char ret[static CONFIG_TEXT_MAX]);
int config_from_text(
    const char *text, struct config *c, char ret_why[static 256]);

/* File names under state_dir:
 *   identity   node identity (lib identity.h), 0400, owner `user`
 *   tls.crt    own certificate, PEM, 0444      tls.key  0400 owner `user`
 *   tls.next   both of the next one, 0400
 *   state      epochs and versions seen (daemon/base/state.h), and state.bak
 *   list       newest signed list, as verified
 */

#endif
