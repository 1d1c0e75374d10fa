/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_CONFIG_KEY_H
#define CLAVIGERD_CONFIG_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/base/config.h"

/* The table of keys; for whoever goes through all of them. */

#define CONFIG_WHY_LEN 256
#define CONFIG_LINE_LEN 2048

struct config_key;
enum key_type { KEY_TEXT, KEY_PORT, KEY_NUMBER, KEY_BOOL };
/* NULL when there is none such. */
const struct config_key *config_key_find(const char *name);
/* The i-th, NULL behind the last. */
const struct config_key *config_key_at(size_t i);
size_t config_key_index(const struct config_key *k);
/* The known name most like this one. */
const char *config_key_nearest(const char *name);
const char *config_key_name(const struct config_key *k);
enum key_type config_key_type(const struct config_key *k);
const char *config_key_comment(const struct config_key *k);
/* False, with "<key> must be ..." in ret_why, when the value is refused. */
bool config_key_set(const struct config_key *k, struct config *c,
    const char *value, char ret_why[static CONFIG_WHY_LEN]);
/* Does a running daemon take it (config_take_live)? Others are for the next. */
bool config_key_is_live(const struct config_key *k);
bool config_key_same(
    const struct config_key *k, const struct config *a, const struct config *b);
void config_key_get(const struct config_key *k, const struct config *c,
    char ret[static CONFIG_LINE_LEN]);

#define CONFIG_N_KEYS 29
_Static_assert(CONFIG_N_KEYS <= CONFIG_KEYS_MAX, "each key has its line");

#endif
