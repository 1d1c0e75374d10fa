/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may be active: the epoch, its witness and the generation, as
 * daemon/{role,serving,lease,witness}.c do it.
 *
 * Three enrolled nodes; two of them may be promoted, all three keep a file
 * of what they promised. A promotion raises the witness (its own file, then
 * the promises of a majority), takes the epoch in PostgreSQL by compare and
 * set, and serves; with PostgreSQL away it serves for decryption. Each of
 * these may be cut short after any step (crash, demote, lost messages).
 * PostgreSQL may be away, and may fail over to a copy that lacks its last
 * commits. A node may lose its disk: it comes back as a new node, under a new
 * number. A member keeps the highest epoch and generation that it accepted,
 * refuses less, and shows it to the server.
 *
 * What must hold:
 *   once    no epoch is served twice: by two nodes, or before and after a
 *           restart
 *   grows   whoever begins to serve does so with an epoch above every one
 *           that was served when it began, unless a disk was lost
 *   back    a member never accepts a lower epoch or generation
 *   fence   a write of a server that was overtaken is refused
 *   escrow  nobody encrypts under a generation that is not escrowed on the
 *           other node and backed up; nobody serves one that it lacks
 *   alone   with LEASE: never do two servers say that a member may encrypt. A
 *           lease may end at any time; that of a holder ends on PostgreSQL's
 *           clock after it has ended on its own. (Of a PostgreSQL that has
 *           failed over this does not hold: leases are lost with the rest.)
 *
 * Broken on purpose, to see that the model can tell (check-model):
 *   NOWITNESS    the epoch is what PostgreSQL says, plus one
 *   OWNFILE      only the own file is the witness, no peer
 *   NOOWNFILE    only a peer is the witness, not the own file
 *   NOHWM        a member accepts whatever it is told
 *   SAMENUMBER   a node that lost its disk comes back under its old number
 *   NOFENCE      a write does not look at the epoch row
 *   NOBACKUP     a generation becomes current without its backup
 *   NOWAIT       whoever takes the epoch encrypts at once
 *   FORGETFUL    PostgreSQL remembers no lease but that of its holder
 */
#ifndef COUNT_MAX
#define COUNT_MAX 2		/* highest counter of an epoch */
#endif
#ifndef FAILOVERS
#define FAILOVERS 1
#endif
#ifndef ABSENCES
#define ABSENCES 1
#endif
#ifndef DISKS
#define DISKS 1
#endif
#define NODES 3
#define SERVERS 2
#define EPOCH(count, number) ((count) * 8 + (number))
#define COUNT(epoch) ((epoch) / 8)
#define MAX(a, b) ((a) > (b) -> (a) : (b))

#define OFF 0
#define ACTIVE 1		/* the epoch is taken in PostgreSQL */
#define AWAY 2			/* for decryption only */

/* PostgreSQL, and what its standby has of it */
bool pg_away;
byte pg_epoch, copy_epoch;
byte pg_gen = 1, copy_gen = 1;

/* nodes: what lies on disk */
byte promised[NODES];
byte number[NODES];
bool holds2[SERVERS];		/* has generation 2 */

/* servers: what lies in memory */
byte raising[SERVERS];		/* the epoch on its way; 0: none */
bool late[SERVERS];		/* ghost: one as high was served before */
byte state[SERVERS];
byte epoch[SERVERS];
byte gen[SERVERS];

/* rotation */
bool begun, escrowed, backed;

/* leases */
bool lease[SERVERS];		/* not over on the server's own clock */
bool mine[SERVERS];		/* the row names this process */
bool before[SERVERS], others[SERVERS];	/* leases that are waited for */
bool pg_lease, pg_others;	/* the holder's, and of those before */

/* the member: what lies on its disk */
byte m_epoch, m_gen;

/* ghosts and bounds */
int served;			/* every epoch ever served, one bit each */
byte failovers, absences, disks;

#define SERVES(i) (state[i] != OFF)
#define MINE(i) (pg_epoch == epoch[i])
#define ENCRYPTS(i) \
	(state[i] == ACTIVE && lease[i] && !before[i] && !others[i])

inline stop(i)
{
#ifdef LEASE
	lease[i] = false;
	before[i] = false;
	others[i] = false;
#endif
	state[i] = OFF;
	epoch[i] = 0;
	gen[i] = 0
}

/* Another process of server i. */
inline crash(i)
{
	stop(i);
	mine[i] = false
}

