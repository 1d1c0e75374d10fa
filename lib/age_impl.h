/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef CLV_AGE_IMPL_H
#define CLV_AGE_IMPL_H

#include <claviger/age.h>
#include <claviger/buf.h>

/*
 * The pieces of an age file, each of which reads and writes one thing: keys,
 * header, the two recipient types, stream of chunks, armor. Only the reader
 * and the writer put them together. Section names are those of C2SP age.md.
 */

#define CLV__AGE_FILE_KEY_LEN 16
#define CLV__AGE_TAG_LEN 16
#define CLV__AGE_NONCE_LEN 16
#define CLV__AGE_BODY_LEN (CLV__AGE_FILE_KEY_LEN + CLV__AGE_TAG_LEN)
#define CLV__AGE_CHUNK_LEN 65536
/* Far above any honest header, so that a hostile one takes little memory. */
#define CLV__AGE_HEADER_MAX (128u * 1024)
#define CLV__AGE_RECIPIENTS_MAX 16
/* Characters of unpadded base64. */
#define CLV__AGE_B64_LEN(n) (((n)*4 + 2) / 3)

/* Everything secret of one operation, in one piece of guarded memory. */
struct clv__age_secret {
	uint8_t file_key[CLV__AGE_FILE_KEY_LEN];
	uint8_t identity[CLV_AGE_KEY_LEN];
	uint8_t scalar[CLV_AGE_KEY_LEN];
	uint8_t shared[CLV_AGE_KEY_LEN];
	uint8_t wrap_key[CLV_AGE_KEY_LEN];
	uint8_t found[CLV__AGE_FILE_KEY_LEN];
};

/* ---- age_keys.c ---- */

/* HKDF-SHA-256 with 32 bytes of output; salt may be empty. */
void clv__age_hkdf(const uint8_t *ikm, size_t ikm_len, const uint8_t *salt,
    size_t salt_len, const char *info, uint8_t ret[static 32]);
/* A file key encrypted under a wrap key that is used once: nonce zero. */
void clv__age_wrap(const uint8_t wrap_key[static 32],
    const uint8_t file_key[static CLV__AGE_FILE_KEY_LEN],
    uint8_t ret_body[static CLV__AGE_BODY_LEN]);
/* False when it does not authenticate; then ret is zeros. */
bool clv__age_unwrap(const uint8_t wrap_key[static 32],
    const uint8_t body[static CLV__AGE_BODY_LEN],
    uint8_t ret_file_key[static CLV__AGE_FILE_KEY_LEN]);

/* Canonical base64 of a whole line; variant as libsodium names it. */
int clv__age_base64_decode(const char *p, size_t len, int variant, uint8_t *ret,
    size_t max, size_t *ret_len);

/* ---- age_header.c ---- */

struct clv__age_span { /* borrowed from the header's text */
	const char *p;
	size_t len;
};

#define CLV__AGE_ARGS_KEPT 3
struct clv__age_stanza {
	struct clv__age_span arg[CLV__AGE_ARGS_KEPT];
	size_t args;		   /* all of them, also those not kept */
	struct clv__age_span body; /* base64 lines, each with its LF */
};

enum clv__age_header_state {
	CLV__AGE_VERSION_LINE,
	CLV__AGE_STANZA_LINE, /* "-> " or "---" */
	CLV__AGE_BODY_LINE,
	CLV__AGE_HEADER_DONE
};

struct clv__age_header {
	struct clv_buf text;
	enum clv__age_header_state state;
	size_t line;	/* where the current line starts */
	size_t stanzas; /* how many */
	bool scrypt;	/* one of them is of type scrypt */
	size_t mac_at;	/* where "---" starts */
};

void clv__age_header_init(struct clv__age_header *h);
void clv__age_header_fini(struct clv__age_header *h);
/* Take bytes up to the end of the header; the grammar is checked line by line.
 * CLV_E_FORMAT, CLV_E_VERSION, CLV_E_NOMEM. */
int clv__age_header_put(
    struct clv__age_header *h, const uint8_t *p, size_t len, size_t *ret_used);
/* Walk the stanzas of a finished header; *at starts as 0. False at the end. */
bool clv__age_header_next(
    const struct clv__age_header *h, size_t *at, struct clv__age_stanza *ret);
bool clv__age_stanza_is(const struct clv__age_stanza *s, const char *type);
/* Canonical unpadded base64 of exactly len bytes, or CLV_E_FORMAT. */
int clv__age_base64(struct clv__age_span text, uint8_t *ret, size_t len);
/* The stanza's body, which has to be one wrapped file key. */
int clv__age_stanza_body(const struct clv__age_stanza *s,
    uint8_t ret_body[static CLV__AGE_BODY_LEN]);
/* CLV_E_DAMAGED when the MAC does not verify under this file key. */
int clv__age_header_verify(const struct clv__age_header *h,
    const uint8_t file_key[static CLV__AGE_FILE_KEY_LEN]);

