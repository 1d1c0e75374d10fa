/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a file of the original, as claviger import reads it. */
#include "daemon/cli/cli_import.h"
#include "fuzz.h"

static void
look(const struct import_record *r)
{
	const char *reason;
	unsigned i = 0;

	FUZZ_REQUIRE(r->line > 0);
	FUZZ_REQUIRE(r->kind != IMPORT_APP || r->app[0] != '\0');
	FUZZ_REQUIRE(r->kind == IMPORT_MAPPING || r->password == NULL);
	while (import_left_out(r, &i, &reason) != NULL)
		FUZZ_REQUIRE(reason != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct import_record *records = NULL;
	char why[256] = "";
	int r = import_read(fuzz_guard(), data, len, &records, why);

	FUZZ_REQUIRE((r == CLV_OK) == (records != NULL));
	FUZZ_REQUIRE((r == CLV_OK) == (why[0] == '\0'));
	for (struct import_record *at = records; at != NULL; at = at->next)
		look(at);
	import_free(fuzz_guard(), &records);
	FUZZ_REQUIRE(clv_guard_used(fuzz_guard()) == 0);
	return 0;
}
