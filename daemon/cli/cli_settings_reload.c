/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <time.h>
#include "daemon/cli/cli.h"
#include "daemon/base/config_key.h"

#define POLLS 250
#define POLL_NS 20000000

int
cli_running_config(const struct cli *c, struct config *ret)
{
	struct cli_reply reply;
	char text[CONFIG_TEXT_MAX], why[256];
	struct config is;
	int r = cli_ctl(c, CTL_CONFIG, NULL, 0, &reply, CLI_TIMEOUT_MS);

	if (r != CLV_OK)
		return r;
	if (reply.len >= sizeof(text))
		return CLV_E_PROTOCOL;
	memcpy(text, reply.body, reply.len);
	text[reply.len] = '\0';
	r = config_from_text(text, &is, why);
	if (r == CLV_OK)
		*ret = is;
	return r;
}

/* Of the keys that are changed, those that the daemon takes, or the others. */
static unsigned
count(const struct config *is, const struct config *file, bool live)
{
	const struct config_key *k;
	unsigned n = 0;

	for (size_t i = 0; (k = config_key_at(i)) != NULL; i++)
		n += config_key_is_live(k) == live &&
		     !config_key_same(k, is, file);
	return n;
}

static void
print(const struct cli *c, const struct config *was)
{
	char from[CONFIG_LINE_LEN], to[CONFIG_LINE_LEN];
	const struct config_key *k;
	struct cli_json *j = NULL, *o;

	if (cli_opt(c, "json") != NULL) {
		j = cli_json_new();
		cli_json_array(j, "taken");
		cli_json_array(j, "restart");
	}
	for (size_t i = 0; (k = config_key_at(i)) != NULL; i++) {
		if (config_key_same(k, was, &c->config))
			continue;
		config_key_get(k, was, from);
		config_key_get(k, &c->config, to);
		if (j == NULL) {
			printf("%-22s = %s, was %s%s\n", config_key_name(k),
			    to[0] != '\0' ? to : "none",
			    from[0] != '\0' ? from : "none",
			    config_key_is_live(k)
				? ""
				: ", and is until clavigerd is restarted");
			continue;
		}
		o = cli_json_push(
		    j, config_key_is_live(k) ? "taken" : "restart");
		cli_json_str(o, "key", config_key_name(k));
		cli_json_str(o, "value", to);
		cli_json_str(o, "was", from);
	}
	if (j != NULL)
		cli_json_print(j);
}

/* The file was read when this command began, and nothing is wrong with it. */
int
cli_settings_reload(struct cli *c)
{
	const struct timespec pause = {.tv_nsec = POLL_NS};
	struct cli_reply reply;
	struct config was, is;
	int r = cli_running_config(c, &was);

	if (r == CLV_OK)
		r = cli_ctl(c, CTL_RELOAD, NULL, 0, &reply, CLI_TIMEOUT_MS);
	is = was;
	for (int i = 0; r == CLV_OK && i < POLLS; i++) {
		r = cli_running_config(c, &is);
		if (r != CLV_OK || count(&is, &c->config, true) == 0)
			break;
		nanosleep(&pause, NULL);
	}
	if (r == CLV_OK && count(&is, &c->config, true) > 0)
		r = CLV_E_TIMEOUT;
	if (r != CLV_OK)
		return cli_fail(c, r,
		    r == CLV_E_NO_SERVER
			? "the next clavigerd that starts reads it"
			: "look into the system log for clavigerd's reason",
		    "the running clavigerd did not take the configuration: %s",
		    clv_result_text(r));
	print(c, &was);
	return count(&is, &c->config, false) == 0 ? CLV_OK : CLV_E_LEFT;
}
