/* What the bench tells the person in front of it, on standard error: errors always, progress only on a
 * terminal. */
#ifndef BENCH_SAY_H
#define BENCH_SAY_H

/* "perron-bench: ..." and a newline. */
void say_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Overwrites the progress line; silent when standard error is not a terminal. */
void say_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Clears the progress line. */
void say_progress_done(void);

#endif
