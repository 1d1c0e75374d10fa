/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/cli.h"

static const char *
state_name(uint8_t state)
{
	switch ((enum clv_generation_state)state) {
	case CLV_GEN_PENDING: return "pending";
	case CLV_GEN_ESCROWED: return "escrowed";
	case CLV_GEN_BACKED_UP: return "backed-up";
	case CLV_GEN_PUBLISHED: return "published";
	case CLV_GEN_CURRENT: return "current";
	case CLV_GEN_RETIRED: return "retired";
	case CLV_GEN_DESTROYED: return "destroyed";
	}
	return "unknown";
}

int
cli_generation_list(struct cli *c)
{
	bool json = cli_opt(c, "json") != NULL;
	struct cli_json *j = json ? cli_json_new() : NULL;
	struct clv_list *list = NULL;
	char hex[CLI_HEX];
	int r = cli_list_need(c, &list);

	if (r != CLV_OK)
		return r;
	if (!json)
		printf("%10s  %-10s %s\n", "GENERATION", "STATE", "COMMITMENT");
	for (size_t i = 0; i < list->generation_count; i++) {
		const struct clv_list_generation *g = &list->generations[i];
		struct cli_json *o;

		if (!json) {
			printf("%10u  %-10s %s\n", g->number,
			    state_name(g->state), cli_hex(g->commitment, hex));
			continue;
		}
		o = cli_json_push(j, "generations");
		cli_json_u64(o, "number", g->number);
		cli_json_str(o, "state", state_name(g->state));
		cli_json_str(o, "commitment", cli_hex(g->commitment, hex));
	}
	if (json)
		cli_json_print(j);
	clv_list_free(&list);
	return CLV_OK;
}
