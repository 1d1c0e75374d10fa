/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_PG_H
#define TESTS_UNIT_PG_H

/*
 * A PostgreSQL cluster to be thrown away: in a directory of its own, on a Unix
 * socket alone, without fsync, superuser "postgres", everybody trusted. It is
 * stopped and removed when the process that started it ends, however that
 * happens.
 */

/* 0, 77 when PostgreSQL is not installed, or 1 with a line on stderr. More
 * settings for postgresql.conf, or NULL. */
int pg_start(const char *settings);
void pg_stop(void);

const char *pg_dir(void); /* the socket's directory; data is in data/ */
void pg_halt(void);	  /* stop the server, and start it again */
void pg_resume(void);

#endif
