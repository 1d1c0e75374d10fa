/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGER_CLI_H
#define CLAVIGER_CLI_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <claviger/backup.h>
#include <claviger/buf.h>
#include <claviger/guard.h>
#include <claviger/identity.h>
#include <claviger/list.h>
#include <claviger/result.h>
#include <claviger/store.h>
#include "agents/control.h"
#include "daemon/base/config.h"
#include "daemon/base/machine.h"
#include "daemon/base/identity_cred.h"

/*
 * The command. A verb is one row of a table that drives dispatch, option
 * parsing and help alike; it runs once and returns a result, which becomes the
 * exit status by clv_result_exit().
 */
#define CLI_OPTS_MAX 16
#define CLI_TIMEOUT_MS 10000	   /* one question to a daemon or database */
#define CLI_ADMIN_TIMEOUT_MS 60000 /* waits for every live node */

struct cli_opt {
	const char *name; /* long option, NULL ends the table */
	const char *arg;  /* what its value is called; NULL: a flag */
	const char *help;
	bool required;
};

enum cli_need {
	CLI_NEED_ROOT = 1 << 0,
	CLI_NEED_CONFIG = 1 << 1, /* a configuration that can be read */
	CLI_NEED_SYSTEM = 1 << 2, /* ... and that names a system */
	CLI_NEED_SERVER = 1 << 3, /* ... of which this host is a server node */
	CLI_NEED_ADMIN = 1 << 4	  /* of root all of the above, of nobody else:
				   * the local API decides */
};

struct cli;
struct cli_json;
struct cli_verb {
	const char *name; /* one word or two */
	const char
	    *args; /* positional arguments, as the usage line shows them */
	const char *what; /* one line */
	const struct cli_opt *opts;
	unsigned args_min, args_max;
	unsigned needs; /* enum cli_need */
	int (*run)(struct cli *c);
};
extern const struct cli_verb cli_verbs[]; /* ends with name NULL */

struct cli_failure {
	char text[700];
	char next[500];
};

struct cli {
	const char *path;   /* configuration file */
	const char *daemon; /* clavigerd, for a transient one */
	const struct cli_verb *verb;
	struct config config;
	int config_result; /* of reading it */
	char config_why[256];
	struct clv_guard *guard;
	const char *value[CLI_OPTS_MAX]; /* by position in verb->opts */
	char **args;
	unsigned arg_count;
	bool asked_active; /* and that was told */
	bool quiet; /* what fails is asked again, and not said each time */
	struct cli_failure *kept; /* what fails comes here, and is not said */
};

/* cli_main.c. Is everything there (enum cli_need)? Says what is not. */
int cli_need(const struct cli *c, unsigned needs);

/* cli_opt.c: verbs and their options. */
const struct cli_verb *cli_verb_find(int argc, char **argv, int *ret_words);
int cli_opt_parse(struct cli *c, int argc, char **argv);
/* Value of an option of this verb ("" for a flag that is set), or NULL. */
const char *cli_opt(const struct cli *c, const char *name);
void cli_help(FILE *f);
void cli_verb_help(FILE *f, const struct cli_verb *v);

/* cli_util.c. A failure is a sentence on stderr: what failed and why, then
 * `next` on a line of its own: what to do. NULL: what is usual for this
 * result; "": said already. Returns result. */
int cli_fail(const struct cli *c, int result, const char *next, const char *fmt,
    ...) __attribute__((format(printf, 4, 5)));
