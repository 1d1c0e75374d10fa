/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library's SLIP-39 for slip39-interop.sh; what is secret here is not so:
 *
 *	slip39-tool split EXTENDABLE EXPONENT PASSPHRASE HEX NEEDED K/N...
 *	                                a line each share: group, words
 *	slip39-tool combine PASSPHRASE  a line each share, from stdin: the HEX
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include <claviger/slip39.h>

static struct clv_guard *guard;

static void
must(int result, const char *what)
{
	if (result == CLV_OK)
		return;
	fprintf(stderr, "slip39-tool: %s: %s\n", what, clv_result_name(result));
	exit(1);
}

static int
split(int argc, char **argv)
{
	struct clv_slip39_scheme s = {.extendable = argv[0][0] == '1',
	    .exponent = (uint8_t)atoi(argv[1]),
	    .group_threshold = (uint8_t)atoi(argv[4])};
	struct clv_slip39_share *shares = NULL;
	uint8_t secret[CLV_SLIP39_SECRET_MAX];
	char text[CLV_SLIP39_TEXT_MAX];
	size_t len, n = 0;

	for (int i = 5; i < argc && s.groups < CLV_SLIP39_COUNT_MAX; i++) {
		unsigned k = 0, of = 0;

		if (sscanf(argv[i], "%u/%u", &k, &of) != 2)
			must(CLV_E_USAGE, argv[i]);
		s.group[s.groups].threshold = (uint8_t)k;
		s.group[s.groups++].shares = (uint8_t)of;
	}
	if (sodium_hex2bin(secret, sizeof(secret), argv[3], strlen(argv[3]),
		NULL, &len, NULL) != 0)
		must(CLV_E_USAGE, argv[3]);
	must(clv_slip39_split(guard, &s, secret, len, argv[2], &shares, &n),
	    "split");
	for (size_t i = 0; i < n; i++) {
		must(clv_slip39_format(guard, &shares[i], text), "format");
		printf("%u %s\n", shares[i].group, text);
	}
	clv_guard_put(guard, shares);
	return 0;
}

static int
combine(const char *passphrase)
{
	struct clv_slip39_share shares[CLV_SLIP39_COUNT_MAX];
	uint8_t secret[CLV_SLIP39_SECRET_MAX];
	char line[2 * CLV_SLIP39_TEXT_MAX];
	size_t n = 0, len = 0;

	while (n < CLV_SLIP39_COUNT_MAX &&
	       fgets(line, sizeof(line), stdin) != NULL)
		must(clv_slip39_parse(
			 guard, line, strcspn(line, "\n"), &shares[n++], NULL),
		    line);
	must(clv_slip39_combine(
		 guard, shares, n, passphrase, secret, &len, NULL),
	    "combine");
	for (size_t i = 0; i < len; i++)
		printf("%02x", secret[i]);
	putchar('\n');
	return 0;
}

int
main(int argc, char **argv)
{
	if (sodium_init() < 0)
		return 1;
	must(clv_guard_new(64u * 1024, &guard), "guarded memory");
	if (argc >= 8 && strcmp(argv[1], "split") == 0)
		return split(argc - 2, argv + 2);
	if (argc == 3 && strcmp(argv[1], "combine") == 0)
		return combine(argv[2]);
	return 2;
}
