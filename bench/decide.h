/* `perron-bench decide`: a row of the table in main.c. */
#ifndef BENCH_DECIDE_H
#define BENCH_DECIDE_H

int bench_decide(int argc, char **argv);

#endif
