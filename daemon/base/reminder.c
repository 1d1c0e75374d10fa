/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sodium.h>
#include <claviger/result.h>
#include "daemon/base/reminder.h"

#define FILE_MAX (1 << 20)

static int
no(char ret_why[static 256], const char *why)
{
	snprintf(ret_why, 256, "%s", why);
	return CLV_E_INVALID;
}

/* In whatever case, of ASCII. */
static bool
holds(const char *text, const char *part)
{
	size_t len = strlen(part);

	for (; *text != '\0'; text++)
		if (strncasecmp(text, part, len) == 0)
			return true;
	return false;
}

int
reminder_check(
    const char *text, const char *passphrase, char ret_why[static 256])
{
	size_t len = strlen(text);

	if (len == 0 || text[strspn(text, " ")] == '\0')
		return no(ret_why, "it says nothing");
	if (len >= REMINDER_TEXT_MAX)
		return no(ret_why, "it is longer than 256 bytes");
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return no(ret_why,
			    "it holds a control character, or one that is "
			    "not ASCII");
	if (holds(text, passphrase))
		return no(ret_why, "it holds the passphrase itself");
	if (holds(passphrase, text))
		return no(ret_why, "it is a part of the passphrase");
	return CLV_OK;
}

int
reminder_format(
    const struct reminder *r, const struct clv_keyring *k, struct clv_buf *ret)
{
	uint8_t sig[CLV_SIG_LEN];
	int rc;

	clv_buf_raw(ret, r->system_id, sizeof(r->system_id));
	clv_buf_raw(ret, r->file, sizeof(r->file));
	clv_buf_u32(ret, r->generation);
	clv_buf_str(ret, r->where);
	clv_buf_u64(ret, r->time_s);
	clv_buf_str(ret, r->text);
	rc = clv_buf_result(ret);
	if (rc == CLV_OK)
		rc = clv_keyring_sign(
		    k, REMINDER_DOMAIN, ret->data, ret->len, sig);
	if (rc != CLV_OK)
		return rc;
	clv_buf_raw(ret, sig, sizeof(sig));
	return clv_buf_result(ret);
}

int
reminder_parse(
    const void *p, size_t len, const uint8_t *pk, struct reminder *ret)
{
	struct reminder r;
	struct clv_rd rd;
	int rc = CLV_OK;

	if (len < CLV_SIG_LEN)
		return CLV_E_FORMAT;
	len -= CLV_SIG_LEN;
	if (pk != NULL)
		rc = clv_verify(
		    pk, REMINDER_DOMAIN, p, len, (const uint8_t *)p + len);
	if (rc != CLV_OK)
		return rc;
	clv_rd_init(&rd, p, len);
	clv_rd_copy(&rd, r.system_id, sizeof(r.system_id));
	clv_rd_copy(&rd, r.file, sizeof(r.file));
	r.generation = clv_rd_u32(&rd);
	clv_rd_str(&rd, r.where, sizeof(r.where));
	r.time_s = clv_rd_u64(&rd);
	clv_rd_str(&rd, r.text, sizeof(r.text));
	rc = clv_rd_end(&rd);
	if (rc == CLV_OK)
		*ret = r;
	return rc;
}

static int
hash(int fd, uint8_t ret[static REMINDER_FILE_LEN])
{
	crypto_hash_sha256_state h;
	unsigned char part[4096];
	size_t all = 0;
	ssize_t n;

	crypto_hash_sha256_init(&h);
	while ((n = read(fd, part, sizeof(part))) > 0) {
		all += (size_t)n;
		if (all > FILE_MAX)
			return CLV_E_NOT_FOUND;
		crypto_hash_sha256_update(&h, part, (size_t)n);
	}
	if (n < 0)
		return CLV_E_NOT_FOUND;
	crypto_hash_sha256_final(&h, ret);
	return CLV_OK;
}

/* A pipe is left to whoever opens the backup. */
int
reminder_file(const char *path, uint8_t ret[static REMINDER_FILE_LEN])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int r = CLV_E_NOT_FOUND;

	if (fd < 0)
		return r;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		r = hash(fd, ret);
	close(fd);
	return r;
}