/* In the transaction that takes the epoch. */
inline take(i)
{
#ifdef LEASE
	lease[i] = true;
#ifndef NOWAIT
	before[i] = pg_lease && !mine[i];
	others[i] = pg_others;
#endif
#ifndef FORGETFUL
	pg_others = pg_others || (pg_lease && !mine[i]);
#endif
	pg_lease = true;
	mine[i] = true;
	mine[1 - i] = false;
#endif
	pg_epoch = raising[i]
}

inline alone()
{
	assert(!ENCRYPTS(0) || !ENCRYPTS(1))		/* alone */
}

inline give_up(i)
{
	raising[i] = 0;
	late[i] = false
}

/* to: ACTIVE or AWAY. The epochs of one server follow each other. */
inline serve(i, to)
{
	assert((served & (1 << raising[i])) == 0);	/* once */
	assert(disks > 0 || !late[i]);			/* grows */
	served = served | (1 << raising[i]);
	epoch[i] = raising[i];
	state[i] = to;
#ifdef LEASE
	if
	:: to == AWAY -> lease[i] = false
	:: else
	fi;
	alone();
#endif
	give_up(i)
}

/* A number above the own promise, PostgreSQL's (if it is there), and what a
 * peer may have said that it has seen. The others are asked before the own file
 * is written, and nothing else is done in between: who has promised meanwhile
 * makes a difference only when the server dies there. */
inline propose(i, t, j)
{
#ifdef NOWITNESS
	t = pg_epoch;
#else
	t = promised[i];
	if
	:: select(j : 0 .. NODES - 1); t = MAX(t, promised[j])
	:: skip
	fi;
	t = MAX(t, (pg_away -> 0 : pg_epoch));
#endif
	t = EPOCH(COUNT(t) + 1, number[i]);
	if
	:: COUNT(t) <= COUNT_MAX ->
		raising[i] = t;
		late[i] = (served >> t) != 0;
#ifndef NOWITNESS
		if
#ifndef NOOWNFILE
		:: promised[i] = t
#else
		:: true
#endif
		:: give_up(i);
			if
			:: promised[2] = MAX(promised[2], t)
			:: skip
			fi;
			if
			:: promised[1 - i] = MAX(promised[1 - i], t)
			:: skip
			fi
		fi
#endif
	:: else
	fi;
	t = 0; j = 0
}

/* The generation that is current on the list must be held. */
inline prove(i)
{
	if
	:: !pg_away && pg_gen == 2 && !holds2[i] -> stop(i)
	:: !pg_away && pg_gen == 2 && holds2[i] -> gen[i] = 2
	:: else -> gen[i] = MAX(gen[i], 1)
	fi
}