void cli_warn(const struct cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Progress: only when stderr is a terminal. */
void cli_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int cli_guard(struct cli *c); /* makes c->guard once; says why not */
/* 64 hex digits, plain or as pairs with colons; 32 bytes of base64. */
int cli_thumb_parse(const char *text, uint8_t ret[static 32]);
int cli_key_parse(const char *text, uint8_t ret[static 32]);
#define CLI_HEX 65
#define CLI_BASE64 45
#define CLI_UUID 37
const char *cli_hex(const uint8_t *p, char ret[static CLI_HEX]); /* of 32 B */
const char *cli_base64(const uint8_t *p, char ret[static CLI_BASE64]);
const char *cli_uuid(const uint8_t *p, char ret[static CLI_UUID]); /* 16 B */
int cli_number_parse(
    const char *text, uint32_t min, uint32_t max, uint32_t *ret);
/* "3 days", "2 hours": the larger unit alone. */
const char *cli_age_text(uint64_t age_s, char *dst, size_t cap);
/* system_pk of the configuration; says why not. */
int cli_system_pk(const struct cli *c, uint8_t ret[static CLV_SIGN_PK_LEN]);
/* Text that another host chose, made fit for a terminal, in place. */
char *cli_printable(char *text);

/* cli_pass.c: passphrases, in guarded memory. */
enum cli_pass_use { CLI_PASS_READ, CLI_PASS_WRITE };
#define CLI_PASS_LEN_MAX 1024
#define CLI_PASS_OPTS \
	{"passphrase-file", "FILE", \
	    "read the passphrase from this file, which " \
	    "only its owner may read", \
	    false}, \
	{ \
		"passphrase-fd", "N", \
		    "read the passphrase from this descriptor", false \
	}
int cli_passphrase(struct cli *c, enum cli_pass_use use, char **ret);
/* One line from the terminal, without echo. */
int cli_ask(struct cli *c, const char *prompt, char **ret);
int cli_ask_openly(struct cli *c, const char *prompt, char **ret); /* with */
/* The rules for a file: regular or a pipe, only its owner may read it. */
int cli_pass_file(struct clv_guard *guard, const char *path, char **ret,
    char ret_why[static 256]);
/* The same of any lines; "-" is standard input. */
#define CLI_LINES_LEN_MAX 8192
int cli_pass_lines(struct clv_guard *guard, const char *path, char **ret,
    char ret_why[static 256]);

/* cli_file.c: files of this host. */
#define CLI_UNDO_MAX 14
struct cli_undo { /* what a failure takes away again, newest first */
	char path[CLI_UNDO_MAX][320];
	bool is_dir[CLI_UNDO_MAX];
	size_t n;
	void *config_was; /* content of a configuration that was replaced */
	size_t config_was_len;
};
void cli_undo_add(struct cli_undo *u, const char *path, bool is_dir);
/* After a failure, and after success: one of the two. */
void cli_undo_run(struct cli *c, struct cli_undo *u);
void cli_undo_forget(struct cli_undo *u);
/* Act as the service's user, so that its files get their owner and root
 * follows no link which that user planted. */
int cli_become(struct cli *c, const struct config *config);
void cli_unbecome(void);
/* State directory: made if missing, and held (flock) against a second init or
 * join on this host until *ret_fd is closed. */
int cli_state_dir(struct cli *c, const struct config *config,
    struct cli_undo *undo, int *ret_fd);
int cli_state_put(struct cli *c, const struct config *config, const char *name,
    const void *p, size_t len, unsigned mode, struct cli_undo *undo);
int cli_config_put(
    struct cli *c, const struct config *config, struct cli_undo *undo);
/* cli_pin.c: the key by which this host verifies, when it is not `system`. */
int cli_pin_put(struct cli *c, const struct config *config,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct cli_undo *undo);
/* cli_member.c: names of members that are not live, or may not be, with ", "
 * between; caller frees. */
int cli_members_away(struct cli *c, const struct clv_list *list, char **ret);
/* A small file that the operator named; caller frees. CLV_E_FULL: larger. */
int cli_file_read(
    struct cli *c, const char *path, size_t max, void **ret_p, size_t *ret_len);
/* A small file that others read, made or replaced as a whole, in a directory
 * into which nobody else can write. Says why not. */
int cli_file_put(
    struct cli *c, const char *path, const void *p, size_t len, unsigned mode);

int cli_passfile_check(struct cli *c, const struct config *config);
int cli_absolute(struct cli *c, const char *path, char *dst, size_t cap);

/* cli_tool.c: what a tool of the cluster prints; whoever calls bounds it by
 * ret->max. CLV_E_NOT_FOUND: there is no such tool here. CLV_E_NO_SERVER: its
 * exit status is not 0. CLV_E_TIMEOUT: it was ended. */
int cli_tool_read(
    const char *const argv[], unsigned within_ms, struct clv_buf *ret);

/* cli_host.c: this host's identity and certificate. */
struct cli_host {
	struct clv_identity *id;
	struct clv_buf cert, key; /* DER */
	struct clv_party party;
};
void cli_host_init(struct cli_host *h);
void cli_host_fini(struct cli_host *h);
int cli_host_make(
    struct cli *c, const char *name, const char *address, struct cli_host *h);
int cli_host_load(struct cli *c, struct cli_host *h);
/* The identity alone. ret_why: of a sealed one, else "". */
int cli_host_identity(struct cli *c, struct clv_identity **ret,
    char ret_why[static IDENTITY_CRED_WHY_LEN]);
/* With the marks of this machine (machine.h). */
int cli_host_save(struct cli *c, const struct config *config,
    const struct cli_host *h, struct cli_undo *undo);
int cli_host_mark(struct cli *c, const struct config *config,
    const struct machine_marks *marks, struct cli_undo *undo);

/* cli_net.c: names and addresses. */
int cli_address_parse(const char *text, char ret[static 46]);
int cli_host_name_check(const char *name);
/* Its addresses, as text: "10.0.0.1, 10.0.0.2". */
int cli_net_look_up(struct cli *c, const char *name, char *dst, size_t cap);
int cli_net_resolves(struct cli *c, const char *name, const char *address);
int cli_net_free(struct cli *c, const char *address);
bool cli_net_is_local(const char *address);
/* Is it up: here, or where it answers a ping in that time? */
bool cli_net_answers(const char *address, int wait_ms);

/* cli_ctl.c: the local daemon. CLV_E_NO_SERVER when none runs. */
struct cli_reply {
	size_t len;
	uint8_t body[CTL_MSG_MAX];
};
int cli_ctl(const struct cli *c, enum ctl_op op, const void *body, size_t len,
    struct cli_reply *reply, int timeout_ms);
/* A question was put at the terminal, and `want` is what goes on; else
 * CLV_E_CANCELLED, and it is said that nothing was `done` ("changed"). */
int cli_typed(const struct cli *c, const char *want, const char *done);
/* The whole of it: --yes, or yes to `question`; without a terminal it is said
 * what would be done, CLV_E_DENIED. */
int cli_confirm(const struct cli *c, const char *would, const char *question);
/* In UTC, as ISO 8601 has it; "unknown" when it is none. */
#define CLI_DATE 32
const char *cli_date(int64_t t, char ret[static CLI_DATE]);
/* The configuration that the daemon here goes by. */
int cli_running_config(const struct cli *c, struct config *ret);
int cli_ctl_status(const struct cli *c, struct ctl_status *ret);
/* A daemon for this one command, when none runs. */
struct cli_daemon {
	bool started;
	int pid;
	sigset_t signals; /* as they were: an interruption waits for its end */
};
int cli_daemon_start(struct cli *c, struct cli_daemon *d);
int cli_daemon_need(struct cli *c, struct cli_daemon *d); /* unless one runs */
void cli_daemon_stop(struct cli *c, struct cli_daemon *d);
/* What must be taken away again first: an interruption waits. */
void cli_signals_hold(sigset_t *ret_was);
void cli_signals_release(const sigset_t *was);

/* cli_list.c: the newest signed list known here, verified: the daemon's, or
 * the file when none runs. Silent; cli_list_need() says why not. */
int cli_list_get(struct cli *c, struct clv_list **ret);
int cli_list_need(struct cli *c, struct clv_list **ret);

/* cli_database.c. */
int cli_db_open(struct cli *c, const char *conninfo, const char *passfile,
    bool owner, struct clv_store **ret);
int cli_db_run(struct cli *c, struct clv_store *s, enum clv_stmt stmt,
    const struct clv_param *params, size_t n);
/* Is there a system, of this program's schema? */
int cli_db_hello(struct cli *c, struct clv_store *s);
int cli_db_check(struct cli *c, const char *option, const char *conninfo);

/* cli_wire.c: the server port. */
struct clv_wire_answer;
struct cli_wire {
	struct cli_host host;
	struct clv_list *list; /* NULL on a member */
	struct tls_client *tls;
	char server[254];
	uint8_t system_pk[CLV_SIGN_PK_LEN];
	uint8_t system_id[CLV_SYSTEM_ID_LEN];
	uint64_t seen_epoch, seen_list;
	uint32_t seen_generation;
};
int cli_wire_open(struct cli *c, struct cli_wire *w);
void cli_wire_close(struct cli_wire *w);
struct cli_question {
	uint8_t op;
	const uint8_t *challenge; /* 32 B or NULL */
	const void *evidence;
	size_t evidence_len;
	const void *payload;
	size_t payload_len;
};
/* ret_body holds what the answer borrows. Says why not. */
int cli_wire_ask(struct cli *c, struct cli_wire *w,
    const struct cli_question *q, struct clv_buf *ret_body,
    struct clv_wire_answer *ret);

/* cli_admin.c: a request to whichever node may do it. */
struct cli_answer {
	int result;
	char text[512];
	char late[1024];
	struct clv_buf data;
};
void cli_admin_begin(struct clv_buf *b, uint8_t op);
/* Does it, warns of late nodes, and on failure says what `what` (an infinitive
 * phrase) could not be done and why. */
int cli_admin(struct cli *c, const struct clv_buf *request, const char *what,
    struct cli_answer *ret);
/* The same without a word; the answer's result is the one that is returned. */
int cli_admin_quietly(
    struct cli *c, const struct clv_buf *request, struct cli_answer *ret);
/* The same for a change of which the answer says in a sentence what was done:
 * prints that, or with --json `j` with "message" and "late" added. Frees
 * request and j. */
int cli_admin_change(struct cli *c, struct clv_buf *request, const char *what,
    struct cli_json *j);
/* "late": an array of the nodes that fetch the change when they are back. */
void cli_answer_late(const struct cli_answer *a, struct cli_json *j);
void cli_late_json(struct cli_json *j, const char *late);
/* Of the local daemon alone, silent; ret was made by
 * cli_answer_init(). */
int cli_admin_local(
    const struct cli *c, const struct clv_buf *request, struct cli_answer *ret);
/* ... or by the local API, for whoever is not root. */
int cli_admin_here(
    struct cli *c, const struct clv_buf *request, struct cli_answer *ret);
/* ... and then, of root, by the active server; no daemon is started. */
int cli_admin_look(
    struct cli *c, const struct clv_buf *request, struct cli_answer *ret);
/* As daemon/admin/admin.h has it, into one that was initialised. */
int cli_answer_read(const void *p, size_t len, struct cli_answer *ret);
void cli_answer_init(struct cli_answer *a);
void cli_answer_fini(struct cli_answer *a);

/* cli_backup.c, also for init, restore and rotate. */
int cli_backup_path(struct cli *c, const char *path); /* before anything */
int cli_backup_where(struct cli *c, const char *path, char *dst, size_t cap);
int cli_backup_write(struct cli *c, const struct clv_keyring *k,
    const char *path, const char *passphrase);
/* Asks for the passphrase; *ret_passphrase, if it is asked for, is the
 * guard's. */
int cli_backup_open(struct cli *c, const char *path, char **ret_passphrase,
    struct clv_keyring **ret);
/* The same with a passphrase that is known. */
int cli_backup_open_with(struct cli *c, const char *path,
    const char *passphrase, struct clv_keyring **ret);
/* cli_backup_schedule.c: is it named as a schedule names its backups? */
struct dirent;
int cli_backup_is_scheduled(const struct dirent *e);
/* cli_identity.c: of a recovery recipient, into sk, or a node's own file, of
 * which *ret_id, if it is asked for, is what it says. Says why not. */
int cli_identity_read(struct cli *c, const char *path, uint8_t sk[static 32],
    struct clv_identity **ret_id);
/* What the daemon on this host has. */
int cli_keyring_export(struct cli *c, struct clv_keyring **ret);
int cli_keyring_try(struct cli *c, struct clv_keyring **ret); /* silent */
/* Is it of this host's system and, when there is a list, current? */
#define CLI_STALE_NEXT \
	"use a newer copy; claviger status names the newest backup. If none " \
	"is left anywhere, claviger restore --older --dry-run says what is " \
	"lost without"
int cli_keyring_check(
    struct cli *c, const struct clv_keyring *k, const struct clv_list *list);

/* cli_record.c: a backup that was written and opened again counts when the
 * database has a record of it, signed by the system: which generation, where
 * (cli_backup_where()), when. True when it has. Without one the backup is good
 * all the same: that is only warned of. */
bool cli_record_backup(struct cli *c, uint32_t generation, const char *where);

/* cli_generation.c: enum clv_generation_state in a word. */
const char *cli_generation_state(uint8_t state);

/* The recovery copy beside a backup; false when dst is too short. */
bool cli_backup_beside(const char *path, char *dst, size_t cap);

/* cli_restore.c: give this node the keyring that open() finds. What opened it
 * seals the one that is replaced. */
struct cli_source {
	int (*open)(
	    struct cli *c, struct cli_source *s, struct clv_keyring **ret);
	void *arg;
	char *passphrase; /* the guard's, or NULL, and then */
	uint8_t pk[32];	  /* that recipient */
	bool bare;	  /* this host is of no system yet */
	bool older;	  /* than what was seen, which is given up; --backup */
};
int cli_restore_from(struct cli *c, struct cli_source *source);
/* cli_restore_source.c: a node's copy in the database. Says why not. */
int cli_restore_open_sealed(
    struct cli *c, const struct clv_identity *id, struct clv_keyring **ret);
/* cli_join.c: a server node of the system of that key, with --node, and the
 * database of the configuration in memory. */
int cli_join_by_keyring(struct cli *c, const uint8_t pk[static 32]);

/* cli_json.c: the only file that knows json-c. */
struct cli_json *cli_json_new(void);
void cli_json_str(struct cli_json *j, const char *key, const char *value);
void cli_json_u64(struct cli_json *j, const char *key, uint64_t value);
void cli_json_bool(struct cli_json *j, const char *key, bool value);
void cli_json_array(struct cli_json *j, const char *key); /* maybe empty */
/* An object at the end of array `key`; borrowed from j. */
struct cli_json *cli_json_push(struct cli_json *j, const char *key);
void cli_json_u64_push(struct cli_json *j, const char *key, uint64_t value);
void cli_json_str_push(struct cli_json *j, const char *key, const char *value);
int cli_json_print(struct cli_json *j);		  /* and frees it */
void cli_json_write(struct cli_json *j, FILE *f); /* likewise */
int cli_json_print_line(struct cli_json *j);	  /* the same in one line */
/* Values of an object first, as text; then, of each array, begin, what is in
 * the object, end. */
struct cli_json_walker {
	void (*value)(void *arg, const char *key, const char *value);
	void (*begin)(void *arg, const char *key);
	void (*end)(void *arg);
};
void cli_json_walk(
    const struct cli_json *j, const struct cli_json_walker *w, void *arg);
void cli_json_free(struct cli_json *j);

/* cli_xml.c: the same as XML, in an element of that name. CLV_E_NOMEM */
int cli_xml_print(const char *name, const struct cli_json *j);

/* cli_app_remove.c: how much there is in an application, out of the answer to
 * ADMIN_APP_COUNT. */
struct cli_counts {
	uint64_t secrets, versions;
};
int cli_counts_read(const struct cli_answer *a, struct cli_counts *ret);

/* cli_app.c. Says why not. */
int cli_app_check_name(struct cli *c, const char *name);
/* One subject, or an access list, as people write them: NAME alone
 * is user:NAME. Says why not. */
#define CLI_SUBJECT_MAX (CLV_SUBJECT_MAX + 8)
int cli_subject_parse(
    struct cli *c, const char *text, char ret[static CLI_SUBJECT_MAX]);
int cli_acl_parse(
    struct cli *c, const char *text, char ret[static CLV_ACL_MAX]);

/* cli_token.c: join tokens that are outstanding; j NULL: a table, or nothing.
 */
void cli_tokens_print(const struct clv_list *list, struct cli_json *j);

int cli_main(int argc, char **argv);

int cli_init(struct cli *c);
int cli_join(struct cli *c);
int cli_status(struct cli *c);
int cli_doctor(struct cli *c);
int cli_metrics(struct cli *c);
int cli_backup(struct cli *c);
int cli_backup_scheduled(struct cli *c);
int cli_backup_verify(struct cli *c);
int cli_restore(struct cli *c);
int cli_recovery_create(struct cli *c);
int cli_recovery_recipient(struct cli *c);
int cli_recovery_combine(struct cli *c);
int cli_escrow_list(struct cli *c);
int cli_escrow_verify(struct cli *c);
int cli_drill_failover(struct cli *c);
int cli_drill_restore(struct cli *c);
int cli_designate(struct cli *c);
int cli_node_list(struct cli *c);
int cli_node_approve(struct cli *c);
int cli_node_revoke(struct cli *c);
int cli_member_add(struct cli *c);
int cli_member_list(struct cli *c);
int cli_cert_show(struct cli *c);
int cli_cert_rotate(struct cli *c);
int cli_cert_use(struct cli *c);
int cli_member_scope(struct cli *c);
int cli_member_token(struct cli *c);
int cli_member_revoke(struct cli *c);
int cli_app_add(struct cli *c);
int cli_app_list(struct cli *c);
int cli_app_show(struct cli *c);
int cli_app_grant(struct cli *c);
int cli_app_revoke(struct cli *c);
int cli_app_remove(struct cli *c);
int cli_settings_show(struct cli *c);
int cli_settings_check(struct cli *c);
int cli_settings_pin(struct cli *c);
int cli_settings_reload(struct cli *c);
int cli_settings_set(struct cli *c);
int cli_settings_upgrade(struct cli *c);
int cli_settings_password(struct cli *c);
int cli_rotate(struct cli *c);
int cli_generation_list(struct cli *c);
int cli_generation_destroy(struct cli *c);
int cli_audit_list(struct cli *c);
int cli_audit_verify(struct cli *c);
int cli_fetch(struct cli *c);
int cli_identity_adopt(struct cli *c);
int cli_identity_seal(struct cli *c);
int cli_identity_unseal(struct cli *c);
int cli_complete(struct cli *c);
int cli_cluster_commands(struct cli *c);
int cli_cluster_dns(struct cli *c);

#endif
