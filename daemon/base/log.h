/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLAVIGERD_LOG_H
#define CLAVIGERD_LOG_H

#include <stdbool.h>

/*
 * libqb's log: syslog (facility daemon), a file with log_file set, and stderr,
 * which gets only errors when it is no terminal. One line an event, at most
 * 400 bytes. error: someone must act; warning: recovered; notice: a state
 * change an operator wants; info: one line per administrative action. Nothing
 * secret, ever; text that a peer controls goes through log_quote().
 */
int log_open(const char *process, const char *file, bool debug);
void log_close(void);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Quote and cut text for a log line: printable ASCII only, at most cap - 1
 * bytes, in double quotes. Returns dst. */
const char *log_quote(const char *text, char *dst, unsigned cap);

#endif
