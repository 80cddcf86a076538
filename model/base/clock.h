/*
 * model/base/clock.h
 *	  Time, for measuring how long something took.
 */
#ifndef MMRD_CLOCK_H
#define MMRD_CLOCK_H

/*
 * Milliseconds since some moment, the same for the whole process; it never
 * goes back and knows nothing of the calendar.  Any thread.
 */
double mmrd_clock_ms(void);

#endif /* MMRD_CLOCK_H */
