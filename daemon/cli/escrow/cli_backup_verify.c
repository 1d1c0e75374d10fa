/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "daemon/cli/escrow/cli_reminder.h"

/* What is in a backup: nothing is changed, and no key is shown. */

/* The date of the file: none stands in it. */
static const char *
written(const char *path, char ret[static CLI_DATE])
{
	struct stat st;

	return stat(path, &st) == 0 ? cli_date(st.st_mtime, ret) : "";
}

static int
open_sealed(struct cli *c, const char *path, const char *identity,
    struct clv_keyring **ret)
{
	char why[256] = "";
	uint8_t *sk;
	int r = cli_guard(c);

	if (r != CLV_OK)
		return r;
	sk = clv_guard_get(c->guard, 32);
	if (sk == NULL)
		return cli_fail(c, CLV_E_FULL, NULL, "no locked memory left");
	r = cli_identity_read(c, identity, sk, NULL);
	if (r == CLV_OK) {
		r = clv_backup_read_recovery(c->guard, path, sk, ret, why);
		if (r != CLV_OK)
			r = cli_fail(c, r, "look at the file",
			    "the backup was not opened: %s",
			    why[0] != '\0' ? why : clv_result_text(r));
	}
	clv_guard_put(c->guard, sk);
	return r;
}

static int
open_it(struct cli *c, const char *path, struct clv_keyring **ret)
{
	const char *identity = cli_opt(c, "identity");

	return identity != NULL ? open_sealed(c, path, identity, ret)
				: cli_backup_open(c, path, NULL, ret);
}

/* What the database keeps for it, "" for nothing. */
static const char *
reminder_of(struct cli *c, const char *path, struct reminder *r)
{
	bool proven;

	if (!cli_reminder_find(c, path, r, &proven) || !proven)
		return "";
	return cli_printable(r->text);
}

static void
print_keyring(
    const struct clv_keyring *k, const char *path, const char *reminder)
{
	char key[CLI_BASE64], id[CLI_UUID], at[64];

	printf("system       %s\n", cli_base64(clv_keyring_sign_pk(k), key));
	printf("system id    %s\n", cli_uuid(clv_keyring_system_id(k), id));
	printf("generations ");
	for (size_t i = 0; i < clv_keyring_count(k); i++)
		printf(" %u", clv_keyring_number(k, i));
	printf("\nwritten      %s\n", written(path, at));
	if (reminder[0] != '\0')
		printf("reminder     %s\n", reminder);
}

static void
json_keyring(const struct clv_keyring *k, const struct clv_list *list,
    bool same_system, const char *path, const char *reminder)
{
	struct cli_json *j = cli_json_new();
	char key[CLI_BASE64], id[CLI_UUID], at[64];

	cli_json_str(j, "system", cli_base64(clv_keyring_sign_pk(k), key));
	cli_json_str(j, "system_id", cli_uuid(clv_keyring_system_id(k), id));
	for (size_t i = 0; i < clv_keyring_count(k); i++)
		cli_json_u64(cli_json_push(j, "generations"), "number",
		    clv_keyring_number(k, i));
	cli_json_str(j, "written", written(path, at));
	cli_json_str(j, "reminder", reminder);
	cli_json_bool(j, "same_system", same_system);
	/* only where a signed list says what is current */
	if (list != NULL)
		cli_json_bool(j, "current", clv_list_prove(list, k) == CLV_OK);
	cli_json_print(j);
}

static void
print_verdict(const struct clv_list *list, bool same_system)
{
	if (!same_system)
		puts("this host    belongs to no system: nothing to compare "
		     "with");
	else if (list != NULL)
		printf("this host    the same system; it opens the current "
		       "generation %u\n",
		    clv_list_current(list)->number);
	else
		puts("this host    the same system; whether it is current is "
		     "not known here");
}

int
cli_backup_verify(struct cli *c)
{
	bool json = cli_opt(c, "json") != NULL;
	bool joined = c->config_result == CLV_OK && c->config.system[0] != '\0';
	struct clv_keyring *k = NULL;
	struct clv_list *list = NULL;
	struct reminder found;
	const char *reminder;
	int r = open_it(c, c->args[0], &k);

	if (r != CLV_OK)
		return r;
	reminder = reminder_of(c, c->args[0], &found);
	if (!json)
		print_keyring(k, c->args[0], reminder);
	if (joined && geteuid() == 0 && config_is_server(&c->config))
		(void)cli_list_get(c, &list);
	if (joined)
		r = cli_keyring_check(c, k, list);
	if (json)
		json_keyring(k, list, joined && r != CLV_E_WRONG_SYSTEM,
		    c->args[0], reminder);
	else if (r == CLV_OK)
		print_verdict(list, joined);
	clv_keyring_free(&k);
	clv_list_free(&list);
	return r;
}
