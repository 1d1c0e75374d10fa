/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <unistd.h>
#include "daemon/cli/cli.h"
#include "daemon/base/system_pin.h"

/*
 * By which key of the system this host verifies, when that is another one than
 * its configuration has: clavigerd follows by itself; join has verified it, and
 * claviger settings pin is told it, by somebody who knows it for certain.
 */
#define FILE_NAME "successor"

int
cli_pin_put(struct cli *c, const struct config *config,
    const uint8_t pk[static CLV_SIGN_PK_LEN], struct cli_undo *undo)
{
	char path[320];
	int r = cli_become(c, config);

	if (r != CLV_OK)
		return r;
	snprintf(path, sizeof(path), "%s/" FILE_NAME, config->state_dir);
	cli_undo_add(undo, path, false);
	r = system_pin_save(config, pk);
	cli_unbecome();
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r, "look at the disk and at the folder's owner",
	    "%s cannot be written: %s", path, clv_result_text(r));
}

/* What runs goes by the key that it has, and may write the file once more. */
static int
check_stopped(struct cli *c)
{
	struct ctl_status st;

	if (cli_ctl_status(c, &st) != CLV_OK)
		return CLV_OK;
	return cli_fail(c, CLV_E_BUSY,
	    "systemctl stop clavigerd, then repeat the command, then start it",
	    "clavigerd runs on this host");
}

static int
pin(struct cli *c, const uint8_t pk[static CLV_SIGN_PK_LEN])
{
	int fd = -1, r = cli_state_dir(c, &c->config, NULL, &fd);

	if (r == CLV_OK)
		r = check_stopped(c);
	if (r == CLV_OK)
		r = cli_pin_put(c, &c->config, pk, NULL);
	if (fd >= 0)
		close(fd);
	return r;
}

int
cli_settings_pin(struct cli *c)
{
	uint8_t pk[CLV_SIGN_PK_LEN], was[CLV_SIGN_PK_LEN];
	char key[CLI_BASE64], before[CLI_BASE64];
	struct cli_json *j;
	int r;

	if (cli_key_parse(c->args[0], pk) != CLV_OK)
		return cli_fail(c, CLV_E_INVALID,
		    "copy the 44 characters that claviger rotate --signing-key "
		    "printed",
		    "'%s' is not the public key of a system", c->args[0]);
	r = cli_system_pk(c, was);
	if (r == CLV_OK)
		r = pin(c, pk);
	if (r != CLV_OK)
		return r;
	cli_base64(pk, key);
	cli_base64(was, before);
	if (cli_opt(c, "json") == NULL) {
		printf("this host believes what is signed by %s\n"
		       "before it was         %s\n"
		       "Then here:\n  systemctl start clavigerd\n",
		    key, before);
		return CLV_OK;
	}
	j = cli_json_new();
	cli_json_str(j, "system", key);
	cli_json_str(j, "system_before", before);
	return cli_json_print(j);
}