proctype Server(byte i)
{
	byte t, j;

idle:	do
	:: atomic { SERVES(i) -> stop(i) }		/* demote, crash */
	:: atomic {	/* overtaken: PostgreSQL says so, or our own promise */
		SERVES(i) &&
		    (pg_away -> promised[i] : pg_epoch) > epoch[i] -> stop(i)
	   }
#ifndef LEASE
	:: atomic {	/* the lease ends */
		state[i] == ACTIVE && pg_away -> state[i] = AWAY
	   }
#else
	:: atomic {	/* demoted, and the epoch given back */
		SERVES(i) && MINE(i) -> pg_lease = false; stop(i)
	   }
	:: atomic { mine[i] -> crash(i) }
	:: atomic { lease[i] -> lease[i] = false; state[i] = AWAY }
	:: atomic {	/* PostgreSQL's clock */
		mine[i] && pg_lease && !lease[i] -> pg_lease = false
	   }
	:: atomic {	/* of one that has died */
		!mine[0] && !mine[1] && pg_lease -> pg_lease = false
	   }
	:: atomic {
		pg_others && !(lease[0] && !mine[0]) &&
		    !(lease[1] && !mine[1]) -> pg_others = false
	   }
	:: atomic {	/* what was waited for must have ended, */
		(before[i] || others[i]) && !lease[1 - i] ->
		before[i] = false; others[i] = false;
		alone()
	   }
	:: atomic {	/* or the other one says that it is idle */
		before[i] && !SERVES(1 - i) && raising[1 - i] == 0 ->
		before[i] = false;
		alone()
	   }
#endif
	:: atomic {	/* promote; or PostgreSQL is back, or lost our epoch;
			 * or a member has seen more */
		!SERVES(i) || (!pg_away && pg_epoch <= epoch[i] &&
		    (state[i] == AWAY || !MINE(i))) || m_epoch > epoch[i] ->
		prove(i);
		if
		:: gen[i] == 0		/* cannot serve: not promoted */
		:: else -> propose(i, t, j)
		fi;
		if
		:: raising[i] != 0 -> break
		:: else -> gen[i] = (SERVES(i) -> gen[i] : 0)
		fi
	   }
#ifdef ROTATE
	/* Each step is a write in a transaction of its own. */
	:: atomic {
		state[i] == ACTIVE && !pg_away && !begun && MINE(i) ->
		begun = true; holds2[i] = true
	   }
	:: atomic {
		state[i] == ACTIVE && begun && holds2[i] && !escrowed ->
		holds2[1 - i] = true; escrowed = true
	   }
	:: atomic { state[i] == ACTIVE && escrowed && !backed -> backed = true }
	:: atomic {
		state[i] == ACTIVE && !pg_away && pg_gen == 1 && holds2[i] &&
#ifdef NOBACKUP
		    begun ->
#else
		    backed ->
#endif
		if
#ifndef NOFENCE
		:: !MINE(i) -> stop(i)			/* stale epoch */
		:: else ->
#else
		:: true ->
#endif
			assert(pg_epoch <= epoch[i]);	/* fence */
			pg_gen = 2; gen[i] = 2
		fi
	   }
	:: atomic {	/* sees the new list */
		SERVES(i) && !pg_away && gen[i] < pg_gen ->
		if
		:: holds2[i] -> gen[i] = pg_gen
		:: else -> stop(i)
		fi
	   }
	:: atomic { !holds2[i] && escrowed -> holds2[i] = true }
#endif
	od;

#if !defined(NOWITNESS) && !defined(OWNFILE)
	/* With its own a majority of three. */
	do
	:: atomic {
		select(j : 0 .. NODES - 1);
		if
		:: j != i && promised[j] <= raising[i] ->
			promised[j] = raising[i];
			if
			:: j = 0; break
			:: j = 0				/* answer lost */
			fi
		:: else ->			/* refused, or given up */
			j = 0; give_up(i); stop(i); goto idle
		fi
	   }
	od;
#endif
	atomic {
		if
		:: pg_away -> serve(i, AWAY)
		:: !pg_away && pg_epoch < raising[i] ->
			take(i);
			if
			:: serve(i, ACTIVE)
			:: serve(i, AWAY)	/* the outcome is not known */
			:: give_up(i); crash(i)	/* it died at that moment */
			fi
		:: !pg_away -> give_up(i); stop(i)	/* lost, or gave up */
		fi
	}
	goto idle
}

/* What it is told may be old when it comes: the server may have been stopped
 * meanwhile, or overtaken. */
proctype Member()
{
	byte k, e, g;
	bool encrypt;

	do
	:: atomic {
		if
		:: SERVES(0) -> k = 0
		:: SERVES(1) -> k = 1
		fi;
		e = epoch[k]; g = gen[k]; encrypt = state[k] == ACTIVE
	   }
	   atomic {
		if
#ifndef NOHWM
		:: e < m_epoch || g < m_gen ->
			/* refused; the server is shown what this one holds,
			 * and writes that to its file before anything else */
			if
			:: SERVES(k) && epoch[k] < m_epoch ->
				promised[k] = MAX(promised[k], m_epoch)
			:: else
			fi
		:: else ->
#else
		:: true ->
#endif
			assert(e >= m_epoch && g >= m_gen);	/* back */
			assert(!encrypt || g == 1 || (escrowed && backed));
			m_epoch = e; m_gen = g
		fi;
		e = 0; g = 0; k = 0; encrypt = false
	   }
	od
}

/* The world: only the number of its blows is bounded. */
proctype World()
{
	byte j;

	do
	:: atomic {	/* asynchronous replication */
		copy_epoch != pg_epoch || copy_gen != pg_gen ->
		copy_epoch = pg_epoch; copy_gen = pg_gen
	   }
	:: atomic {
		failovers < FAILOVERS ->
		failovers++; pg_epoch = copy_epoch; pg_gen = copy_gen
	   }
	:: atomic {
		!pg_away && absences < ABSENCES -> absences++; pg_away = true
	   }
	:: atomic { pg_away -> pg_away = false }
	:: atomic {	/* a disk, of a node that does nothing just then */
		disks < DISKS ->
		select(j : 0 .. NODES - 1);
		if
		:: j < SERVERS ->
			if
			:: !SERVES(j) && raising[j] == 0 ->
				disks++; promised[j] = 0; holds2[j] = false;
#ifndef SAMENUMBER
				number[j] = number[j] + NODES
#endif
			:: else
			fi
		:: else -> disks++; promised[j] = 0
		fi;
		j = 0
	   }
	od
}

init
{
	atomic {
		number[0] = 1; number[1] = 2; number[2] = 3;
		run Server(0); run Server(1);
#ifndef LEASE
		run Member(); run World()
#endif
	}
}