/* Writing: version line, stanzas, then the MAC line. */
void clv__age_header_begin(struct clv_buf *text);
/* args is the argument line after "-> ". */
void clv__age_header_stanza(struct clv_buf *text, const char *args,
    const uint8_t body[static CLV__AGE_BODY_LEN]);
void clv__age_header_end(
    struct clv_buf *text, const uint8_t file_key[static CLV__AGE_FILE_KEY_LEN]);

/* ---- age_x25519.c, age_scrypt.c ---- */

/* Append a stanza for pk with s->file_key. CLV_E_INVALID: pk has low order. */
int clv__age_x25519_wrap(struct clv__age_secret *s,
    const uint8_t pk[static CLV_AGE_KEY_LEN], struct clv_buf *text);
/* s->identity opens one of the stanzas: s->file_key. CLV_E_FORMAT,
 * CLV_E_NO_IDENTITY. */
int clv__age_x25519_unwrap(
    struct clv__age_secret *s, const struct clv__age_header *h);
int clv__age_scrypt_wrap(struct clv__age_secret *s, const char *passphrase,
    unsigned logn, struct clv_buf *text);
/* CLV_E_FORMAT, CLV_E_NO_IDENTITY (not sealed to a passphrase),
 * CLV_E_WORK_FACTOR, CLV_E_PASSPHRASE, CLV_E_NOMEM. */
int clv__age_scrypt_unwrap(struct clv__age_secret *s, const char *passphrase,
    unsigned logn_max, const struct clv__age_header *h);

/* ---- age_stream.c ---- */

/* The payload: one chunk in guarded memory, encrypted and decrypted in place.
 * It starts small and grows up to one chunk: a keyring needs little. */
struct clv__age_stream {
	struct clv_guard *guard;
	clv_age_sink sink;
	void *arg;
	uint8_t *key;
	uint8_t *chunk;
	size_t cap;
	size_t len;
	uint64_t counter;
};

int clv__age_stream_init(struct clv__age_stream *st, struct clv_guard *guard,
    const uint8_t file_key[static CLV__AGE_FILE_KEY_LEN],
    const uint8_t nonce[static CLV__AGE_NONCE_LEN], clv_age_sink sink,
    void *arg);
void clv__age_stream_fini(struct clv__age_stream *st);
/* A chunk goes on only when more follows it, so that finish has the last. */
int clv__age_stream_encrypt(
    struct clv__age_stream *st, const uint8_t *p, size_t len);
int clv__age_stream_encrypt_last(struct clv__age_stream *st);
int clv__age_stream_decrypt(
    struct clv__age_stream *st, const uint8_t *p, size_t len);
/* CLV_E_DAMAGED, CLV_E_TRUNCATED. */
int clv__age_stream_decrypt_last(struct clv__age_stream *st);

/* ---- age_armor.c ---- */

#define CLV__AGE_ARMOR_BYTES 48 /* of one full line */
#define CLV__AGE_ARMOR_COLUMNS 64
#define CLV__AGE_ARMOR_SPACE_MAX 1024

struct clv__age_armor_writer {
	clv_age_sink sink;
	void *arg;
	size_t len;
	uint8_t bytes[CLV__AGE_ARMOR_BYTES];
};

int clv__age_armor_begin(
    struct clv__age_armor_writer *a, clv_age_sink sink, void *arg);
int clv__age_armor_put(
    struct clv__age_armor_writer *a, const uint8_t *p, size_t len);
int clv__age_armor_end(struct clv__age_armor_writer *a);

enum clv__age_armor_state {
	CLV__AGE_ARMOR_BEGIN, /* the BEGIN line */
	CLV__AGE_ARMOR_BODY,  /* a full line or END */
	CLV__AGE_ARMOR_END,   /* after a short line: END alone */
	CLV__AGE_ARMOR_AFTER  /* white space alone */
};

struct clv__age_armor_reader {
	enum clv__age_armor_state state;
	size_t space; /* bytes of white space after the END line */
	size_t len;
	char line[CLV__AGE_ARMOR_COLUMNS + 1]; /* and a CR */
};

bool clv__age_is_space(uint8_t c);
/* Feed text that starts with the BEGIN line; decoded bytes go to the sink. */
int clv__age_armor_read(struct clv__age_armor_reader *a, const uint8_t *p,
    size_t len, clv_age_sink sink, void *arg);
/* The END line may lack its line end. CLV_E_TRUNCATED without an END line. */
int clv__age_armor_read_end(
    struct clv__age_armor_reader *a, clv_age_sink sink, void *arg);

/* ---- age_reader.c ---- */

/* Where a reader stands, or where it failed: the same result means different
 * things in different places. */
enum clv__age_stage {
	CLV__AGE_AT_START, /* neither armor nor version line seen */
	CLV__AGE_AT_ARMOR,
	CLV__AGE_AT_HEADER,
	CLV__AGE_AT_PAYLOAD
};
enum clv__age_stage clv__age_reader_stage(const struct clv_age_reader *r);

#endif
