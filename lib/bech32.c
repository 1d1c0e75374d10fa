/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdbool.h>
#include <string.h>
#include <sodium.h>
#include <claviger/result.h>
#include "lib/bech32.h"

#define CHECKSUM_LEN 6

static const char lower[33] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
static const char upper[33] = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";

/* One step of the BCH code over GF(32), BIP 173 "bech32_polymod". */
static uint32_t
step(uint32_t sum, uint8_t value)
{
	static const uint32_t generator[5] = {
	    0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};
	uint32_t top = sum >> 25;

	sum = ((sum & 0x1ffffff) << 5) ^ value;
	for (int i = 0; i < 5; i++)
		sum ^= generator[i] & (0u - ((top >> i) & 1));
	return sum;
}

/* ASCII only: the locale has no say. */
static uint8_t
to_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : (uint8_t)c;
}

static uint32_t
sum_of_hrp(const char *hrp)
{
	uint32_t sum = 1;

	for (const char *p = hrp; *p != '\0'; p++)
		sum = step(sum, to_lower(*p) >> 5);
	sum = step(sum, 0);
	for (const char *p = hrp; *p != '\0'; p++)
		sum = step(sum, to_lower(*p) & 31);
	return sum;
}

static const char *
alphabet_of(const char *hrp)
{
	for (const char *p = hrp; *p != '\0'; p++) {
		if (*p >= 'A' && *p <= 'Z')
			return upper;
	}
	return lower;
}

/* 0..31, or 32 for a character outside the alphabet. Walks the whole table,
 * because the text may be a secret key. */
static uint8_t
value_of(const char *alphabet, char c)
{
	uint8_t value = 32;

	for (uint8_t i = 0; i < 32; i++) {
		uint8_t same = (uint8_t) - (alphabet[i] == c);
		value = (uint8_t)((value & ~same) | (i & same));
	}
	return value;
}

size_t
clv__bech32_len(const char *hrp, size_t len)
{
	return strlen(hrp) + 1 + (len * 8 + 4) / 5 + CHECKSUM_LEN;
}

/* The i-th group of five bits; those past the end are zero. */
static uint8_t
five_at(const uint8_t *data, size_t len, size_t i)
{
	size_t byte = i * 5 / 8;
	unsigned pair = (unsigned)data[byte] << 8;

	if (byte + 1 < len)
		pair |= data[byte + 1];
	return (pair >> (11 - i * 5 % 8)) & 31;
}

void
clv__bech32_format(
    const char *hrp, const uint8_t *data, size_t len, char *ret_text)
{
	const char *alphabet = alphabet_of(hrp);
	uint32_t sum = sum_of_hrp(hrp);
	size_t at = strlen(hrp);

	memcpy(ret_text, hrp, at);
	ret_text[at++] = '1';
	for (size_t i = 0; i < (len * 8 + 4) / 5; i++) {
		uint8_t five = five_at(data, len, i);
		sum = step(sum, five);
		ret_text[at++] = alphabet[five];
	}
	for (int i = 0; i < CHECKSUM_LEN; i++)
		sum = step(sum, 0);
	sum ^= 1;
	for (int i = CHECKSUM_LEN - 1; i >= 0; i--)
		ret_text[at++] = alphabet[(sum >> (5 * i)) & 31];
	ret_text[at] = '\0';
}

/* Groups of five bits back to bytes. What is left over is padding: less than
 * five bits, all zero. */
struct unpack {
	uint8_t *out;
	uint32_t bits;
	unsigned n;
};

static void
unpack_five(struct unpack *u, uint8_t five)
{
	u->bits = ((u->bits << 5) | five) & 0xfff;
	u->n += 5;
	if (u->n >= 8) {
		u->n -= 8;
		*u->out++ = (uint8_t)(u->bits >> u->n);
	}
}

/* data has room for len bytes; it may hold a part of them on failure. */
static int
parse(const char *hrp, const char *text, uint8_t *data, size_t len)
{
	const char *alphabet = alphabet_of(hrp);
	uint32_t sum = sum_of_hrp(hrp);
	size_t hrp_len = strlen(hrp);
	size_t end = clv__bech32_len(hrp, len);
	struct unpack u = {data, 0, 0};
	int r = CLV_E_INVALID;

	if (strlen(text) != end || memcmp(text, hrp, hrp_len) != 0 ||
	    text[hrp_len] != '1')
		goto out;
	for (size_t i = hrp_len + 1; i < end; i++) {
		uint8_t five = value_of(alphabet, text[i]);
		if (five > 31)
			goto out;
		sum = step(sum, five);
		if (i < end - CHECKSUM_LEN)
			unpack_five(&u, five);
	}
	if (sum == 1 && (u.bits & ((1u << u.n) - 1)) == 0)
		r = CLV_OK;
out:
	sodium_memzero(&u, sizeof(u));
	return r;
}

int
clv__bech32_parse(
    const char *hrp, const char *text, uint8_t *ret_data, size_t len)
{
	uint8_t data[CLV__BECH32_DATA_MAX];
	int r;

	if (len > sizeof(data))
		return CLV_E_INVALID;
	r = parse(hrp, text, data, len);
	if (r == CLV_OK)
		memcpy(ret_data, data, len);
	sodium_memzero(data, sizeof(data));
	return r;
}
