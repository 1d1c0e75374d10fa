/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <claviger/age.h>
#include "daemon/cli/cli.h"

/* A private key in a file: as age-keygen writes it, or a node's own. */

static int
parse(struct cli *c, char *text, uint8_t sk[static 32],
    struct clv_identity **ret_id)
{
	struct clv_identity *id = NULL;
	char *save = NULL, *line;
	int r = CLV_E_FORMAT;

	if (strncmp(text, "claviger-identity ", 18) == 0) {
		r = clv_identity_parse(c->guard, text, strlen(text), &id);
		if (r == CLV_OK)
			memcpy(sk, id->box_sk, CLV_AGE_KEY_LEN);
		if (r == CLV_OK && ret_id != NULL)
			*ret_id = id;
		else
			clv_identity_free(&id);
		return r;
	}
	for (line = strtok_r(text, "\r\n", &save); line != NULL;
	     line = strtok_r(NULL, "\r\n", &save))
		if (strncmp(line, "AGE-SECRET-KEY-1", 16) == 0)
			r = clv_age_identity_parse(line, sk);
	return r;
}

int
cli_identity_read(struct cli *c, const char *path, uint8_t sk[static 32],
    struct clv_identity **ret_id)
{
	char *text = NULL, why[256] = "";
	int r = cli_pass_lines(c->guard, path, &text, why);

	if (r != CLV_OK)
		return cli_fail(c, r, "look at the file and its mode",
		    "the identity was not read: %s",
		    why[0] != '\0' ? why : clv_result_text(r));
	r = parse(c, text, sk, ret_id);
	clv_guard_put(c->guard, text);
	if (r == CLV_OK)
		return r;
	return cli_fail(c, r,
	    "give a file of age-keygen or recovery combine --identity, or the "
	    "file 'identity' of a server node",
	    "%s holds no identity: %s", path, clv_result_text(r));
}
