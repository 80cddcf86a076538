/*
 * extension/pg_timing.h
 *	  Where this session's time for scoring went.
 */
#ifndef MMRD_PG_TIMING_H
#define MMRD_PG_TIMING_H

/* In the order of what mmrd_timing() returns. */
typedef enum mmrd_pg_part
{
	MMRD_PG_PART_READ,    /* the row and its detoasted pictures */
	MMRD_PG_PART_DECODE,  /* bytes to samples */
	MMRD_PG_PART_RESIZE,  /* samples to network input */
	MMRD_PG_PART_NETWORK, /* without what follows */
	MMRD_PG_PART_MAP,     /* differences, enlarged and blurred */
	MMRD_PG_PART_ENCODE,  /* a map to a value of type mmrd_map */
	MMRD_PG_PARTS
} mmrd_pg_part;

/* One scan more. */
extern void mmrd_pg_timing_scan(void);

/* Add milliseconds to a part. */
extern void mmrd_pg_timing_add(mmrd_pg_part part, double ms);

#endif /* MMRD_PG_TIMING_H */
