/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <config.h>

#include <string.h>

#include <claviger/result.h>

#include "daemon/base/log.h"
#include "daemon/keeper/secret_impl.h"
#include "daemon/base/state.h"
#include "daemon/base/system_pin.h"

/*
 * The signing key changes with the signed list that the new one has signed:
 * whoever takes that list into force signs by it from then on, and verifies
 * what it has signed, and nothing that the one before signs after that.
 */

bool
secret_signs(const struct keeper *k)
{
	return memcmp(clv_keyring_sign_pk(k->secret.keyring), k->system_pk,
		   CLV_SIGN_PK_LEN) == 0;
}

/* Its chain was verified from our key on. */
static void
pin(struct keeper *k, const uint8_t pk[static CLV_SIGN_PK_LEN])
{
	int r = system_pin_save(k->config, pk);

	if (r != CLV_OK) /* the list on disk leads there again */
		log_error("%s/successor cannot be written: %s",
		    k->config->state_dir, file_why(r));
	memcpy(k->system_pk, pk, sizeof(k->system_pk));
	log_notice("the system signs by a new key, which the one before has "
		   "named");
}

void
secret_follow(struct keeper *k)
{
	const struct clv_list *list = k->secret.list;

	if (memcmp(k->system_pk, list->sign_pk, sizeof(k->system_pk)) != 0)
		pin(k, list->sign_pk);
	if (k->secret.keyring == NULL || secret_signs(k))
		return;
	if (clv_keyring_follow(k->secret.keyring, k->system_pk) != CLV_OK)
		log_notice("the keyring here has not the new signing key: "
			   "this node's sealed copy is opened again");
	else if (k->db.up && k->node_number != 0)
		secret_prove_copy(k);
}

bool
secret_signed_before(const struct keeper *k, const struct clv_keyring *keyring)
{
	const struct clv_list *list = k->secret.list;
	size_t n = list->succession_count;

	return clv_chain_at(
		   list->successions, n, clv_keyring_sign_pk(keyring)) < n;
}
